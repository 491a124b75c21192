#include "bw_upstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"

/* ---- the bus, as far as it is needed: the test says what comes --------------------------- */

static struct bus_follow follow;
static unsigned follows;

struct err bus_follow(struct bus *bus, const struct bus_follow *wanted,
                      struct bus_follower **ret)
{
    (void)bus;
    follow = *wanted;
    follows++;
    *ret = (struct bus_follower *)(void *)&follow;
    return OK;
}

void bus_follow_end(struct bus_follower **follower)
{
    *follower = NULL;
    follows--;
}

const char *bus_kv_key(const struct bus_msg *msg)
{
    return msg->subject;
}

bool bus_kv_gone(const struct bus_msg *msg)
{
    return msg->body.len == 0;
}

static void comes(const char *name, const char *value)
{
    struct bus_msg msg = {.subject = name, .body = bytes_str(value)}, *at = &msg;

    follow.on_msg(follow.self, &at);
}

/* ---- the test ---------------------------------------------------------------------------- */

static struct bw_upstreams *all;
static char said[1024];

static void on_line(void *self, enum log_level level, const char *message, const char *line)
{
    (void)self, (void)message;
    if (level >= LOG_LEVEL_WARN)
        str_copy(said, sizeof said, line);
    if (strstr(line, "hush-hush"))
        fail_msg("a secret is logged: %s", line);
}

static int begin(void **state)
{
    (void)state;
    said[0] = '\0';
    log_sink(on_line, NULL);
    setenv("UP_KEY", "hush-hush", 1);
    all = bw_upstream_new(NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    bw_upstream_free(&all);
    assert_int_equal(follows, 0);
    log_sink(NULL, NULL);
    return 0;
}

static void a_value_is_known_as_soon_as_it_comes(void **state)
{
    (void)state;
    assert_null(bw_upstream_find(all, "sim"));
    comes("sim", "{\"url\":\"http://h/v1/"
                 "\",\"key\":{\"env\":\"UP_KEY\"},\"sessions\":5,\"timeout\":\"9s\","
                 "\"session_idle\":\"10m\",\"paused\":true,\"feature_402\":\"plan\"}");
    const struct bw_upstream *u = bw_upstream_find(all, "sim");
    assert_non_null(u);
    assert_string_equal(u->driver, "agent");
    assert_string_equal(u->profile, "multion");
    assert_string_equal(u->url, "http://h/v1");
    assert_string_equal(u->key, "hush-hush");
    assert_string_equal(u->feature_402, "plan");
    assert_int_equal(u->sessions, 5);
    assert_int_equal(u->timeout_ms, 9000);
    assert_int_equal(u->session_idle_ms, 600000);
    assert_true(u->paused);
}

static void ready_is_when_all_that_was_there_is_read(void **state)
{
    (void)state;
    comes("sim", "{}");
    assert_false(bw_upstream_ready(all));
    follow.on_caught_up(follow.self);
    assert_true(bw_upstream_ready(all));
}

static void a_wrong_value_leaves_the_last_good_one(void **state)
{
    (void)state;
    comes("sim", "{\"sessions\":5}");
    comes("sim", "{\"session\":6}");
    assert_int_equal(bw_upstream_find(all, "sim")->sessions, 5);
    assert_non_null(strstr(said, "is \\\"sessions\\\" meant?"));
    comes("new", "no JSON");
    assert_null(bw_upstream_find(all, "new"));
}

static void a_removed_value_is_forgotten(void **state)
{
    size_t it                   = 0;
    const struct bw_upstream *u = NULL;

    (void)state;
    comes("one", "{}");
    comes("two", "{}");
    comes("one", "");
    comes("never", "");
    assert_null(bw_upstream_find(all, "one"));
    assert_true(bw_upstream_next(all, &it, &u));
    assert_string_equal(u->name, "two");
    assert_false(bw_upstream_next(all, &it, &u));
    follow.on_anew(follow.self);
    assert_null(bw_upstream_find(all, "two"));
}

static void a_secret_comes_from_where_the_value_says(void **state)
{
    char path[] = "/tmp/bw-key-XXXXXX", value[128], why[256], longer[600];
    struct bw_upstream u;
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, " hush-hush \r\n", 13), 13);
    str_format(value, sizeof value, "{\"key\":{\"file\":\"%s\"}}", path);
    assert_false(failed(bw_upstream_read(&u, "sim", bytes_str(value), why, sizeof why)));
    assert_string_equal(u.key, " hush-hush");

    assert_int_equal(ftruncate(fd, 0), 0);
    assert_true(failed(bw_upstream_read(&u, "sim", bytes_str(value), why, sizeof why)));
    assert_string_equal(why, "key: the secret is empty");

    memset(longer, 'k', sizeof longer);
    assert_int_equal(pwrite(fd, longer, sizeof longer, 0), (ssize_t)sizeof longer);
    assert_true(failed(bw_upstream_read(&u, "sim", bytes_str(value), why, sizeof why)));
    assert_string_equal(why, "key: the secret is longer than 511 bytes");

    assert_int_equal(pwrite(fd, "a\nb", 3, 0), 3);
    assert_int_equal(ftruncate(fd, 3), 0);
    assert_true(failed(bw_upstream_read(&u, "sim", bytes_str(value), why, sizeof why)));
    assert_string_equal(why, "key: the secret holds what no header may");

    close(fd);
    unlink(path);
    assert_true(failed(bw_upstream_read(&u, "sim", bytes_str(value), why, sizeof why)));
    assert_non_null(strstr(why, "cannot be read on this worker"));
    assert_true(failed(bw_upstream_read(
        &u, "sim", bytes_str("{\"key\":{\"env\":\"NO_SUCH_KEY\"}}"), why, sizeof why)));
    assert_string_equal(why, "key.env: NO_SUCH_KEY is not set in this worker's environment");
    assert_false(failed(bw_upstream_read(&u, "sim", bytes_str("{}"), why, sizeof why)));
    assert_string_equal(u.key, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_value_is_known_as_soon_as_it_comes),
        TEST(ready_is_when_all_that_was_there_is_read),
        TEST(a_wrong_value_leaves_the_last_good_one),
        TEST(a_removed_value_is_forgotten),
        TEST(a_secret_comes_from_where_the_value_says),
    };
    return cmocka_run_group_tests_name("bw_upstream", tests, NULL, NULL);
}
