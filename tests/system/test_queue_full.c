/*
 * queue_full - who is refused because too many wait: told so exactly, and nothing of it is left.
 *
 * Two things are full in turn: a tenant's queue (queue_max, looked up before anything is stored) and the stream PENDING
 * (found out when the PLAN is stored already, so that a REJECTED must follow before anybody is refused).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/record.h"
#include "support/system/world.h"

enum { QUEUE_MAX = 5, MANY = 40, BURST = 400, REFUSED = 4, PAIRS = 30, END_MS = 20000 };

/* One message a submit, and no other field, so that a repeat is the same request. */
#define BODY "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"x\":1}}]},\"key\":\"%s\"}"

/* ---- tenants, submits ------------------------------------------------------------------------ */

static bool gateway_knows(struct world *w, const char *tenant)
{
    char subject[96];

    snprintf(subject, sizeof(subject), "sluice.api.submit.%s", tenant);
    struct answer a = client_ask_text(w->client, subject,
                                      "{\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{}}]},"
                                      "\"lane\":\"bulk\",\"dry_run\":true}");
    bool yes        = strcmp(answer_text(&a, "code"), "lane_not_allowed") == 0;

    answer_deinit(&a);
    return yes;
}

static bool scheduler_knows(struct world *w, const char *tenant)
{
    char subject[96];

    snprintf(subject, sizeof(subject), "sluice.admin.tenant.%s", tenant);
    struct answer a = client_ask_text(w->client, subject, "");
    bool yes        = json_is_true(json_object_get(a.json, "paused"));

    answer_deinit(&a);
    return yes;
}

/* A tenant whose runs wait until let_go().  The lanes are how the gateway shows that it has heard. */
static void hold(struct world *w, const char *tenant, unsigned queue_max)
{
    char value[128];

    snprintf(value, sizeof(value),
             "{\"queue_max\":%u,\"lanes\":[\"realtime\",\"standard\"],\"paused\":true}",
             queue_max);
    client_put(w->client, "sluice_tenants", tenant, value);
    WORLD_WAIT(w, 10000, gateway_knows(w, tenant) && scheduler_knows(w, tenant));
}

static void let_go(struct world *w, const char *tenant)
{
    client_put(w->client, "sluice_tenants", tenant, "{}");
}

static struct answer submit(struct world *w, const char *tenant, const char *key)
{
    char subject[96], body[200];

    snprintf(subject, sizeof(subject), "sluice.api.submit.%s", tenant);
    snprintf(body, sizeof(body), BODY, key);
    struct answer a = client_ask(w->client, subject, body, strlen(body), 15000);
    if (a.status != NATS_OK)
        world_fail(w, "submit of %s was not answered: %s", key, natsStatus_GetText(a.status));
    return a;
}

static bool is_accepted(const struct answer *a)
{
    return strlen(answer_text(a, "run_id")) == 26 && !*answer_text(a, "code");
}

static void accept(struct world *w, const char *tenant, const char *key, bool created,
                   char ret_run[27])
{
    struct answer a = submit(w, tenant, key);

    if (!is_accepted(&a) || json_is_true(json_object_get(a.json, "created")) != created)
        world_fail(w, "%s should be accepted, %s: %s", key, created ? "new" : "a repeat",
                   answer_body(&a, NULL));
    snprintf(ret_run, 27, "%s", answer_text(&a, "run_id"));
    answer_deinit(&a);
}

/* Surface 13: the body, and the same in the headers. */
static void must_be(struct world *w, const struct answer *a, const char *code, int status,
                    const char *words)
{
    char number[16];

    snprintf(number, sizeof(number), "%d", status);
    if (strcmp(answer_text(a, "code"), code) != 0 || answer_number(a, "status") != status ||
        strcmp(answer_header(a, "Nats-Service-Error-Code"), number) != 0 ||
        !*answer_text(a, "title") ||
        strcmp(answer_header(a, "Nats-Service-Error"), answer_text(a, "title")) != 0 ||
        !strstr(answer_text(a, "detail"), words))
        world_fail(w, "wanted %s %d \"%s\", got \"%s\" %s: %.900s", code, status, words,
                   answer_header(a, "Nats-Service-Error"),
                   answer_header(a, "Nats-Service-Error-Code"), answer_body(a, NULL));
}

static void refused(struct world *w, const char *tenant, const char *key, const char *words)
{
    struct answer a = submit(w, tenant, key);

    must_be(w, &a, "queue_full", 429, words);
    WORLD_MUST(w, answer_number(&a, "retry_after_ms") > 0);
    WORLD_MUST(w, json_is_null(json_object_get(a.json, "run_id")));
    answer_deinit(&a);
}

/* Whatever is asked of it by its key. */
static void must_not_be_there(struct world *w, const char *tenant, const char *key)
{
    static const char *const VERBS[] = {"get", "wait", "cancel", NULL};
    char subject[96], body[96];

    snprintf(body, sizeof(body), "{\"key\":\"%s\"}", key);
    for (size_t n = 0; VERBS[n]; n++) {
        snprintf(subject, sizeof(subject), "sluice.api.%s.%s", VERBS[n], tenant);
        struct answer a = client_ask_text(w->client, subject, body);
        must_be(w, &a, "not_found", 404, "");
        answer_deinit(&a);
    }
}

static bool has_ended(struct world *w, const char *tenant, const char *run)
{
    return client_status_is(w->client, tenant, run, "done");
}

static int64_t results_of(struct world *w, const char *tenant)
{
    char filter[96];

    snprintf(filter, sizeof(filter), "sluice.result.%s.>", tenant);
    return client_count_of(w->client, "SLUICE_RESULTS", filter);
}

/* Nobody of them waits or has a job any more. */
static bool settled(struct world *w, const char *tenant)
{
    char tickets[96], again[96], jobs[96];

    snprintf(tickets, sizeof(tickets), "sluice.pending.*.*.%s", tenant);
    snprintf(again, sizeof(again), "sluice.pending.*.again.%s.*", tenant);
    snprintf(jobs, sizeof(jobs), "sluice.jobs.%s.>", tenant);
    return client_count_of(w->client, "SLUICE_PENDING", tickets) == 0 &&
           client_count_of(w->client, "SLUICE_PENDING", again) == 0 &&
           client_count_of(w->client, "SLUICE_JOBS", jobs) == 0;
}

/* ---- streams that are full ------------------------------------------------------------------- */

static json_t *ask_server(struct world *w, const char *what, const char *stream,
                          const char *body)
{
    char subject[96];

    snprintf(subject, sizeof(subject), "$JS.API.STREAM.%s.%s", what, stream);
    struct answer a = client_ask_text(w->client, subject, body);
    json_t *config  = json_incref((json_t *)json_path(a.json, "config"));
    if (!config)
        world_fail(w, "%s of %s: %s", what, stream, answer_body(&a, NULL));
    answer_deinit(&a);
    return config;
}

/* Returns what it was.  As JSON, since all that the stream has besides must stay. */
static int64_t limit(struct world *w, const char *stream, int64_t max_msgs)
{
    json_t *config = ask_server(w, "INFO", stream, "");
    int64_t before = json_integer_value(json_object_get(config, "max_msgs"));

    json_object_set_new(config, "max_msgs", json_integer(max_msgs));
    char *text = json_dumps(config, JSON_COMPACT);
    json_decref(config);
    json_decref(ask_server(w, "UPDATE", stream, text));
    free(text);
    return before;
}

/* ---- tests ------------------------------------------------------------------------------------- */

static int group_up(void **state)
{
    struct world *w = world_new(state, "queue_full");

    world_start_all(w);
    return 0;
}

/* Nobody runs, so the queue fills at exactly what the tenant may have; but the scheduler's word of how many wait may be
   behind by what is on its way to it, and each word takes one more at least: 5 + 4 + 3 + 2 + 1. */
static void must_fill(struct world *w, unsigned n)
{
    if (n < QUEUE_MAX || n > QUEUE_MAX * (QUEUE_MAX + 1) / 2)
        world_fail(w, "%u runs were let into a queue of %u", n, QUEUE_MAX);
}

static unsigned fill(struct world *w, const char *tenant)
{
    char key[32];
    unsigned n = 0;
    bool taken = true;

    for (; taken && n < MANY; n++) {
        snprintf(key, sizeof(key), "q-%u", n);
        struct answer a = submit(w, tenant, key);
        taken           = is_accepted(&a);
        if (!taken)
            must_be(w, &a, "queue_full", 429, "at most 5 may (queue_max of tenant small)");
        answer_deinit(&a);
    }
    n -= !taken;
    must_fill(w, n);
    return n;
}

static void a_full_queue_refuses_and_keeps_nothing(void **state)
{
    struct world *w = *state;
    char key[32], runs[MANY][27], run[27];

    hold(w, "small", QUEUE_MAX);
    unsigned count = fill(w, "small");
    WORLD_WAIT(w, 10000,
               client_count_of(w->client, "SLUICE_PENDING", "sluice.pending.*.*.small") ==
                   count);
    for (unsigned n = 0; n < REFUSED; n++) {
        snprintf(key, sizeof(key), "no-%u", n);
        refused(w, "small", key, "at most 5 may (queue_max of tenant small)");
        must_not_be_there(w, "small", key);
    }
    assert_int_equal(client_count_of(w->client, "SLUICE_JOURNAL", "sluice.journal.small.>"),
                     count);
    /* What was accepted is not refused by a repeat: its first answer may have been lost. */
    for (unsigned n = 0; n < count; n++) {
        snprintf(key, sizeof(key), "q-%u", n);
        accept(w, "small", key, false, runs[n]);
    }

    let_go(w, "small");
    for (unsigned n = 0; n < count; n++)
        WORLD_WAIT(w, END_MS, has_ended(w, "small", runs[n]));
    WORLD_WAIT(w, END_MS, results_of(w, "small") == count); /* a result comes behind its END */
    must_not_be_there(w, "small", "no-0");
    for (unsigned n = 0; n < REFUSED; n++) {
        snprintf(key, sizeof(key), "no-%u", n);
        accept(w, "small", key, true, run);
        WORLD_WAIT(w, END_MS, has_ended(w, "small", run));
        accept(w, "small", key, false, run);
    }
    WORLD_WAIT(w, END_MS, results_of(w, "small") == count + REFUSED);
}

/* However many come before the first of them is stored. */
static void a_burst_fills_a_queue_no_further(void **state)
{
    struct world *w       = *state;
    natsSubscription *sub = NULL;
    natsInbox *inbox      = NULL;
    natsMsg *msg          = NULL;
    unsigned accepted     = 0;
    char body[200], key[32];

    hold(w, "burst", QUEUE_MAX);
    natsInbox_Create(&inbox);
    assert_int_equal(natsConnection_SubscribeSync(&sub, w->client->nc, inbox), NATS_OK);
    for (unsigned n = 0; n < BURST; n++) {
        snprintf(key, sizeof(key), "b-%u", n);
        snprintf(body, sizeof(body), BODY, key);
        assert_int_equal(natsConnection_PublishRequestString(
                             w->client->nc, "sluice.api.submit.burst", inbox, body),
                         NATS_OK);
    }
    for (unsigned n = 0; n < BURST; n++) {
        if (natsSubscription_NextMsg(&msg, sub, 20000) != NATS_OK)
            world_fail(w, "%u of %u submits were answered", n, BURST);
        accepted += memmem(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg),
                           "\"queue_full\"", 12) == NULL;
        natsMsg_Destroy(msg);
    }
    natsSubscription_Destroy(sub);
    natsInbox_Destroy(inbox);
    must_fill(w, accepted);

    let_go(w, "burst");
    WORLD_WAIT(w, END_MS, settled(w, "burst") && results_of(w, "burst") == accepted);
}

/* The entries of the journals of a tenant by kind, in the order of the stream: "PLAN REJECTED ". */
static void story(struct world *w, const char *tenant, const char *run, char *ret, size_t size)
{
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    char subject[96];
    size_t len = 0;

    ret[0] = '\0';
    snprintf(subject, sizeof(subject), "sluice.journal.%s.%s", tenant, run);
    for (size_t n = 0; n < journal->count; n++)
        if (strcmp(record_subject(&journal->items[n]), subject) == 0)
            len += (size_t)snprintf(ret + len, len < size ? size - len : 0, "%s ",
                                    record_header(&journal->items[n], "Sluice-Kind"));
    record_free(&journal);
}

/* The last entry of a tenant's that was stored at this moment. */
static void last_entry(struct world *w, const char *tenant, char kind[32], char run[27])
{
    char subject[96];
    const char *word = "";
    natsMsg *msg     = NULL;

    snprintf(subject, sizeof(subject), "sluice.journal.%s.>", tenant);
    if (js_GetLastMsg(&msg, w->client->js, "SLUICE_JOURNAL", subject, NULL, NULL) != NATS_OK)
        world_fail(w, "tenant %s has no journal", tenant);
    (void)natsMsgHeader_Get(msg, "Sluice-Kind", &word);
    snprintf(kind, 32, "%s", word);
    snprintf(run, 27, "%s", strrchr(natsMsg_GetSubject(msg), '.') + 1);
    natsMsg_Destroy(msg);
}

/* A new leader has all but the streams forgotten. */
static void change_leader(struct world *w)
{
    for (size_t n = 0; n < w->proc_count; n++) {
        struct proc *p  = w->procs[n];
        unsigned before = proc_said_times(p, "msg=deciding");
        if (strncmp(p->name, "scheduler", 9) != 0)
            continue;
        proc_kill(p);
        world_restart(w, p);
        WORLD_WAIT(w, 20000, proc_said_times(p, "msg=deciding") > before);
    }
}

static void a_full_stream_refuses_once_rejected_is_stored(void **state)
{
    struct world *w = *state;
    char key[32], kind[32], waits[27], ids[REFUSED][27], run[27], tale[400];

    hold(w, "streamy", 1000);
    accept(w, "streamy", "waits", true, waits);
    int64_t before = limit(w, "SLUICE_PENDING", client_count(w->client, "SLUICE_PENDING"));
    for (unsigned n = 0; n < REFUSED; n++) {
        snprintf(key, sizeof(key), "no-%u", n);
        refused(w, "streamy", key, "nothing of this request is left");
        last_entry(w, "streamy", kind, ids[n]);
        assert_string_equal(kind, "REJECTED");
        must_not_be_there(w, "streamy", key);
        story(w, "streamy", ids[n], tale, sizeof(tale));
        assert_string_equal(tale, "PLAN REJECTED ");
    }
    refused(w, "streamy", "no-0", "nothing of this request is left"); /* it may try again */
    story(w, "streamy", ids[0], tale, sizeof(tale));
    assert_string_equal(tale, "PLAN REJECTED PLAN REJECTED ");
    must_not_be_there(w, "streamy", "no-0");

    (void)limit(w, "SLUICE_PENDING", before);
    change_leader(w); /* reads every journal; what was refused is not for it */
    let_go(w, "streamy");
    WORLD_WAIT(w, END_MS, has_ended(w, "streamy", waits));
    WORLD_WAIT(w, END_MS, settled(w, "streamy"));
    assert_int_equal(results_of(w, "streamy"), 1);
    story(w, "streamy", ids[1], tale, sizeof(tale));
    assert_string_equal(tale, "PLAN REJECTED ");

    accept(w, "streamy", "no-0", true, run);
    assert_string_equal(run, ids[0]);
    WORLD_WAIT(w, END_MS, has_ended(w, "streamy", run));
    accept(w, "streamy", "no-0", false, run);
    WORLD_WAIT(w, END_MS, settled(w, "streamy"));
    assert_int_equal(results_of(w, "streamy"), 2);
    story(w, "streamy", run, tale, sizeof(tale));
    if (strncmp(tale, "PLAN REJECTED PLAN REJECTED PLAN LEASED ", 40) != 0 ||
        strstr(strstr(tale, "END ") + 4, "END "))
        world_fail(w, "the journal of what was refused twice and then taken: %s", tale);
}

/* The journal takes the PLAN and no more: whether it runs is not known, and "queue_full" would be a lie. */
static void without_rejected_nobody_says_queue_full(void **state)
{
    struct world *w = *state;
    char run[27], again[27], kind[32];

    hold(w, "honest", 1000);
    accept(w, "honest", "waits", true, run);
    int64_t pending = limit(w, "SLUICE_PENDING", client_count(w->client, "SLUICE_PENDING"));
    int64_t journal = limit(w, "SLUICE_JOURNAL", client_count(w->client, "SLUICE_JOURNAL") + 1);
    struct answer a = submit(w, "honest", "perhaps");
    must_be(w, &a, "unavailable", 503, "may still run: repeat with the same key");
    WORLD_MUST(w, answer_number(&a, "retry_after_ms") > 0);
    answer_deinit(&a);
    last_entry(w, "honest", kind, run);
    assert_string_equal(kind, "PLAN");

    (void)limit(w, "SLUICE_JOURNAL", journal);
    (void)limit(w, "SLUICE_PENDING", pending);
    let_go(w, "honest");
    WORLD_WAIT(w, END_MS, has_ended(w, "honest", run)); /* nobody has repeated it */
    accept(w, "honest", "perhaps", false, again);
    assert_string_equal(run, again);
}

/* ---- the same key twice at once, at two gateways ------------------------------------------------- */

struct pair {
    bool accepted;
    unsigned answers;
    char run[27];
};

static void send_pairs(struct world *w, const char *inbox)
{
    char reply[96], body[200], key[32];

    for (unsigned n = 0; n < 2 * PAIRS; n++) {
        snprintf(reply, sizeof(reply), "%s.%u", inbox, n / 2);
        snprintf(key, sizeof(key), "pair-%u", n / 2);
        snprintf(body, sizeof(body), BODY, key);
        assert_int_equal(natsConnection_PublishRequestString(
                             w->client->nc, "sluice.api.submit.twice", reply, body),
                         NATS_OK);
    }
}

static void hear_pairs(struct world *w, natsSubscription *sub, struct pair *pairs)
{
    for (unsigned n = 0; n < 2 * PAIRS; n++) {
        natsMsg *msg = NULL;
        if (natsSubscription_NextMsg(&msg, sub, 20000) != NATS_OK)
            world_fail(w, "%u of %u submits were answered", n, 2 * PAIRS);
        unsigned at = (unsigned)atoi(strrchr(natsMsg_GetSubject(msg), '.') + 1);
        json_t *doc =
            json_loadb(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0, NULL);
        const char *c = json_string_value(json_object_get(doc, "code"));
        WORLD_MUST(w, at < PAIRS && (!c || strcmp(c, "queue_full") == 0));
        pairs[at].answers++;
        if (!c) {
            pairs[at].accepted = true;
            snprintf(pairs[at].run, sizeof(pairs[at].run), "%s",
                     json_string_value(json_object_get(doc, "run_id")));
        }
        json_decref(doc);
        natsMsg_Destroy(msg);
    }
}

/* A gateway answers "unavailable" until it has read the buckets, and nobody says which of two was asked. */
static void second_gateway(struct world *w)
{
    enum { IN_A_ROW = 24 };
    unsigned good = 0;

    (void)world_start(w, "gateway");
    WORLD_WAIT(w, 20000, (good = gateway_knows(w, "twice") ? good + 1 : 0) == IN_A_ROW);
}

static void of_two_alike_both_answers_hold(void **state)
{
    struct world *w          = *state;
    struct pair pairs[PAIRS] = {{0}};
    natsSubscription *sub    = NULL;
    natsInbox *inbox         = NULL;
    unsigned accepted        = 0;
    char subject[96], key[32], run[27];

    hold(w, "twice", 1000);
    second_gateway(w);
    accept(w, "twice", "waits", true, run);
    int64_t before = limit(w, "SLUICE_PENDING", client_count(w->client, "SLUICE_PENDING"));
    natsInbox_Create(&inbox);
    snprintf(subject, sizeof(subject), "%s.*", inbox);
    assert_int_equal(natsConnection_SubscribeSync(&sub, w->client->nc, subject), NATS_OK);
    send_pairs(w, inbox);
    hear_pairs(w, sub, pairs);
    natsSubscription_Destroy(sub);
    natsInbox_Destroy(inbox);

    (void)limit(w, "SLUICE_PENDING", before);
    let_go(w, "twice");
    WORLD_WAIT(w, END_MS, has_ended(w, "twice", run));
    for (unsigned n = 0; n < PAIRS; n++) {
        snprintf(key, sizeof(key), "pair-%u", n);
        assert_int_equal(pairs[n].answers, 2);
        if (pairs[n].accepted)
            WORLD_WAIT(w, END_MS, has_ended(w, "twice", pairs[n].run));
        else
            must_not_be_there(w, "twice", key);
        accepted += pairs[n].accepted;
    }
    print_message("twice: %u of %u keys were accepted by one of two\n", accepted, PAIRS);
    WORLD_WAIT(w, END_MS, settled(w, "twice"));
    assert_int_equal(results_of(w, "twice"), accepted + 1);
}

static void everything_ended_once(void **state)
{
    struct world *w = *state;

    judge_all(w, NULL, END_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_refuses_and_keeps_nothing),
        cmocka_unit_test(a_burst_fills_a_queue_no_further),
        cmocka_unit_test(a_full_stream_refuses_once_rejected_is_stored),
        cmocka_unit_test(without_rejected_nobody_says_queue_full),
        cmocka_unit_test(of_two_alike_both_answers_hold),
        cmocka_unit_test(everything_ended_once),
    };
    return cmocka_run_group_tests_name("queue_full", tests, group_up, world_teardown);
}
