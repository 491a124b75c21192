/*
 * gw_rig - one gateway on a bus without a wire, and a client that asks it: what is answered when an append fares badly, when a
 * bucket goes.
 *
 * Included once, by a test's only file: it defines the clocks and the random numbers of the program.
 */
#ifndef TESTS_GW_RIG_H
#define TESTS_GW_RIG_H

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
#include "gw.h"
#include "support/fake/fake.h"
#include "support/fake/fake_clk.h"
#include "wire/subject.h"
#include "wire/wire_stream.h"

#define RIG_UNUSED __attribute__((unused))
#define TENANT "acme"

enum { RIG_OPEN_MS = 5000, RIG_ANSWER_MS = 30000 };

struct rig {
    struct gw_config config;
    struct svc *svc;
    struct gw *gw;
    struct bus *client;
    struct bus_sub *answers;
    char answer[4096]; /* to the last question; "" none yet */
};

static void rig_log(void *self, enum log_level level, const char *message, const char *line)
{
    (void)self, (void)message, (void)level;
    if (getenv("RIG_LOG"))
        fprintf(stderr, "%8llu %s\n", (unsigned long long)(fake_now() - 1000000), line);
}

static void rig_on_answer(void *self, struct bus_msg **msg)
{
    struct rig *r = self;

    str_copy_n(r->answer, sizeof(r->answer), (const char *)(*msg)->body.at, (*msg)->body.len);
}

/* ---- the client ------------------------------------------------------------------------------------ */

static RIG_UNUSED void rig_submit(struct rig *r, const char *body)
{
    char subject[SUBJECT_SIZE];

    r->answer[0] = '\0';
    assert_true(bus_send_from(
        r->client,
        &(struct bus_out){subject_api(subject, "submit", TENANT), bytes_str(body), NULL, 0},
        "answer"));
}

static RIG_UNUSED const char *rig_answer(struct rig *r)
{
    for (uint64_t end = fake_now() + RIG_ANSWER_MS; !r->answer[0]; fake_advance(20))
        if (fake_now() >= end)
            fail_msg("no answer");
    return r->answer;
}

static RIG_UNUSED bool rig_says(struct rig *r, const char *words)
{
    return strstr(rig_answer(r), words) != NULL;
}

static RIG_UNUSED void rig_put(const char *bucket, const char *key, const char *value)
{
    char subject[SUBJECT_SIZE];

    str_format(subject, sizeof(subject), "$KV.%s.%s", bucket, key);
    (void)fake_store(subject, bytes_str(value));
    fake_settle();
}

/* As an operator's `nats kv del`. */
static RIG_UNUSED void rig_remove(struct rig *r, const char *bucket, const char *key)
{
    const struct bus_header gone = {"KV-Operation", "DEL"};
    char subject[SUBJECT_SIZE];

    str_format(subject, sizeof(subject), "$KV.%s.%s", bucket, key);
    assert_true(bus_send(r->client, &(struct bus_out){subject, bytes_of(NULL, 0), &gone, 1}));
    fake_settle();
}

/* ---- up and down ----------------------------------------------------------------------------------- */

static RIG_UNUSED int rig_up_with(void **state, const char *tenants)
{
    static char name[] = "test";
    static struct rig rig;
    static struct svc_about about = {
        .name = "sluice-gateway", .keys = gw_config_keys, .config = &rig.config};
    char *argv[]  = {name, NULL};
    struct rig *r = &rig;

    *r = (struct rig){.svc = NULL};
    setenv("SLUICE_HTTP", "off", 1);
    setenv("SLUICE_TENANTS", tenants, 1);
    fake_begin();
    log_sink(rig_log, NULL);
    assert_false(failed(bus_open(&r->client, NULL, &(struct bus_config){.name = "client"})));
    fake_spare(r->client);
    assert_false(
        failed(bus_subscribe(r->client, "answer", NULL, rig_on_answer, r, &r->answers)));
    r->svc = svc_new(&about, 1, argv);
    log_sink(rig_log, NULL);
    r->gw = gw_new(r->svc, &r->config);
    svc_on_ready(r->svc, gw_ready, r->gw);
    for (uint64_t end = fake_now() + RIG_OPEN_MS; !r->gw->open; fake_advance(20))
        assert_true(fake_now() < end);
    *state = r;
    return 0;
}

static RIG_UNUSED int rig_up(void **state)
{
    return rig_up_with(state, "open");
}

static RIG_UNUSED int rig_up_listed(void **state)
{
    return rig_up_with(state, "listed");
}

static RIG_UNUSED int rig_down(void **state)
{
    struct rig *r = *state;

    gw_stop(r->gw);
    svc_free(&r->svc);
    gw_free(&r->gw);
    bus_unsubscribe(&r->answers);
    bus_free(&r->client);
    fake_end();
    return 0;
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)
#define WITH_LISTED(test) cmocka_unit_test_setup_teardown(test, rig_up_listed, rig_down)

#endif
