/* upstream_faults - each way in which an upstream fails, for each effect: the end that docs/flows.md names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/record.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

/* What a fault that is played once comes to, and one that is played each time. */
struct scene {
    const char *fault;
    const char *once, *always; /* read, idempotent: done after a retry; failed */
    const char *unsafe;        /* "indeterminate", unless nothing can have happened */
    bool acts;                 /* the order is placed over there */
};

static const struct scene SCENES[] = {
    {"500_before", "done", "failed", "indeterminate", false},
    {"500_after", "done", "failed", "indeterminate", true},
    {"503_before", "done", "failed", "indeterminate", false},
    {"hang", "done", "failed", "indeterminate", false},
    {"reset_before", "done", "failed", "indeterminate", false},
    {"reset_after", "done", "failed", "indeterminate", true},
    {"garbage", "done", "failed", "indeterminate", true},
    {"truncated", "done", "failed", "indeterminate", true},
    {"endless", "done", "failed", "indeterminate", true},
    {"session_lost", "done", "failed", "indeterminate", false},
    {"400", "failed", "failed", "failed", false},
};

enum {
    SCENES_COUNT = sizeof(SCENES) / sizeof(*SCENES),
    KINDS        = 4,
    RUNS         = SCENES_COUNT * KINDS
};

struct run {
    char id[27], key[64];
    const char *wanted;
};

static const char RETRY[] =
    "\"retry\":{\"tries\":2,\"wait\":\"100ms\",\"max_wait\":\"200ms\"},";
static const char *const EFFECTS[KINDS] = {"read", "idempotent", "read", "unsafe"};

/* The third kind meets the fault each time; the first two only once. */
static void submit(struct world *w, const struct scene *s, unsigned kind, struct run *ret)
{
    char body[1024];
    bool unsafe = kind == 3;

    snprintf(ret->key, sizeof(ret->key), "%s-%u", s->fault, kind);
    ret->wanted = unsafe ? s->unsafe : kind == 2 ? s->always : s->once;
    /* A read places nothing; what may be repeated says so by having no order. */
    snprintf(
        body, sizeof(body),
        "{\"flow\":{\"upstream\":\"sim\",\"steps\":["
        "{\"id\":\"open\",\"timeout\":\"10s\",\"restart\":true,\"open\":{\"url\":\"https://"
        "shop.example/\"}},"
        "{\"id\":\"do\",\"effect\":\"%s\",\"timeout\":\"3s\",%s\"browse\":{\"cmd\":\"%s "
        "sim:fault=%s%s %s%s\"}},"
        "{\"id\":\"close\",\"close\":{}}]},\"key\":\"%s\"}",
        EFFECTS[kind], unsafe ? "" : RETRY, ret->key, s->fault, unsafe || kind == 2 ? "" : "*1",
        unsafe ? "sim:order=" : "", unsafe ? ret->key : "", ret->key);
    client_submit(w->client, "acme", body, ret->id);
}

/* A person must look, and is told what the upstream said, in the call log as everywhere. */
static void judge_words(struct world *w, const struct record *journal, const struct run *run,
                        const struct scene *s)
{
    const struct record_item *heard = record_entry(journal, run->id, "OUTCOME", 1);
    bool answered                   = *s->fault == '5';

    if (!heard || strcmp(record_header(heard, "Sluice-Result"), "indeterminate") != 0 ||
        strcmp(record_header(heard, "Sluice-Endpoint"), "/web/browse") != 0 ||
        strcmp(record_header(heard, "Sluice-Upstream"), "sim") != 0 ||
        (answered && strncmp(record_header(heard, "Sluice-Status"), s->fault, 3) != 0)) {
        record_print(journal, run->id);
        world_fail(w, "%s: the journal does not say what came of the call", run->key);
    }
    struct answer a = client_ask_text(w->client, "sluice.api.get.acme", run->id);
    if (!*answer_text(&a, "error.detail") ||
        strstr(answer_text(&a, "error.detail"), "its worker was lost"))
        world_fail(w, "%s: \"%s\" does not say what came of the call", run->key,
                   answer_text(&a, "error.detail"));
    answer_deinit(&a);
}

static void judge_run(struct world *w, const struct record *journal,
                      const struct upstream_record *r, const struct run *run,
                      const struct scene *s, bool unsafe)
{
    const struct record_item *end    = record_entry(journal, run->id, "END", 0);
    const struct upstream_act *order = upstream_order(r, run->key);
    const char *status               = end ? record_header(end, "Sluice-Result") : "no end";

    if (strcmp(status, run->wanted) != 0) {
        record_print(journal, run->id);
        world_fail(w, "%s: %s, not %s (%s)", run->key, status, run->wanted,
                   end ? record_header(end, "Sluice-Code") : "");
    }
    if (unsafe && (order != NULL) != s->acts)
        world_fail(w, "%s: the order was %splaced", run->key, order ? "" : "not ");
    if (unsafe && strcmp(status, "indeterminate") == 0)
        judge_words(w, journal, run, s);
}

static void each_ends_as_written(void **state)
{
    static struct run runs[SCENES_COUNT][KINDS];
    struct world *w                     = upstream_world_new(state, "upstream_faults");
    const struct upstream_limits limits = {.in_flight = 40, .sessions = 60};

    world_env(w, "SLUICE_LEASE", "20s"); /* nobody dies here */
    upstream_world_start(w, 2);
    struct upstream *sim = upstream_start(w, "sim", NULL);

    /* Few at a time, so that there is never a row of failures without an `open` between: that would close the upstream. */
    client_put(w->client, "sluice_tenants", "acme", "{\"tier\":\"scale\",\"cap\":6}");
    upstream_put(
        sim, "\"in_flight\":40,\"sessions\":60,\"timeout\":\"10s\",\"session_idle\":\"20s\"");
    for (size_t n = 0; n < SCENES_COUNT; n++)
        for (unsigned kind = 0; kind < KINDS; kind++)
            submit(w, &SCENES[n], kind, &runs[n][kind]);

    judge_all(w, NULL, 100000);
    upstream_judge(sim, &limits, 30000);
    struct record *journal    = record_read(w, "SLUICE_JOURNAL");
    struct upstream_record *r = upstream_read(sim);
    for (size_t n = 0; n < SCENES_COUNT; n++)
        for (unsigned kind = 0; kind < KINDS; kind++)
            judge_run(w, journal, r, &runs[n][kind], &SCENES[n], kind == 3);
    upstream_record_free(&r);
    record_free(&journal);
    upstream_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_ends_as_written, world_teardown),
    };
    return cmocka_run_group_tests_name("upstream_faults", tests, NULL, NULL);
}
