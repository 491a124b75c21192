#include "cli_context.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli_file.h"

static const char *text_of(const struct json *doc, const char *field)
{
    const char *text = json_str(json_get(doc, field));

    return text ? text : "";
}

#define REFUSE(...) (str_format(why, why_size, __VA_ARGS__), err_of(ERR_REJECT, "read context"))

struct err cli_context_read(struct bytes text, struct cli_context *ret, char *why,
                            size_t why_size)
{
    static const char *const UNREAD[] = {"user", "password", "token",    "nkey",
                                         "nsc",  "cert",     "user_jwt", NULL};
    AUTO(json_free) struct json *doc  = NULL;
    char detail[JSON_WHY_SIZE];

    if (failed(json_parse(&doc, text, detail, sizeof(detail))))
        return REFUSE("is not valid JSON: %s", detail);
    for (size_t i = 0; UNREAD[i]; i++)
        if (*text_of(doc, UNREAD[i]))
            return REFUSE("has \"%s\", which sluice does not read: use --server and --creds",
                          UNREAD[i]);
    if (!str_copy(ret->url, sizeof(ret->url), text_of(doc, "url")) ||
        !str_copy(ret->creds, sizeof(ret->creds), text_of(doc, "creds")))
        return REFUSE("has a url or creds that is too long");
    return OK;
}

static bool path_of(const char *name, char *at, size_t size)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (config && *config)
        return str_format(at, size, "%s/nats/context/%s.json", config, name);
    return home && str_format(at, size, "%s/.config/nats/context/%s.json", home, name);
}

/* A context may have dots in its name, but no way out of its folder. */
static bool name_good(const char *name)
{
    for (const char *c = name; *c; c++)
        if (*c == '/' || (unsigned char)*c <= ' ')
            return false;
    return *name && *name != '.';
}

bool cli_context_load(const char *name, struct cli_context *ret)
{
    AUTO(buf_deinit) struct buf text = {0};
    char path[PATH_MAX], why[240];

    if (!name_good(name) || !path_of(name, path, sizeof(path))) {
        fprintf(stderr, "sluice: \"%.80s\" is not the name of a context\n", name);
        return false;
    }
    if (!cli_file_read(path, &text))
        return false;
    if (failed(cli_context_read(buf_bytes(&text), ret, why, sizeof(why)))) {
        fprintf(stderr, "sluice: the context %s %s\n", name, why);
        return false;
    }
    return true;
}
