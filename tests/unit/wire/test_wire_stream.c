#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "base/str.h"
#include "json/json.h"
#include "wire/subject.h"
#include "wire/wire_stream.h"

void must_fail(const char *what, const char *file, int line)
{
    mock_assert(0, what, file, line);
}

static const struct wire_stream_settings SETTINGS = {.wall_us = 1795000000000000};

typedef void render_fn(size_t n, const struct wire_stream_settings *settings, struct buf *to);

static struct json *parsed(const struct buf *text)
{
    char why[JSON_WHY_SIZE];
    struct json *doc = NULL;

    assert_false(text->full);
    assert_false(failed(json_parse(&doc, buf_bytes(text), why, sizeof(why))));
    return doc;
}

static struct json *config_of(const char *name, render_fn *render,
                              const struct wire_stream_settings *settings)
{
    struct buf text;
    struct json *doc = NULL;

    buf_init(&text, 4096);
    for (size_t n = 0; n < wire_stream_count(); n++) {
        if (!str_equal(wire_stream_name(n), name))
            continue;
        render(n, settings, &text);
        doc = parsed(&text);
    }
    buf_deinit(&text);
    assert_non_null(doc);
    assert_string_equal(json_str(json_get(doc, "name")), name);
    return doc;
}

static const char *const ALL[] = {
    "SLUICE_JOURNAL",      "SLUICE_PENDING",    "SLUICE_JOBS",          "SLUICE_RESULTS",
    "SLUICE_DEAD",         "SLUICE_GRANTS",     "SLUICE_ALERTS",        "KV_sluice_tenants",
    "KV_sluice_upstreams", "KV_sluice_flows",   "KV_sluice_sessions",   "KV_sluice_locks",
    "KV_sluice_pools",     "KV_sluice_leaders", "OBJ_sluice_artifacts",
};

static void every_stream_tells_an_operator_what_it_is(void **state)
{
    (void)state;
    assert_int_equal(wire_stream_count(), sizeof(ALL) / sizeof(*ALL));
    for (size_t i = 0; i < wire_stream_count(); i++) {
        struct json *c              = config_of(ALL[i], wire_stream_config, &SETTINGS);
        const struct json *metadata = json_get(c, "metadata");

        assert_string_not_equal(json_str(json_get(c, "description")), "");
        assert_string_equal(json_str(json_get(metadata, "sluice.schema")), "1");
        assert_true(str_starts(json_str(json_get(metadata, "sluice.look")), "nats "));
        assert_string_equal(json_str(json_get(c, "storage")), "file");
        assert_true(json_bool(json_get(c, "allow_direct")));
        assert_int_equal(json_int(json_get(c, "num_replicas")), 1);
        json_free(&c);
    }
}

/* The server's exclusions (reference/nats.md 1), as far as our flags could break them. */
static void no_stream_asks_for_what_a_server_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < wire_stream_count(); i++) {
        struct json *c = config_of(ALL[i], wire_stream_config, &SETTINGS);
        int64_t age    = json_int(json_get(c, "max_age"));
        int64_t window = json_int(json_get(c, "duplicate_window"));

        assert_true(window >= 100000000 && (age == 0 || window <= age));
        assert_null(json_get(c, "allow_msg_schedules"));
        assert_null(json_get(c, "allow_msg_counter"));
        if (json_get(c, "subject_delete_marker_ttl")) {
            assert_true(json_bool(json_get(c, "allow_msg_ttl")));
            assert_int_equal(json_int(json_get(c, "max_msgs_per_subject")), 1);
        }
        json_free(&c);
    }
}

static void
sequences_that_must_never_come_again_begin_at_the_clock_when_they_are_made(void **state)
{
    (void)state;
    for (size_t i = 0; i < wire_stream_count(); i++) {
        struct json *made    = config_of(ALL[i], wire_stream_config, &SETTINGS);
        struct json *updated = config_of(ALL[i], wire_stream_update, &SETTINGS);
        bool queue           = str_equal(json_str(json_get(made, "retention")), "workqueue");

        assert_true(queue ==
                    (str_equal(ALL[i], STREAM_PENDING) || str_equal(ALL[i], STREAM_JOBS)));
        bool anew = queue || str_equal(ALL[i], "KV_" BUCKET_LEADERS);

        assert_true(json_int(json_get(made, "first_seq")) == (anew ? SETTINGS.wall_us : 0));
        /* A first_seq in an update makes the server empty the queue at its next start. */
        assert_null(json_get(updated, "first_seq"));
        json_unset(made, "first_seq");
        assert_true(json_equal(made, updated));
        json_free(&made);
        json_free(&updated);
    }
}

static int64_t promised(uint64_t store_bytes)
{
    struct wire_stream_settings settings = {.store_bytes = store_bytes};
    int64_t sum                          = 0;

    for (size_t i = 0; i < wire_stream_count(); i++) {
        struct json *c = config_of(ALL[i], wire_stream_config, &settings);
        int64_t max    = json_int(json_get(c, "max_bytes"));

        assert_true(max == -1 || max > 0);
        sum += max > 0 ? max : 0;
        json_free(&c);
    }
    return sum;
}

static void together_they_promise_no_more_than_the_store(void **state)
{
    (void)state;
    assert_true(promised(0) <= (int64_t)WIRE_STORE_BYTES);
    assert_true(promised(0) > (int64_t)WIRE_STORE_BYTES * 9 / 10);
    assert_true(promised(UINT64_C(100) << 30) <= INT64_C(100) << 30);
    assert_true(promised(UINT64_C(1) << 30) <= INT64_C(1) << 30);
}

static void the_journal_is_what_the_design_says(void **state)
{
    struct wire_stream_settings settings = {.replicas = 3, .retention_ms = 86400000};
    struct json *c = config_of(STREAM_JOURNAL, wire_stream_config, &settings);

    (void)state;
    assert_string_equal(json_str(json_at(json_get(c, "subjects"), 0)), "sluice.journal.*.*");
    assert_string_equal(json_str(json_get(c, "retention")), "limits");
    assert_string_equal(json_str(json_get(c, "discard")), "new");
    assert_true(json_int(json_get(c, "max_age")) == 86400000000000);
    assert_int_equal(json_int(json_get(c, "num_replicas")), 3);
    assert_true(json_bool(json_get(c, "allow_atomic")));
    const struct json *republish = json_get(c, "republish");

    assert_string_equal(json_str(json_get(republish, "src")), "sluice.journal.*.*");
    assert_string_equal(json_str(json_get(republish, "dest")),
                        "sluice.watch.{{wildcard(1)}}.{{wildcard(2)}}");
    json_free(&c);
}

static void buckets_are_as_a_client_makes_them(void **state)
{
    (void)state;
    for (size_t i = 7; i < 14; i++) {
        struct json *c = config_of(ALL[i], wire_stream_config, &SETTINGS);
        char subject[SUBJECT_SIZE];

        str_format(subject, sizeof(subject), "$KV.%s.>", ALL[i] + strlen("KV_"));
        assert_string_equal(json_str(json_at(json_get(c, "subjects"), 0)), subject);
        assert_string_equal(json_str(json_get(c, "discard")), "new");
        assert_true(json_bool(json_get(c, "deny_delete")));
        assert_true(json_bool(json_get(c, "allow_rollup_hdrs")));
        assert_true(json_int(json_get(c, "max_msgs_per_subject")) >= 1);
        json_free(&c);
    }
    struct json *c = config_of("OBJ_sluice_artifacts", wire_stream_config, &SETTINGS);

    assert_string_equal(json_str(json_at(json_get(c, "subjects"), 0)),
                        "$O.sluice_artifacts.C.>");
    assert_string_equal(json_str(json_at(json_get(c, "subjects"), 1)),
                        "$O.sluice_artifacts.M.>");
    assert_true(json_int(json_get(c, "max_age")) > 0);
    json_free(&c);
}

static void a_pool_has_a_consumer_and_the_scheduler_has_one(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 4096);
    wire_consumer_jobs("eu", 15000, &text);
    struct json *c = parsed(&text);

    assert_string_equal(json_str(json_get(c, "durable_name")), "eu");
    assert_string_equal(json_str(json_get(c, "filter_subject")), "sluice.jobs.*.*.eu");
    assert_string_equal(json_str(json_get(c, "ack_policy")), "explicit");
    assert_string_equal(json_str(json_get(c, "deliver_policy")), "all");
    assert_true(json_int(json_get(c, "ack_wait")) == 15000000000);
    assert_int_equal(json_int(json_get(c, "max_ack_pending")), -1);
    assert_int_equal(json_int(json_get(c, "max_deliver")), -1);
    assert_null(json_get(c, "backoff"));
    json_free(&c);

    buf_clear(&text);
    wire_consumer_pending(3, "sched-3-17", &text);
    c = parsed(&text);
    assert_string_equal(json_str(json_get(c, "durable_name")), "sched-3-17");
    assert_string_equal(json_str(json_get(c, "filter_subject")), "sluice.pending.3.>");
    assert_true(json_int(json_get(c, "ack_wait")) == 600000000000);
    assert_int_equal(json_int(json_get(c, "max_ack_pending")), WIRE_PENDING_MAX);
    assert_int_equal(json_int(json_get(c, "max_deliver")), -1);
    json_free(&c);
    buf_deinit(&text);
}

static void there_is_no_stream_behind_the_last(void **state)
{
    (void)state;
    expect_assert_failure(wire_stream_name(wire_stream_count()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stream_tells_an_operator_what_it_is),
        cmocka_unit_test(no_stream_asks_for_what_a_server_refuses),
        cmocka_unit_test(
            sequences_that_must_never_come_again_begin_at_the_clock_when_they_are_made),
        cmocka_unit_test(together_they_promise_no_more_than_the_store),
        cmocka_unit_test(the_journal_is_what_the_design_says),
        cmocka_unit_test(buckets_are_as_a_client_makes_them),
        cmocka_unit_test(a_pool_has_a_consumer_and_the_scheduler_has_one),
        cmocka_unit_test(there_is_no_stream_behind_the_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
