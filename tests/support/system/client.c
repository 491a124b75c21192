#include "support/system/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/clock.h"
#include "support/system/world.h"

enum { ASK_MS = 5000 };

struct client *client_new(struct world *w)
{
    struct client *c  = calloc(1, sizeof(*c));
    natsOptions *opts = NULL;

    c->world = w;
    assert_int_equal(natsOptions_Create(&opts), NATS_OK);
    natsOptions_SetURL(opts, w->url);
    natsOptions_SetMaxReconnect(opts, -1);
    natsOptions_SetReconnectWait(opts, 50);
    natsOptions_SetReconnectJitter(opts, 10, 10);
    natsOptions_SetReconnectBufSize(opts, 0);
    natsOptions_SetName(opts, "system-test");
    assert_int_equal(natsConnection_Connect(&c->nc, opts), NATS_OK);
    natsOptions_Destroy(opts);
    assert_int_equal(natsConnection_JetStream(&c->js, c->nc, NULL), NATS_OK);
    return c;
}

void client_free(struct client **slot)
{
    struct client *c = *slot;

    *slot = NULL;
    if (!c)
        return;
    jsCtx_Destroy(c->js);
    natsConnection_Close(c->nc);
    natsConnection_Destroy(c->nc);
    free(c);
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct answer client_ask(struct client *c, const char *subject, const void *body, size_t len,
                         int timeout_ms)
{
    struct answer a = {0};
    natsMsg *ask    = NULL;
    int64_t since   = clock_ms();

    a.status = natsMsg_Create(&ask, subject, NULL, body, (int)len);
    if (a.status == NATS_OK)
        a.status = natsConnection_RequestMsg(&a.msg, c->nc, ask, timeout_ms);
    natsMsg_Destroy(ask);
    a.ms = clock_ms() - since;
    if (a.msg)
        a.json = json_loadb(natsMsg_GetData(a.msg), (size_t)natsMsg_GetDataLength(a.msg),
                            JSON_DECODE_ANY, NULL);
    return a;
}

struct answer client_ask_text(struct client *c, const char *subject, const char *body)
{
    return client_ask(c, subject, body, strlen(body), ASK_MS);
}

void answer_deinit(struct answer *a)
{
    natsMsg_Destroy(a->msg);
    json_decref(a->json);
    memset(a, 0, sizeof(*a));
}

const char *answer_header(const struct answer *a, const char *name)
{
    const char *value = NULL;

    return a->msg && natsMsgHeader_Get(a->msg, name, &value) == NATS_OK && value ? value : "";
}

const json_t *json_path(const json_t *doc, const char *path)
{
    char token[64];

    while (doc && *path) {
        size_t len = strcspn(path, ".");
        snprintf(token, sizeof(token), "%.*s", (int)len, path);
        doc = json_is_array(doc) ? json_array_get(doc, (size_t)atoi(token))
                                 : json_object_get(doc, token);
        path += len + (path[len] == '.');
    }
    return doc;
}

const char *answer_text(const struct answer *a, const char *path)
{
    const char *text = json_string_value(json_path(a->json, path));

    return text ? text : "";
}

int64_t answer_number(const struct answer *a, const char *path)
{
    const json_t *v = json_path(a->json, path);

    return json_is_integer(v) ? json_integer_value(v) : -1;
}

const char *answer_body(const struct answer *a, size_t *ret_len)
{
    if (ret_len)
        *ret_len = a->msg ? (size_t)natsMsg_GetDataLength(a->msg) : 0;
    return a->msg ? natsMsg_GetData(a->msg) : "";
}

/* ---- runs --------------------------------------------------------------------------------------- */

void client_submit(struct client *c, const char *tenant, const char *body, char ret_run[27])
{
    char subject[128];

    snprintf(subject, sizeof(subject), "sluice.api.submit.%s", tenant);
    struct answer a = client_ask_text(c, subject, body);
    if (strlen(answer_text(&a, "run_id")) != 26 || *answer_header(&a, "Nats-Service-Error"))
        world_fail(c->world, "submit was not accepted (%s): %s", natsStatus_GetText(a.status),
                   a.msg ? natsMsg_GetData(a.msg) : "no answer");
    snprintf(ret_run, 27, "%s", answer_text(&a, "run_id"));
    answer_deinit(&a);
}

struct answer client_get(struct client *c, const char *tenant, const char *run)
{
    char subject[128];

    snprintf(subject, sizeof(subject), "sluice.api.get.%s", tenant);
    return client_ask_text(c, subject, run);
}

bool client_knows(struct client *c, const char *tenant, const char *upstream)
{
    char subject[160], body[200];

    snprintf(body, sizeof(body),
             "{\"flow\":{\"upstream\":\"%s\",\"steps\":[{\"id\":\"a\",\"set\":{\"n\":1}}]},"
             "\"dry_run\":true}",
             upstream);
    snprintf(subject, sizeof(subject), "sluice.api.submit.%s", tenant);
    struct answer submit = client_ask_text(c, subject, body);
    snprintf(subject, sizeof(subject), "sluice.admin.upstream.%s", upstream);
    struct answer admin = client_ask_text(c, subject, "");
    bool yes            = submit.json && !*answer_header(&submit, "Nats-Service-Error") &&
               *answer_text(&admin, "mode");

    answer_deinit(&submit);
    answer_deinit(&admin);
    return yes;
}

void client_status(struct client *c, const char *tenant, const char *run, char ret[32])
{
    struct answer a = client_get(c, tenant, run);

    snprintf(ret, 32, "%s",
             *answer_header(&a, "Nats-Service-Error") ? "" : answer_text(&a, "status"));
    answer_deinit(&a);
}

bool client_status_is(struct client *c, const char *tenant, const char *run, const char *status)
{
    char now[32];

    client_status(c, tenant, run, now);
    return strcmp(now, status) == 0;
}

/* ---- streams and buckets --------------------------------------------------------------------------- */

void client_put(struct client *c, const char *bucket, const char *key, const char *value)
{
    char subject[200];
    jsPubAck *ack = NULL;

    snprintf(subject, sizeof(subject), "$KV.%s.%s", bucket, key);
    natsStatus s = js_Publish(&ack, c->js, subject, value, (int)strlen(value), NULL, NULL);
    jsPubAck_Destroy(ack);
    if (s != NATS_OK)
        world_fail(c->world, "cannot write %s into %s: %s", key, bucket, natsStatus_GetText(s));
}

int64_t client_count(struct client *c, const char *stream)
{
    jsStreamInfo *info = NULL;
    int64_t count      = -1;

    if (js_GetStreamInfo(&info, c->js, stream, NULL, NULL) == NATS_OK)
        count = (int64_t)info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return count;
}

int64_t client_count_of(struct client *c, const char *stream, const char *filter)
{
    jsStreamInfo *info = NULL;
    int64_t count      = -1;
    jsOptions opts;

    jsOptions_Init(&opts);
    opts.Stream.Info.SubjectsFilter = filter;
    if (js_GetStreamInfo(&info, c->js, stream, &opts, NULL) == NATS_OK) {
        count = 0;
        for (int i = 0; info->State.Subjects && i < info->State.Subjects->Count; i++)
            count += (int64_t)info->State.Subjects->List[i].Msgs;
    }
    jsStreamInfo_Destroy(info);
    return count;
}

void client_delete_stream(struct client *c, const char *stream)
{
    natsStatus s = js_DeleteStream(c->js, stream, NULL, NULL);

    if (s != NATS_OK)
        world_fail(c->world, "cannot delete %s: %s", stream, natsStatus_GetText(s));
}

int64_t client_subjects(struct client *c, const char *stream)
{
    jsStreamInfo *info = NULL;
    int64_t count      = -1;

    if (js_GetStreamInfo(&info, c->js, stream, NULL, NULL) == NATS_OK)
        count = info->State.NumSubjects;
    jsStreamInfo_Destroy(info);
    return count;
}

/* Empty; and what its last message was. */
static bool empty(struct client *c, const char *stream, uint64_t *ret_last)
{
    jsStreamInfo *info = NULL;
    bool yes =
        js_GetStreamInfo(&info, c->js, stream, NULL, NULL) == NATS_OK && info->State.Msgs == 0;

    *ret_last = yes ? info->State.LastSeq : 0;
    jsStreamInfo_Destroy(info);
    return yes;
}

/* Read one after the other, a run that goes from one queue to the other could be missed twice: so nothing may
   have come into the first while the second was read. */
bool client_idle(struct client *c)
{
    uint64_t before, jobs, after;

    return empty(c, "SLUICE_PENDING", &before) && empty(c, "SLUICE_JOBS", &jobs) &&
           empty(c, "SLUICE_PENDING", &after) && before == after;
}
