#include "bw_record.h"

#include "json/json.h"

static void copy_text(const struct json *doc, const char *key, char *to, size_t size)
{
    const char *text = json_str(json_get(doc, key));

    to[0] = 0;
    if (text)
        str_copy(to, size, text);
}

static int64_t read_time(const struct json *doc, const char *key)
{
    const char *text = json_str(json_get(doc, key));
    int64_t ms       = 0;

    return text && !failed(str_time_ms(text, &ms)) ? ms : 0;
}

struct err bw_record_read(struct bw_record *ret, struct bytes value)
{
    struct json *doc   = NULL;
    struct bw_record r = {0};
    char why[JSON_WHY_SIZE];

    struct err e = json_parse(&doc, value, why, sizeof why);
    if (failed(e))
        return e;
    const struct json *owner = json_get(doc, "owner");
    const char *token        = json_str(json_get(owner, "token"));
    copy_text(doc, "status", r.status, sizeof r.status);
    copy_text(doc, "run", r.run, sizeof r.run);
    copy_text(doc, "workflow", r.workflow, sizeof r.workflow);
    copy_text(doc, "tenant", r.tenant, sizeof r.tenant);
    copy_text(doc, "upstream", r.upstream, sizeof r.upstream);
    copy_text(doc, "endpoint", r.endpoint, sizeof r.endpoint);
    copy_text(doc, "remote_id", r.remote_id, sizeof r.remote_id);
    if (token && failed(str_read_hex64(token, &r.token)))
        r.token = 0;
    r.free          = json_bool(json_get(doc, "free"));
    r.expires_at_ms = read_time(doc, "expires_at");
    r.updated_ms    = read_time(doc, "last_updated_at");
    json_free(&doc);
    *ret = r;
    return OK;
}
