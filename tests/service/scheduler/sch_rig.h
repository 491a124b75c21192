/*
 * sch_rig - one scheduler on a bus without a wire, with workers that only speak: what the shell around the pure parts
 * does when answers do not come, leadership goes, deliveries are lost.
 *
 * Included once, by a test's only file: it defines the clocks and the random numbers of the program.
 */
#ifndef TESTS_SCH_RIG_H
#define TESTS_SCH_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "sch.h"
#include "sch_on.h"
#include "support/fake/fake.h"
#include "support/fake/fake_clk.h"
#include "wire/subject.h"
#include "wire/wire_journal.h"
#include "wire/wire_stream.h"

#define RIG_UNUSED __attribute__((unused))
#define TENANT "acme"

enum { RIG_TAKE_MS = 15000 };

struct rig {
    struct sch_config config;
    struct svc *svc;
    struct sch *sch;
    struct bus *client;
    uint32_t slots;    /* of the one worker; 0: there is none */
    uint64_t speak_at; /* its next word */
};

static void rig_log(void *self, enum log_level level, const char *message, const char *line)
{
    (void)self, (void)message, (void)level;
    if (getenv("RIG_LOG"))
        fprintf(stderr, "%8llu %s\n", (unsigned long long)(fake_now() - 1000000), line);
}

/* ---- what others say ---------------------------------------------------------------------------- */

static RIG_UNUSED void rig_speak(struct rig *r)
{
    struct worker_status s = {.worker = "w-1", .pool = "default", .slots = r->slots};
    struct buf body;

    buf_init(&body, 1024);
    wire_write_worker_status(&s, &body);
    assert_true(bus_send(r->client, &(struct bus_out){.subject = "sluice.worker.w-1.status",
                                                      .body    = buf_bytes(&body)}));
    buf_deinit(&body);
}

static RIG_UNUSED const char *rig_run(unsigned n)
{
    static char run[ID_SIZE];

    str_format(run, sizeof(run), "01KAJ4T0Q8ZP9F4T4W6V2N%04u", n);
    return run;
}

/* A ticket of the n-th run; the fields beside run and tenant as given. */
static RIG_UNUSED void rig_ticket(unsigned n, struct ticket t)
{
    char subject[SUBJECT_SIZE];
    struct buf body;

    str_copy(t.run, sizeof(t.run), rig_run(n));
    str_copy(t.tenant, sizeof(t.tenant), TENANT);
    str_copy(t.pool, sizeof(t.pool), t.pool[0] ? t.pool : "default");
    t.wake = t.wake ? t.wake : 1;
    buf_init(&body, 4096);
    wire_write_ticket(&t, &body);
    (void)fake_store(subject_pending(subject, 0, lane_word(t.lane), TENANT), buf_bytes(&body));
    buf_deinit(&body);
}

/* An entry in the n-th run's journal; quiet: without the headers, so that who only follows learns nothing. */
static RIG_UNUSED void rig_entry(struct rig *r, unsigned n, struct entry e, bool quiet)
{
    struct arena *arena = arena_new();
    struct entry_header headers[ENTRY_HEADERS_MAX];
    struct bus_header out[ENTRY_HEADERS_MAX];
    char subject[SUBJECT_SIZE];
    struct buf body;

    buf_init(&body, ENTRY_BODY_MAX);
    assert_false(failed(wire_write_entry(&e, &body)));
    size_t count = quiet ? 0 : wire_entry_headers(&e, arena, headers);
    for (size_t i = 0; i < count; i++)
        out[i] = (struct bus_header){headers[i].name, headers[i].value};
    assert_true(
        bus_send(r->client, &(struct bus_out){subject_journal(subject, TENANT, rig_run(n)),
                                              buf_bytes(&body), out, count}));
    buf_deinit(&body);
    arena_free(&arena);
}

static RIG_UNUSED void rig_plan(struct rig *r, unsigned n, struct entry_plan plan)
{
    plan.tenant    = TENANT;
    plan.run       = rig_run(n);
    plan.flow_name = "f";
    plan.flow      = bytes_str("{\"steps\":[{\"id\":\"a\",\"set\":{}}]}");
    plan.lane      = "standard";
    rig_entry(r, n, (struct entry){.kind = ENTRY_PLAN, .plan = plan}, false);
}

/* How many of the run's entries are of that kind. */
static RIG_UNUSED unsigned rig_entries(unsigned n, enum entry_kind kind)
{
    struct arena *arena = arena_new();
    char subject[SUBJECT_SIZE];
    struct fake_stored m;
    unsigned count = 0;

    (void)subject_journal(subject, TENANT, rig_run(n));
    for (size_t i = 0; fake_stored(STREAM_JOURNAL, subject, i, &m); i++) {
        struct entry e;
        count += !failed(wire_read_entry(&e, m.body, arena)) && e.kind == kind;
    }
    arena_free(&arena);
    return count;
}

/* ---- time ----------------------------------------------------------------------------------------- */

static RIG_UNUSED void rig_pass(struct rig *r, uint64_t ms)
{
    for (uint64_t end = fake_now() + ms; fake_now() < end;) {
        if (r->slots > 0 && fake_now() >= r->speak_at) {
            rig_speak(r);
            r->speak_at = fake_now() + 1000;
        }
        fake_advance(end - fake_now() < 100 ? end - fake_now() : 100);
    }
}

/* Until it is so; false: it never was. */
#define RIG_WAIT(r, ms, condition) \
    do { \
        for (uint64_t end_ = fake_now() + (ms); !(condition); rig_pass((r), 20)) \
            if (fake_now() >= end_) \
                fail_msg("not within %d ms: %s", (int)(ms), #condition); \
    } while (0)

static RIG_UNUSED size_t rig_jobs(void)
{
    return fake_stored_count(STREAM_JOBS, ">");
}

/* Its worker is silent for so long that it does not count. */
static RIG_UNUSED void rig_worker_dies(struct rig *r)
{
    r->slots = 0;
    rig_pass(r, SCH_WORD_MS + 1000);
}

/* What it has heard of the worker. */
static RIG_UNUSED uint32_t rig_slots(const struct rig *r)
{
    const struct sch_pool *pool = sch_pool_find(&r->sch->pools, "default");

    return pool ? pool->room.slots : 0;
}

/* ---- up and down ---------------------------------------------------------------------------------- */

static RIG_UNUSED int rig_up(void **state)
{
    static char name[]            = "test";
    static struct rig rig         = {.slots = 0};
    static struct svc_about about = {.name   = "sluice-scheduler",
                                     .keys   = sch_config_keys,
                                     .config = &rig.config,
                                     .check  = sch_config_check};
    char *argv[]                  = {name, NULL};
    struct rig *r                 = &rig;

    *r = (struct rig){.slots = 10};
    setenv("SLUICE_HTTP", "off", 1);
    fake_begin();
    log_sink(rig_log, NULL);
    assert_false(failed(bus_open(&r->client, NULL, &(struct bus_config){.name = "client"})));
    fake_spare(r->client);
    r->svc = svc_new(&about, 1, argv);
    log_sink(rig_log, NULL);
    r->sch = sch_new(r->svc, &r->config);
    svc_serve(r->svc, sch_on_routes, r->sch);
    svc_tick(r->svc, sch_tick, r->sch);
    RIG_WAIT(r, RIG_TAKE_MS, r->sch->role == ROLE_DECIDING);
    (void)fake_store("$KV.sluice_tenants." TENANT, bytes_str("{\"cap\":10}"));
    RIG_WAIT(r, RIG_TAKE_MS, rig_slots(r) == r->slots);
    *state = r;
    return 0;
}

static RIG_UNUSED int rig_down(void **state)
{
    struct rig *r = *state;

    sch_free(&r->sch);
    svc_free(&r->svc);
    bus_free(&r->client);
    fake_end();
    return 0;
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)

#endif
