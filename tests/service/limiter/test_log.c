#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "lim_alert.h"
#include "lim_body.h"
#include "lim_log.h"
#include "support/fake/fake.h"
#include "support/fake/fake_clk.h"
#include "wire/subject.h"
#include "wire/wire_stream.h"

/*
 * The grant log and the alerts over a bus in memory: each answer on their way is refused, lost before
 * and after it was done, late, twice, and cut.
 */

/* Longer than a process is stopped by FAKE_FROZEN. */
enum { RECORDS = 40, EVERY_MS = 700, SETTLE_MS = 150000 };

/* One leader: what it folded, what it was told. */
struct leader {
    struct lim_log *log;
    size_t folded, forgot, readies, losses;
    uint64_t stored;
    unsigned added;
    const char *prefix;
};

static void on_fold(void *self, const struct grant_record *r)
{
    (void)r;
    ((struct leader *)self)->folded++;
}

static void on_forget(void *self)
{
    struct leader *l = self;

    l->forgot++;
    l->folded = 0;
}

static void on_ready(void *self)
{
    ((struct leader *)self)->readies++;
}

static void on_stored(void *self, uint64_t batch, uint64_t seq)
{
    struct leader *l = self;

    assert_true(batch >= l->stored && seq > 0); /* in order */
    l->stored = batch;
}

static void on_lost(void *self, const char *why)
{
    struct leader *l = self;

    (void)why;
    l->losses++;
    lim_log_close(&l->log);
}

static void on_snapshot(void *self, lim_log_emit_fn *emit, void *to)
{
    (void)self;
    (void)emit;
    (void)to;
}

static struct lim_log *open_log(struct bus *bus, struct leader *l, uint64_t epoch)
{
    const struct lim_log_events events = {.self     = l,
                                          .fold     = on_fold,
                                          .forget   = on_forget,
                                          .ready    = on_ready,
                                          .stored   = on_stored,
                                          .lost     = on_lost,
                                          .snapshot = on_snapshot};

    l->log = lim_log_open(bus, 0, epoch, &events);
    return l->log;
}

static void add(struct leader *l)
{
    struct grant_record r = {.op = GRANT_RETURN, .at_ms = 1};

    str_format(r.why, sizeof(r.why), "%s%u", l->prefix, l->added++);
    lim_log_add(l->log, &r);
}

/* Adds a record now and then, and sends what can be sent. */
static void drive(struct leader *l, unsigned records)
{
    unsigned until = l->added + records;

    for (uint64_t end = fake_now() + SETTLE_MS + records * EVERY_MS;
         fake_now() < end && l->log;) {
        if (lim_log_ready(l->log)) {
            if (l->added < until && fake_now() % EVERY_MS < 20)
                add(l);
            (void)lim_log_flush(l->log, fake_now());
        }
        fake_advance(20);
        if (l->log && l->added == until && lim_log_idle(l->log))
            return;
    }
}

static void make_streams(void)
{
    const struct wire_stream_settings settings = {.replicas = 1};

    for (size_t n = 0; n < wire_stream_count(); n++) {
        struct buf config;

        buf_init(&config, 8192);
        wire_stream_config(n, &settings, &config);
        fake_make_stream(wire_stream_name(n), buf_bytes(&config));
        buf_deinit(&config);
    }
}

static struct bus *open_bus(void)
{
    static const struct bus_config CONFIG = {.url = "nats://fake", .name = "limiter"};
    struct bus *bus                       = NULL;

    must(!failed(bus_open(&bus, NULL, &CONFIG)));
    return bus;
}

/* The n-th record with this prefix stands in the log once, behind the one before it. */
static size_t count_in_log(const char *prefix)
{
    size_t found = 0;

    for (size_t n = 0; n < fake_stored_count(STREAM_GRANTS, "sluice.grants.0"); n++) {
        struct arena *arena = arena_new();
        struct fake_stored stored;
        struct grant_batch b;
        char next[32];

        assert_true(fake_stored(STREAM_GRANTS, "sluice.grants.0", n, &stored));
        assert_false(failed(wire_read_grant_batch(&b, stored.body, arena)));
        for (size_t i = 0; i < b.count; i++) {
            if (!str_starts(b.records[i].why, prefix))
                continue;
            str_format(next, sizeof(next), "%s%zu", prefix, found++);
            assert_string_equal(b.records[i].why, next);
        }
        arena_free(&arena);
    }
    return found;
}

static unsigned one_leader(struct fake_hurt hurt)
{
    struct leader l = {.prefix = "a"}, next = {.prefix = "b"};

    fake_begin();
    make_streams();
    struct bus *bus = open_bus();

    fake_settle();
    fake_count(hurt);
    (void)open_log(bus, &l, 1);
    drive(&l, RECORDS);
    if (l.losses > 0 || l.added != RECORDS || !lim_log_idle(l.log))
        fail_msg("%s of %s: %zu losses, %u added", hurt.name ? hurt.name : "", fake_hurt_what(),
                 l.losses, l.added);
    assert_int_equal(l.readies, 1);
    assert_int_equal(l.stored, lim_log_mark(l.log));
    assert_int_equal(count_in_log("a"), RECORDS);

    unsigned counted = fake_counted();

    fake_count((struct fake_hurt){0});
    lim_log_close(&l.log);
    (void)open_log(bus, &next, 2);
    drive(&next, 0);
    assert_int_equal(next.folded, RECORDS);
    lim_log_close(&next.log);
    fake_settle();
    assert_int_equal(fake_ops(NULL), 0);
    bus_free(&bus);
    fake_end();
    return counted;
}

static void however_an_answer_fares_each_record_is_stored_once(void **state)
{
    unsigned count = one_leader((struct fake_hurt){0});

    (void)state;
    assert_true(count >= RECORDS);
    for (size_t how = 0; FAKE_HURTS[how].name; how++)
        for (unsigned n = 1; n <= count && n < 30; n++) {
            struct fake_hurt hurt = FAKE_HURTS[how];

            hurt.nth = n;
            (void)one_leader(hurt);
        }
}

/* Two that both think they lead: the first to append after the other's fence is out, once. */
static unsigned two_leaders(struct fake_hurt hurt)
{
    struct leader a = {.prefix = "a"}, b = {.prefix = "b"};

    fake_begin();
    make_streams();
    struct bus *one = open_bus(), *two = open_bus();

    fake_settle();
    (void)open_log(one, &a, 1);
    drive(&a, 5);
    fake_count(hurt);
    (void)open_log(two, &b, 2);
    drive(&b, 5);
    drive(&a, 3); /* it has not heard */
    drive(&b, 5);
    assert_true(a.losses == 1 && !a.log);
    assert_int_equal(b.losses, 0);
    assert_int_equal(count_in_log("a"), 5);
    assert_int_equal(count_in_log("b"), 10);
    assert_int_equal(b.folded, 5);

    unsigned counted = fake_counted();

    lim_log_close(&b.log);
    fake_settle();
    assert_int_equal(fake_ops(NULL), 0);
    bus_free(&one);
    bus_free(&two);
    fake_end();
    return counted;
}

static void a_deposed_leader_stores_nothing(void **state)
{
    unsigned count = two_leaders((struct fake_hurt){0});

    (void)state;
    for (size_t how = 0; FAKE_HURTS[how].name; how++)
        for (unsigned n = 1; n <= count; n++) {
            struct fake_hurt hurt = FAKE_HURTS[how];

            hurt.nth = n;
            (void)two_leaders(hurt);
        }
}

/* ---- the log is gone --------------------------------------------------------------- */

enum { LOSES_MS = 60000 };

static void wait_until_hurt(void)
{
    while (!fake_hurt_done())
        fake_advance(20);
}

/* What it remembers is in no log any more: it gives up, and who leads then begins with nothing. */
static void gives_up(struct bus *bus, struct leader *l)
{
    struct leader next = {.prefix = "next"};

    for (uint64_t end = fake_now() + LOSES_MS; l->log && fake_now() < end;)
        fake_advance(20);
    assert_true(l->losses == 1 && !l->log);
    (void)open_log(bus, &next, 9);
    drive(&next, 3);
    assert_true(next.losses == 0 && next.folded == 0);
    assert_int_equal(count_in_log("next"), 3);
    lim_log_close(&next.log);
}

static void over(struct bus **bus)
{
    fake_settle();
    assert_int_equal(fake_ops(NULL), 0);
    bus_free(bus);
    fake_end();
}

/* Nobody knows whether the append was done, and nobody can be asked any more. */
static void an_unanswered_append_to_a_log_that_is_gone_ends_the_lead(void **state)
{
    struct leader l = {.prefix = "a"};

    (void)state;
    fake_begin();
    make_streams();
    struct bus *bus = open_bus();

    (void)open_log(bus, &l, 1);
    drive(&l, 5);
    fake_count((struct fake_hurt){.nth = 1, .how = FAKE_LOST_AFTER});
    add(&l);
    (void)lim_log_flush(l.log, fake_now());
    wait_until_hurt();
    fake_make_anew(STREAM_GRANTS);

    gives_up(bus, &l);
    over(&bus);
}

/* It was read, and is gone before the fence stands. */
static void a_log_that_goes_while_it_is_taken_over_ends_the_lead(void **state)
{
    struct leader first = {.prefix = "a"}, l = {.prefix = "b"};

    (void)state;
    fake_begin();
    make_streams();
    struct bus *bus = open_bus();

    (void)open_log(bus, &first, 1);
    drive(&first, 5);
    lim_log_close(&first.log);
    fake_count((struct fake_hurt){.nth = 2, .how = FAKE_REFUSED, .kind = ERR_RETRY});
    (void)open_log(bus, &l, 2);
    wait_until_hurt();
    assert_non_null(strstr(fake_hurt_what(), "publish sluice.grants.0"));
    fake_make_anew(STREAM_GRANTS);

    gives_up(bus, &l);
    over(&bus);
}

/* ---- alerts ------------------------------------------------------------------------ */

struct telling {
    struct lim_grants *grants;
    uint32_t told[LIM_INCIDENTS];
};

static void on_told(void *self, const char *name, enum lim_incident_kind kind, uint32_t told)
{
    struct telling *t = self;

    lim_grant_key(t->grants, name)->incidents[kind].told = told;
    t->told[kind]                                        = told;
}

static size_t count_alerts(const char *state, uint64_t since_ms)
{
    size_t count = 0;

    for (size_t n = 0; n < fake_stored_count(STREAM_ALERTS, "sluice.alert.>"); n++) {
        struct fake_stored stored;
        struct lim_body_told told;

        assert_true(fake_stored(STREAM_ALERTS, "sluice.alert.>", n, &stored));
        assert_true(lim_body_alert_read(stored.body, &told));
        count += told.since_ms == since_ms && told.resolved == (strcmp(state, "resolved") == 0);
    }
    return count;
}

static void look_for(struct lim_alerts *alerts, const struct telling *t, uint64_t ms)
{
    for (uint64_t end = fake_now() + ms; fake_now() < end;) {
        lim_alert_look(alerts, t->grants);
        fake_advance(100);
    }
}

/* An incident begins and ends; a second begins, and its leader is another that knows only the log. */
static unsigned incidents(struct fake_hurt hurt)
{
    struct telling t       = {.grants = lim_grant_new()};
    struct lim_incident *i = &lim_grant_key(t.grants, "up")->incidents[LIM_INCIDENT_402];

    fake_begin();
    make_streams();
    struct bus *bus           = open_bus();
    struct lim_alerts *alerts = lim_alert_new(bus, on_told, &t);

    fake_settle();
    fake_count(hurt);
    *i = (struct lim_incident){.since_ms = 1000000};
    look_for(alerts, &t, SETTLE_MS);
    assert_int_equal(i->told, LIM_TOLD_FIRING);
    i->until_ms = 1005000;
    look_for(alerts, &t, SETTLE_MS);
    assert_int_equal(i->told, LIM_TOLD_RESOLVED);
    *i = (struct lim_incident){.since_ms = 2000000};
    lim_alert_look(alerts, t.grants);
    fake_advance(20); /* perhaps stored, perhaps not: the log does not know */
    lim_alert_free(&alerts);
    *i     = (struct lim_incident){.since_ms = 2000000, .until_ms = 2000001};
    alerts = lim_alert_new(bus, on_told, &t);
    look_for(alerts, &t, SETTLE_MS);
    assert_int_equal(i->told, LIM_TOLD_RESOLVED);

    unsigned counted = fake_counted();

    for (uint64_t since = 1000000; since <= 2000000; since += 1000000) {
        assert_int_equal(count_alerts("firing", since), 1);
        assert_int_equal(count_alerts("resolved", since), 1);
    }
    lim_alert_free(&alerts);
    fake_settle();
    assert_int_equal(fake_ops(NULL), 0);
    bus_free(&bus);
    fake_end();
    lim_grant_free(&t.grants);
    return counted;
}

static void an_incident_is_told_once_when_it_begins_and_once_when_it_ends(void **state)
{
    unsigned count = incidents((struct fake_hurt){0});

    (void)state;
    assert_true(count >= 8);
    for (size_t how = 0; FAKE_HURTS[how].name; how++)
        for (unsigned n = 1; n <= count; n++) {
            struct fake_hurt hurt = FAKE_HURTS[how];

            hurt.nth = n;
            (void)incidents(hurt);
        }
}

static void no_log(void *self, enum log_level level, const char *message, const char *line)
{
    (void)self, (void)level, (void)message, (void)line;
}

static int setup(void **state)
{
    (void)state;
    log_sink(no_log, NULL);
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
        cmocka_unit_test(however_an_answer_fares_each_record_is_stored_once),
        cmocka_unit_test(a_deposed_leader_stores_nothing),
        cmocka_unit_test(an_unanswered_append_to_a_log_that_is_gone_ends_the_lead),
        cmocka_unit_test(a_log_that_goes_while_it_is_taken_over_ends_the_lead),
        cmocka_unit_test(an_incident_is_told_once_when_it_begins_and_once_when_it_ends),
    };

    return cmocka_run_group_tests_name("limiter log", tests, setup, teardown);
}
