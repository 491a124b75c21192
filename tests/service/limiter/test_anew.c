/* A bucket is deleted and made anew: what it said of tenants and upstreams holds no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "lim.h"
#include "lim_config.h"
#include "support/fake/fake.h"
#include "support/fake/fake_clk.h"
#include "wire/subject.h"

enum { READY_MS = 15000 };

static struct lim_config config;
static struct svc *svc;
static struct lim *lim;

static void no_log(void *self, enum log_level level, const char *message, const char *line)
{
    (void)self, (void)level, (void)message, (void)line;
}

static int up(void **state)
{
    static char name[]            = "test";
    static struct svc_about about = {.name   = "sluice-limiter",
                                     .keys   = lim_config_keys,
                                     .config = &config,
                                     .check  = lim_config_check};
    char *argv[]                  = {name, NULL};

    (void)state;
    setenv("SLUICE_HTTP", "off", 1);
    fake_begin();
    log_sink(no_log, NULL);
    svc = svc_new(&about, 1, argv);
    log_sink(no_log, NULL);
    lim = lim_new(svc, &config);
    svc_serve(svc, lim_on, lim);
    svc_tick(svc, lim_tick, lim);
    for (uint64_t end = fake_now() + READY_MS; !lim_decides(lim); fake_advance(20))
        assert_true(fake_now() < end);
    return 0;
}

static int down(void **state)
{
    (void)state;
    lim_stop(lim);
    svc_free(&svc);
    lim_free(&lim);
    fake_end();
    return 0;
}

static void tenant_of_a_bucket_that_is_gone_may_what_anybody_may(void **state)
{
    struct run_rule rule;

    (void)state;
    (void)fake_store("$KV." BUCKET_TENANTS ".acme", bytes_str("{\"sessions\":1}"));
    fake_settle();
    run_tenant_rule(lim->book, "acme", &rule);
    assert_int_equal(rule.sessions, 1);
    fake_make_anew("KV_" BUCKET_TENANTS);
    fake_settle();

    run_tenant_rule(lim->book, "acme", &rule);
    assert_int_equal(rule.sessions, 0);
}

static void upstream_of_a_bucket_that_is_gone_is_not_known(void **state)
{
    (void)state;
    (void)fake_store("$KV." BUCKET_UPSTREAMS ".sim",
                     bytes_str("{\"driver\":\"webdriver\",\"url\":\"http://sim.example\"}"));
    fake_settle();
    assert_non_null(lim_gate_upstream(lim->gate, "sim"));
    fake_make_anew("KV_" BUCKET_UPSTREAMS);
    fake_settle();

    assert_null(lim_gate_upstream(lim->gate, "sim"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tenant_of_a_bucket_that_is_gone_may_what_anybody_may,
                                        up, down),
        cmocka_unit_test_setup_teardown(upstream_of_a_bucket_that_is_gone_is_not_known, up,
                                        down),
    };
    return cmocka_run_group_tests_name("limiter anew", tests, NULL, NULL);
}
