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
#include "base/str.h"
#include "lim.h"
#include "support/fake/fake.h"
#include "support/fake/fake_clk.h"
#include "wire/subject.h"

/*
 * Two whole limiters over a bus in memory, and a client: whatever happens to an answer on the way, a
 * request is answered by one at most once a time it was sent, and what the log says is what was told.
 */

enum { LIMITERS = 2, UP_MS = 4000, OVER_MS = 40000, ASKS = 12, IN_FLIGHT = 3 };

struct world {
    struct bus *client;
    struct bus_sub *sub;
    struct svc *svc[LIMITERS];
    struct lim *lim[LIMITERS];
    char answer[ASKS + 2][2048];
    unsigned answers[ASKS + 2];
};
static struct world world;

static void no_log(void *self, enum log_level level, const char *message, const char *line)
{
    (void)self, (void)level, (void)message;
    if (getenv("WORLD_LOG"))
        fprintf(stderr, "%8llu %s\n", (unsigned long long)fake_now(), line);
}

static void on_answer(void *self, struct bus_msg **msg)
{
    unsigned n = 0;

    (void)self;
    assert_int_equal(sscanf((*msg)->subject, "_TEST.%u", &n), 1);
    world.answers[n]++;
    str_copy_n(world.answer[n], sizeof(world.answer[n]), (const char *)(*msg)->body.at,
               (*msg)->body.len);
}

static void say(unsigned n, const char *subject, const char *body)
{
    char reply[32];
    const struct bus_out out = {.subject = subject, .body = bytes_str(body)};

    str_format(reply, sizeof(reply), "_TEST.%u", n);
    assert_true(bus_send_from(world.client, &out, reply));
}

static void put(const char *value)
{
    (void)fake_store("$KV.sluice_upstreams.up", bytes_str(value));
}

static void limiter_up(unsigned n)
{
    static char name[] = "test";
    char *argv[]       = {name, NULL};
    static struct lim_config config[LIMITERS];
    static struct svc_about about[LIMITERS];

    about[n]     = (struct svc_about){.name   = "sluice-limiter",
                                      .keys   = lim_config_keys,
                                      .config = &config[n],
                                      .check  = lim_config_check};
    world.svc[n] = svc_new(&about[n], 1, argv);
    log_sink(no_log, NULL);
    world.lim[n] = lim_new(world.svc[n], &config[n]);
    svc_serve(world.svc[n], lim_on, world.lim[n]);
    svc_tick(world.svc[n], lim_tick, world.lim[n]);
}

static void limiter_down(unsigned n)
{
    if (!world.lim[n])
        return;
    lim_stop(world.lim[n]);
    svc_free(&world.svc[n]);
    lim_free(&world.lim[n]);
}

static void world_up(void)
{
    const struct bus_config client = {.name = "client"};

    memset(&world, 0, sizeof(world));
    fake_begin();
    log_sink(no_log, NULL);
    must(!failed(bus_open(&world.client, NULL, &client)));
    fake_spare(world.client);
    must(!failed(bus_subscribe(world.client, "_TEST.>", NULL, on_answer, NULL, &world.sub)));
    for (unsigned n = 0; n < LIMITERS; n++)
        limiter_up(n);
    fake_advance(UP_MS);
    put("{\"driver\":\"agent\",\"url\":\"http://127.0.0.1:1\",\"in_flight\":3}");
    fake_advance(UP_MS);
}

static void world_down(void)
{
    for (unsigned n = 0; n < LIMITERS; n++)
        limiter_down(n);
    bus_unsubscribe(&world.sub);
    assert_int_equal(fake_ops(NULL), 0);
    bus_free(&world.client);
    fake_end();
}

static void id_of(unsigned n, char at[ID_SIZE])
{
    str_format(at, ID_SIZE, "01KAJ4T0Q8ZP9F4T%010u", n);
}

/* Until it is answered, as a client does: the same again each second. */
static void ask_until_answered(unsigned n, const char *subject, const char *body)
{
    unsigned before = world.answers[n];

    for (uint64_t end = fake_now() + OVER_MS; fake_now() < end;) {
        say(n, subject, body);
        for (int wait = 0; wait < 50; wait++) {
            fake_advance(20);
            if (world.answers[n] > before)
                return;
        }
    }
    fail_msg("%s was not answered: %s", subject, fake_hurt_what());
}

static bool says(unsigned n, const char *part)
{
    return strstr(world.answer[n], part) != NULL;
}

static void permit(unsigned n)
{
    char body[160], id[ID_SIZE];

    id_of(n, id);
    str_format(body, sizeof(body), "{\"id\":\"%s\",\"wait_ms\":900,\"lifetime_ms\":600000}",
               id);
    ask_until_answered(n, "sluice.permit.up", body);
}

static void give_back(unsigned n)
{
    char body[160], id[ID_SIZE];

    id_of(n, id);
    str_format(body, sizeof(body), "{\"return\":\"%s\",\"status\":200}", id);
    ask_until_answered(n, "sluice.permit.up", body);
    assert_true(says(n, "\"returned\":true"));
}

/* What is out, by the log: never more than the limit; who was told of a grant is in it. */
static size_t out_by_log(bool ret_held[ASKS])
{
    size_t now = 0;

    memset(ret_held, 0, ASKS * sizeof(*ret_held));
    for (size_t n = 0; n < fake_stored_count(STREAM_GRANTS, "sluice.grants.0"); n++) {
        struct arena *arena = arena_new();
        struct fake_stored stored;
        struct grant_batch b;

        assert_true(fake_stored(STREAM_GRANTS, "sluice.grants.0", n, &stored));
        assert_false(failed(wire_read_grant_batch(&b, stored.body, arena)));
        for (size_t i = 0; i < b.count; i++) {
            const struct grant_record *r = &b.records[i];
            size_t id                    = r->id[0] ? strtoul(r->id + 16, NULL, 10) : ASKS;

            if (id >= ASKS)
                continue;
            if (r->op == GRANT_GRANT && !ret_held[id]) {
                ret_held[id] = true;
                now++;
            } else if (r->op == GRANT_RETURN && ret_held[id]) {
                ret_held[id] = false;
                now--;
            }
            assert_true(now <= IN_FLIGHT);
        }
        arena_free(&arena);
    }
    return now;
}

/* Permits taken, refused and returned, an operator's change, and a leader that goes. */
static unsigned scenario(struct fake_hurt hurt)
{
    bool held[ASKS];

    world_up();
    fake_count(hurt);
    for (unsigned n = 0; n < IN_FLIGHT; n++) {
        permit(n);
        assert_true(says(n, "\"granted\":true"));
    }
    permit(3);
    assert_true(says(3, "\"granted\":false") && says(3, "upstream_in_flight"));
    give_back(1);
    permit(4);
    assert_true(says(4, "\"granted\":true"));
    do
        ask_until_answered(ASKS, "sluice.admin.upstream.up", "{\"timeout\":\"7s\"}");
    while (says(ASKS, "\"code\":\"unavailable\"")); /* then an operator tries again */
    if (!says(ASKS, "\"in_flight\":{\"limit\":3,\"used\":3}"))
        fail_msg("%s", world.answer[ASKS]);
    limiter_down(0);
    limiter_up(0);
    permit(5);
    assert_true(says(5, "\"granted\":false"));
    give_back(0);
    permit(6);
    assert_true(says(6, "\"granted\":true"));
    assert_int_equal(out_by_log(held), 3);
    assert_true(held[2] && held[4] && held[6]);

    struct fake_stored value;
    size_t count     = fake_stored_count("KV_sluice_upstreams", "$KV.sluice_upstreams.up");
    unsigned counted = fake_counted();

    assert_true(
        fake_stored("KV_sluice_upstreams", "$KV.sluice_upstreams.up", count - 1, &value));
    assert_non_null(memmem(value.body.at, value.body.len, "\"timeout\":\"7s\"", 14));
    fake_count((struct fake_hurt){0});
    world_down();
    return counted;
}

static void however_an_answer_fares_the_log_is_what_was_told(void **state)
{
    unsigned count = scenario((struct fake_hurt){0});

    (void)state;
    for (size_t how = 0; FAKE_HURTS[how].name; how++)
        for (unsigned n = 1; n <= count; n++) {
            struct fake_hurt hurt = FAKE_HURTS[how];

            hurt.nth = n;
            scenario(hurt);
        }
    print_message("%u answers hurt in each way\n", count);
}

/* A return is said once: who takes over has heard it, though nobody led when it was said. */
static void what_was_returned_while_nobody_led_is_not_out(void **state)
{
    struct permit_report r = {.status = 200, .call_class = CALL_OK, .name = "up"};
    struct buf report;

    (void)state;
    world_up();
    permit(0);
    id_of(0, r.id);
    buf_init(&report, 4096);
    wire_write_permit_report(&r, &report);
    int leader                = world.lim[0]->deciding ? 0 : 1;
    const struct bus_out said = {.subject = "sluice.permit.up", .body = buf_bytes(&report)};

    fake_connect(svc_bus(world.svc[leader]), false); /* it hears nothing any more */
    fake_settle();
    assert_true(bus_send(world.client, &said));
    fake_settle();
    limiter_down((unsigned)leader);
    fake_advance(2 * UP_MS);
    ask_until_answered(ASKS, "sluice.admin.upstream.up", "");
    assert_true(says(ASKS, "\"in_flight\":{\"limit\":3,\"used\":0}"));
    buf_deinit(&report);
    world_down();
}

/* The same when who leads has heard it and is deposed before it is stored, and leads again. */
static void what_was_returned_and_not_stored_is_not_out(void **state)
{
    const struct grant_batch other = {.epoch = 999999, .at_ms = 1};
    struct permit_report r         = {.status = 200, .call_class = CALL_OK, .name = "up"};
    struct buf report, append;

    (void)state;
    world_up();
    permit(0);
    id_of(0, r.id);
    buf_init(&report, 4096);
    buf_init(&append, 4096);
    wire_write_permit_report(&r, &report);
    wire_write_grant_batch(&other, &append);
    unsigned leader           = world.lim[0]->deciding ? 0 : 1;
    const struct bus_out said = {.subject = "sluice.permit.up", .body = buf_bytes(&report)};

    limiter_down(1 - leader);
    (void)fake_store("sluice.grants.0", buf_bytes(&append));
    assert_true(bus_send(world.client, &said));
    fake_advance(2 * UP_MS);
    assert_int_equal(world.lim[leader]->metrics.limiter_deposed, 1);
    ask_until_answered(ASKS, "sluice.admin.upstream.up", "");
    assert_true(says(ASKS, "\"in_flight\":{\"limit\":3,\"used\":0}"));
    buf_deinit(&report);
    buf_deinit(&append);
    world_down();
}

/* ---- a value written by hand that is broken --------------------------------------------- */

static void stored_is(const char *key, const char *value)
{
    char subject[80], text[400];
    struct fake_stored m;

    str_format(subject, sizeof(subject), "$KV.sluice_upstreams.%s", key);
    size_t count = fake_stored_count("KV_sluice_upstreams", subject);
    assert_true(count > 0 && fake_stored("KV_sluice_upstreams", subject, count - 1, &m));
    str_copy_n(text, sizeof(text), (const char *)m.body.at, m.body.len);
    assert_string_equal(text, value);
}

static void a_pause_behind_a_broken_value_takes_no_limit_away(void **state)
{
    static const char *const BROKEN[] = {"{\"in_flight\":1,}",
                                         "{\"in_flight\":1,\"pausd\":true}", ""};

    (void)state;
    for (size_t n = 0; n < sizeof(BROKEN) / sizeof(*BROKEN); n++) {
        world_up();
        put(BROKEN[n]);
        fake_advance(UP_MS);
        ask_until_answered(ASKS, "sluice.admin.upstream.up", "{\"paused\":true}");
        if (!says(ASKS, "\"in_flight\":{\"limit\":3") || !says(ASKS, "\"paused\":true"))
            fail_msg("%s: %s", BROKEN[n], world.answer[ASKS]);
        stored_is("up", "{\"driver\":\"agent\",\"url\":\"http://127.0.0.1:1\",\"in_flight\":3,"
                        "\"paused\":true}");
        world_down();
    }
}

/* The broken value is read while those below it are still on their way to us: the last of them holds all the same. */
static void a_value_that_was_not_heard_of_yet_is_not_lost(void **state)
{
    char value[100];

    (void)state;
    world_up();
    for (int limit = 20; limit <= 60; limit++) {
        str_format(value, sizeof(value),
                   "{\"driver\":\"agent\",\"url\":\"http://127.0.0.1:1\",\"in_flight\":%d}",
                   limit);
        put(value);
    }
    put("{\"in_flight\":1,}");
    ask_until_answered(ASKS, "sluice.admin.upstream.up", "{\"paused\":true}");
    if (!says(ASKS, "\"in_flight\":{\"limit\":60"))
        fail_msg("%s", world.answer[ASKS]);
    world_down();
}

/* There is nothing that a part of a value could be a part of. */
static void where_no_value_was_good_a_part_of_one_is_refused(void **state)
{
    static const char BROKEN[] = "{\"in_flight\":1,}";

    (void)state;
    world_up();
    (void)fake_store("$KV.sluice_upstreams.odd", bytes_str(BROKEN));
    fake_advance(UP_MS);
    ask_until_answered(ASKS, "sluice.admin.upstream.odd", "{\"paused\":true}");
    if (!says(ASKS, "\"code\":\"not_found\"") || !says(ASKS, "is no JSON") ||
        !says(ASKS, "sluice upstream set odd --driver"))
        fail_msg("%s", world.answer[ASKS]);
    stored_is("odd", BROKEN);
    ask_until_answered(ASKS, "sluice.admin.upstream.odd",
                       "{\"driver\":\"agent\",\"url\":\"http://127.0.0.1:1\"}");
    stored_is("odd", "{\"driver\":\"agent\",\"url\":\"http://127.0.0.1:1\"}");
    world_down();
}

static int setup(void **state)
{
    (void)state;
    setenv("SLUICE_HTTP", "off", 1);
    setenv("LOG_LEVEL", getenv("WORLD_LOG") ? getenv("WORLD_LOG") : "error", 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_tell_chains();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(however_an_answer_fares_the_log_is_what_was_told),
        cmocka_unit_test(what_was_returned_while_nobody_led_is_not_out),
        cmocka_unit_test(what_was_returned_and_not_stored_is_not_out),
        cmocka_unit_test(a_pause_behind_a_broken_value_takes_no_limit_away),
        cmocka_unit_test(a_value_that_was_not_heard_of_yet_is_not_lost),
        cmocka_unit_test(where_no_value_was_good_a_part_of_one_is_refused),
    };

    return cmocka_run_group_tests_name("limiter", tests, setup, teardown);
}
