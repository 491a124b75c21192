#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char last[8192]; /* the last line that the sink saw */
static int lines;
static enum log_level last_level;
static char last_message[64];

static void remember(void *self, enum log_level level, const char *message, const char *line)
{
    (void)self;
    str_copy(last, sizeof(last), line);
    str_copy(last_message, sizeof(last_message), message);
    last_level = level;
    lines++;
}

static int begin(void **state)
{
    (void)state;
    lines   = 0;
    last[0] = '\0';
    log_setup("gateway", LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
    log_sink(remember, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    log_sink(NULL, NULL);
    return 0;
}

/* What stands behind the time, which no test can know. */
static const char *behind_time(void)
{
    return last + strcspn(last, "Z") + 1;
}

static void logfmt_line_begins_with_ts_level_service_msg(void **state)
{
    (void)state;
    int64_t wall_ms = 0;
    char ts[25];

    log_info("run leased", KV("run", "01K"), KV("try", 2));
    assert_memory_equal(last, "ts=", 3);
    str_copy_n(ts, sizeof(ts), last + 3, 24);
    assert_false(failed(str_time_ms(ts, &wall_ms)));
    assert_string_equal(behind_time(),
                        " level=info service=gateway msg=\"run leased\" run=01K try=2");
}

static void json_line_begins_with_ts_level_service_msg(void **state)
{
    (void)state;

    log_setup("limiter", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_warn("late", KV("why", "a \"b\""), KV("n", 2u));
    assert_memory_equal(last, "{\"ts\":\"2", 8);
    assert_string_equal(behind_time(), "\",\"level\":\"warn\",\"service\":\"limiter\",\"msg\":"
                                       "\"late\",\"why\":\"a \\\"b\\\"\",\"n\":2}");
}

static void every_type_has_a_form(void **state)
{
    (void)state;
    struct err e = err_from(ERR_RETRY, "publish", ERR_FROM_NATS, 4);
    const struct {
        struct log_field field;
        const char *logfmt;
        const char *json;
    } cases[] = {
        {KV("n", INT64_MIN), "-9223372036854775808", "-9223372036854775808"},
        {KV("n", UINT64_MAX), "18446744073709551615", "18446744073709551615"},
        {KV("n", (uint16_t)65535), "65535", "65535"},
        {KV("n", 1.5), "1.5", "1.5"},
        {KV("n", 0.1), "0.1", "0.1"},
        {KV("n", 1.0 / 3), "0.33333333333333331", "0.33333333333333331"},
        {KV("n", 1e300), "1e+300", "1e+300"},
        {KV("n", (double)NAN), "nan", "null"},
        {KV("n", (double)-INFINITY), "-inf", "null"},
        {KV("n", (bool)true), "true", "true"},
        {KV("n", (bool)false), "false", "false"},
        {KV("n", (const char *)NULL), "", "null"},
        {KV("n", ""), "\"\"", "\"\""},
        {KV("n", e), "\"publish: retry (nats 4)\"", "\"publish: retry (nats 4)\""},
    };
    char wanted[128];

    for (size_t i = 0; i < COUNT(cases); i++) {
        log_setup("s", LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
        log_write(LOG_LEVEL_INFO, "m", &cases[i].field, 1);
        str_format(wanted, sizeof(wanted), " level=info service=s msg=m n=%s", cases[i].logfmt);
        assert_string_equal(behind_time(), wanted);

        log_setup("s", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
        log_write(LOG_LEVEL_INFO, "m", &cases[i].field, 1);
        str_format(wanted, sizeof(wanted), "\"msg\":\"m\",\"n\":%s}", cases[i].json);
        assert_true(str_ends(last, wanted));
    }
}

static void value_is_quoted_and_escaped_when_it_must_be(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *logfmt;
    } CASES[] = {
        {"plain-1.2/x,y:z{}", "plain-1.2/x,y:z{}"},
        {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},
        {"say \"x\"", "\"say \\\"x\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"a\nlevel=error", "\"a\\nlevel=error\""}, /* a forged line */
        {"\r\t", "\"\\r\\t\""},
        {"\x1b[31m", "\"\\u001b[31m\""}, /* a steered terminal */
        {"\x01\x7f", "\"\\u0001\\u007f\""},
        {"\x7f", "\"\\u007f\""},
        {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
        {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
        {"\xc2\x9b", "\"\\ufffd\\ufffd\""}, /* CSI as one character */
        {"\xc2\xa0", "\"\xc2\xa0\""},
        {"\xff\xfe", "\"\\ufffd\\ufffd\""},
        {"\xe2\x82", "\"\\ufffd\\ufffd\""},
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
    };
    char wanted[128];

    for (size_t i = 0; i < COUNT(CASES); i++) {
        log_info("m", KV("why", CASES[i].value));
        str_format(wanted, sizeof(wanted), "msg=m why=%s", CASES[i].logfmt);
        assert_true(str_ends(last, wanted));
    }
}

static void json_line_is_valid_utf8_whatever_comes_in(void **state)
{
    (void)state;
    char hostile[256];

    for (int i = 0; i < 255; i++)
        hostile[i] = (char)(255 - i);
    hostile[255] = '\0';
    log_setup("s", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_info("m", KV("why", hostile));
    assert_true(str_is_utf8(bytes_str(last)));
    for (const char *c = last; *c; c++)
        assert_true((unsigned char)*c >= 0x20);
}

static void lines_below_the_level_cost_nothing(void **state)
{
    (void)state;
    int evaluated = 0;

    log_setup("s", LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT);
    log_info("m", KV("n", ++evaluated));
    assert_int_equal(lines, 0);
    assert_int_equal(evaluated, 0);
    log_warn("m", KV("n", ++evaluated));
    log_error("m", KV("n", ++evaluated));
    assert_int_equal(lines, 2);
    assert_int_equal(evaluated, 2);
}

static void sink_sees_level_and_message(void **state)
{
    (void)state;

    log_error("bus lost", KV("n", 1));
    assert_int_equal(last_level, LOG_LEVEL_ERROR);
    assert_string_equal(last_message, "bus lost");
}

static void long_value_is_cut_visibly(void **state)
{
    (void)state;
    char value[2000];

    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (int json = 0; json < 2; json++) {
        log_setup("s", LOG_LEVEL_DEBUG, json ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT);
        log_info("m", KV("why", value), KV("n", 7));
        assert_true(strlen(last) < 700);
        assert_true(str_ends(last, json ? "x\xe2\x80\xa6\",\"n\":7}" : "x\xe2\x80\xa6\" n=7"));
    }
}

static void fields_that_do_not_fit_leave_a_line_that_parses(void **state)
{
    (void)state;
    static char values[40][601];
    struct log_field fields[40];

    for (size_t len = 0; len <= 600; len++) {
        for (size_t i = 0; i < 40; i++) {
            memset(values[i], i % 2 ? '\n' : 'x', len);
            values[i][len] = '\0';
            fields[i]      = log_str("why", values[i]);
        }
        log_setup("s", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
        log_write(LOG_LEVEL_INFO, "m", fields, 40);
        assert_true(strlen(last) + 1 <= 4096); /* with its newline, one atomic write */
        assert_int_equal(last[strlen(last) - 1], '}');
        size_t quotes = 0;
        for (const char *c = last; *c; c++)
            quotes += *c == '"';
        assert_int_equal(quotes % 2, 0);
        log_setup("s", LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
        log_write(LOG_LEVEL_INFO, "m", fields, 40);
        assert_true(strlen(last) + 1 <= 4096);
    }
}

static void logging_keeps_errno(void **state)
{
    (void)state;
    int closed = dup(STDERR_FILENO);

    log_sink(NULL, NULL);
    close(STDERR_FILENO);
    errno = ENOENT;
    log_info("m", KV("n", 1)); /* write(2) fails: nobody is told, nobody is hurt */
    int kept = errno;
    dup2(closed, STDERR_FILENO);
    close(closed);
    assert_int_equal(kept, ENOENT);
}

/* stderr becomes a pipe in packet mode: each write(2) is read back by itself. */
static int redirect_stderr(int ret_ends[2])
{
    int kept = dup(STDERR_FILENO);

    assert_int_equal(pipe2(ret_ends, O_DIRECT), 0);
    dup2(ret_ends[1], STDERR_FILENO);
    close(ret_ends[1]);
    return kept;
}

static void restore_stderr(int kept)
{
    dup2(kept, STDERR_FILENO);
    close(kept);
}

static void line_is_one_write(void **state)
{
    (void)state;
    char text[8192];
    int ends[2];

    log_sink(NULL, NULL);
    int kept = redirect_stderr(ends);
    log_info("one", KV("n", 1));
    log_info("two", KV("n", 2));
    restore_stderr(kept);

    ssize_t len = read(ends[0], text, sizeof(text) - 1);
    assert_true(len > 0);
    text[len] = '\0';
    assert_true(str_ends(text, " msg=one n=1\n"));
    assert_null(strstr(text, "two"));
    close(ends[0]);
}

enum { THREADS = 8, LINES_EACH = 200 };

static void *write_many(void *with)
{
    const char *pad = with;

    for (int i = 0; i < LINES_EACH; i++)
        log_info("many", KV("why", pad), KV("n", i));
    return NULL;
}

struct collected {
    int from;
    struct buf all;
};

static void *read_all(void *with)
{
    struct collected *c = with;
    char part[4096];

    for (ssize_t got = 1; got > 0;) {
        got = read(c->from, part, sizeof(part));
        if (got > 0)
            buf_add(&c->all, part, (size_t)got);
    }
    return NULL;
}

static void lines_of_many_threads_stay_whole(void **state)
{
    (void)state;
    struct collected c;
    pthread_t writers[THREADS], reader;
    char pad[500];
    int ends[2], count = 0;

    memset(pad, 'p', sizeof(pad) - 1);
    pad[sizeof(pad) - 1] = '\0';
    log_sink(NULL, NULL);
    int kept = redirect_stderr(ends);
    buf_init(&c.all, 16 << 20);
    c.from = ends[0];
    pthread_create(&reader, NULL, read_all, &c);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&writers[i], NULL, write_many, pad);
    for (int i = 0; i < THREADS; i++)
        pthread_join(writers[i], NULL);
    restore_stderr(kept); /* the last end to write to: the reader comes to its end */
    pthread_join(reader, NULL);
    close(ends[0]);

    for (char *line = c.all.at, *next; *line; line = next, count++) {
        next = strchr(line, '\n');
        assert_non_null(next);
        *next++ = '\0';
        assert_memory_equal(line, "ts=", 3);
        assert_memory_equal(strchr(line, 'Z'), "Z level=info service=gateway msg=many why=p",
                            43);
        assert_ptr_equal(strstr(line + 1, "ts="), NULL);
    }
    assert_int_equal(count, THREADS * LINES_EACH);
    buf_deinit(&c.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(logfmt_line_begins_with_ts_level_service_msg, begin,
                                        end),
        cmocka_unit_test_setup_teardown(json_line_begins_with_ts_level_service_msg, begin, end),
        cmocka_unit_test_setup_teardown(every_type_has_a_form, begin, end),
        cmocka_unit_test_setup_teardown(value_is_quoted_and_escaped_when_it_must_be, begin,
                                        end),
        cmocka_unit_test_setup_teardown(json_line_is_valid_utf8_whatever_comes_in, begin, end),
        cmocka_unit_test_setup_teardown(lines_below_the_level_cost_nothing, begin, end),
        cmocka_unit_test_setup_teardown(sink_sees_level_and_message, begin, end),
        cmocka_unit_test_setup_teardown(long_value_is_cut_visibly, begin, end),
        cmocka_unit_test_setup_teardown(fields_that_do_not_fit_leave_a_line_that_parses, begin,
                                        end),
        cmocka_unit_test_setup_teardown(logging_keeps_errno, begin, end),
        cmocka_unit_test_setup_teardown(line_is_one_write, begin, end),
        cmocka_unit_test_setup_teardown(lines_of_many_threads_stay_whole, begin, end),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
