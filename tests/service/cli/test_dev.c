#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dev_run.h"

static struct dev_run dev;
static char said[65536];

#define SLUICE(...) dev_command((const char *[]){"", __VA_ARGS__, NULL}, said, sizeof(said))

static void ends(int status, int wanted, const char *says)
{
    if (status != wanted || !strstr(said, says))
        fail_msg("exit %d instead of %d, or lacks \"%s\":\n%s", status, wanted, says, said);
}

static const char *write_flow(const char *name, const char *text, char at[128])
{
    str_format(at, 128, "%s/%s.json", dev.store, name);
    FILE *file = fopen(at, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return at;
}

/* ---- work -------------------------------------------------------------------------------------- */

static void a_run_is_submitted_watched_and_got(void **state)
{
    char hello[128];

    (void)state;
    str_format(hello, sizeof(hello), "%s/hello.json", dev.store);
    ends(SLUICE("run", "submit", hello, "-i", "name=Ann", "--watch", "--key", "w1"), 0, "END");
    ends(SLUICE("run", "submit", hello, "-i", "name=Bo", "--wait", "-o", "json"), 0,
         "\"result\":{\"text\":\"hello Bo\"}");
    ends(SLUICE("run", "get", "--key", "w1"), 0, "hello Ann");
    ends(SLUICE("run", "wait", "--key", "w1", "-o", "json"), 0, "\"status\":\"done\"");
    ends(SLUICE("run", "watch", "--key", "w1", "-o", "json"), 0, "\"kind\":\"PLAN\"");
    ends(SLUICE("run", "submit", hello, "-i", "name=Ann", "--key", "w1", "-o", "json"), 0,
         "\"created\":false");
    ends(SLUICE("run", "submit", hello, "--dry-run", "-v"), 0, "req --no-templates --timeout");
}

static void a_waiting_run_is_cancelled(void **state)
{
    char nap[128];

    (void)state;
    write_flow("nap", "{\"steps\":[{\"id\":\"s\",\"sleep\":{\"for\":\"1h\"}}]}", nap);
    ends(SLUICE("run", "submit", nap, "--key", "n1", "--label", "a=b"), 0, "queued");
    ends(SLUICE("run", "wait", "--key", "n1", "--timeout", "1s"), 5, "has not ended");
    ends(SLUICE("run", "cancel", "--key", "n1", "--reason", "enough"), 0, "accepted");
    ends(SLUICE("run", "wait", "--key", "n1"), 1, "cancelled");
    ends(SLUICE("run", "watch", "--key", "n1"), 1, "CANCEL");
    ends(SLUICE("run", "cancel", "--key", "n1"), 3, "Run has ended");
}

static void what_is_refused_says_what_to_try(void **state)
{
    char bad[128];

    (void)state;
    write_flow("bad", "{\"steps\":[{\"id\":\"s\",\"slep\":{}}]}", bad);
    ends(SLUICE("run", "submit", bad), 3, "try sleep");
    ends(SLUICE("run", "submit", bad, "-o", "json"), 3, "\"code\":\"invalid_flow\"");
    ends(SLUICE("run", "get", "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"), 3, "Not found");
    ends(SLUICE("run", "get", "nonsense"), 2, "is not a run id");
    ends(SLUICE("run", "submit", "/nowhere/x.json"), 2, "cannot read");
    ends(SLUICE("run", "list"), 2, "not in this version");
    ends(SLUICE("--server", "nats://127.0.0.1:1", "run", "get", "--key", "k"), 4,
         "cannot be reached");
    ends(SLUICE("--server", "nats://127.0.0.1:1", "pool", "list", "-o", "json"), 4,
         "\"code\":\"unavailable\"");
}

/* ---- operate ------------------------------------------------------------------------------------ */

static void a_tenant_is_set_and_shown(void **state)
{
    (void)state;
    ends(SLUICE("tenant", "set", "acme", "--tier", "pro", "--cap", "30"), 0, "30");
    ends(SLUICE("tenant", "pause", "acme", "--reason", "runaway loop"), 0, "runaway loop");
    ends(SLUICE("tenant", "list", "-o", "json"), 0,
         "{\"tenants\":[{\"tenant\":\"acme\",\"tier\":\"pro\",\"cap\":30,\"paused\":true,"
         "\"reason\":"
         "\"runaway loop\"}]}");
    ends(SLUICE("tenant", "resume", "acme"), 0, "paused        false");
    ends(SLUICE("tenant", "show", "acme", "-o", "json"), 0, "\"paused\":false");
    ends(SLUICE("tenant", "set", "acme", "--cap", "0"), 3, "/cap");
    ends(SLUICE("tenant", "set", "acme"), 2, "set what?");
    ends(SLUICE("pool", "list"), 0, "default");
}

static void an_upstream_is_set_and_shown(void **state)
{
    (void)state;
    ends(SLUICE("upstream", "set", "shop", "--driver", "agent", "--profile", "multion", "--url",
                "http://127.0.0.1:9", "--rate", "10", "--burst", "2", "--key-env", "K"),
         0, "");
    ends(SLUICE("upstream", "list"), 0, "10/s +2");
    ends(SLUICE("upstream", "list", "-o", "json"), 0, "\"key\":{\"env\":\"K\"}");
    ends(SLUICE("upstream", "set", "shop", "--driver", "wbdriver"), 3, "/driver");
    ends(SLUICE("upstream", "set", "a.b", "--rate", "1"), 2, "is not a name");
}

/* What opens a session is never printed. */
static void a_session_is_shown_without_its_capabilities(void **state)
{
    char command[512];

    (void)state;
    str_format(command, sizeof(command),
               "nats -s %s kv put sluice_sessions dev.s1 '{\"status\":\"active\",\"upstream\":"
               "\"shop\",\"endpoint\":\"http://secret\",\"remote_id\":\"secret\",\"token\":"
               "\"secret\"}' >/dev/null",
               dev.url);
    if (system(command) != 0)
        skip(); /* no nats CLI here */
    ends(SLUICE("session", "list"), 0, "active");
    assert_null(strstr(said, "secret"));
    ends(SLUICE("session", "list", "-o", "json"), 0, "\"session\":\"dev.s1\"");
    assert_null(strstr(said, "secret"));
    ends(SLUICE("session", "show", "s1", "-o", "json"), 0, "\"status\":\"active\"");
    assert_null(strstr(said, "secret"));
    ends(SLUICE("session", "show", "s2"), 3, "there is no session");
}

/* ---- dev ------------------------------------------------------------------------------------------ */

static void a_service_that_dies_is_restarted(void **state)
{
    pid_t gateway = 0;

    (void)state;
    dev_marked(&dev, "sluice-gateway", &gateway);
    assert_true(gateway > 0);
    kill(gateway, SIGKILL);

    assert_true(dev_says(&dev, "gateway died (SIGKILL); restarting it in", 10000));
    ends(SLUICE("run", "wait", "--key", "w1"), 0, "done"); /* through the new one */
}

static void a_second_one_is_refused(void **state)
{
    char port[16];

    (void)state;
    str_copy(port, sizeof(port), strrchr(dev.url, ':') + 1);
    ends(SLUICE("dev", "--store", dev.store, "--nats-port", "0", "--http-port", "0"), 1,
         "another sluice dev uses");
    ends(SLUICE("dev", "--store", "/tmp/never", "--nats-port", port, "--http-port", "0"), 1,
         "is taken");
    ends(SLUICE("dev", "--nats-port", "many"), 2, "is not a number");
}

static void an_interrupt_ends_all_in_order(void **state)
{
    static const char *const ORDER[] = {"\nworker-1     | ", "\nscheduler    | ",
                                        "\nlimiter      | ", "\ngateway      | "};
    const char *at;

    (void)state;
    kill(dev.pid, SIGINT);
    assert_int_equal(dev_end(dev.pid, 60000), 0);
    dev_hear(&dev);
    assert_true(dev_none_left(&dev, 0));
    at = strstr(dev.said, "| stopping");
    for (size_t i = 0; i < sizeof(ORDER) / sizeof(*ORDER); i++) {
        assert_non_null(at);
        at = strstr(at, ORDER[i]);
    }
    assert_non_null(at);
    close(dev.fd);
}

static void what_it_stored_survives_a_restart(void **state)
{
    (void)state;
    dev_start(&dev, false);
    ends(SLUICE("run", "get", "--key", "w1"), 0, "hello Ann");
}

static void killed_at_once_it_leaves_nobody(void **state)
{
    (void)state;
    assert_true(dev_marked(&dev, NULL, NULL) >= 5);
    kill(dev.pid, SIGKILL);
    assert_int_equal(dev_end(dev.pid, 10000), -SIGKILL);
    assert_true(dev_none_left(&dev, 10000));
    close(dev.fd);
}

static void a_browser_does_not_outlive_it_either(void **state)
{
    char command[512], chrome[128] = "";

    (void)state;
    if (access("/usr/bin/chromedriver", X_OK) != 0)
        skip();
    dev_start(&dev, true);
    assert_true(dev_says(&dev, "upstream chrome is ", 30000));
    assert_int_equal(
        sscanf(strstr(dev.said, "upstream chrome is "), "upstream chrome is %127s", chrome), 1);
    str_format(
        command, sizeof(command),
        "curl -sf -m 60 %s/session -d '{\"capabilities\":{\"alwaysMatch\":{\"goog:"
        "chromeOptions\":{\"args\":[\"--headless=new\",\"--no-sandbox\"]}}}}' >/dev/null",
        chrome);
    int opened = system(command);
    int before = dev_marked(&dev, NULL, NULL);

    kill(dev.pid, SIGKILL);
    dev_end(dev.pid, 10000);
    close(dev.fd);
    assert_true(dev_none_left(&dev, 10000));
    assert_true(opened != 0 || before >= 8); /* else there was no browser to be left */
}

static int prepare(void **state)
{
    (void)state;
    dev_folder(&dev);
    dev_start(&dev, false);
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    dev_remove(&dev);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_submitted_watched_and_got),
        cmocka_unit_test(a_waiting_run_is_cancelled),
        cmocka_unit_test(what_is_refused_says_what_to_try),
        cmocka_unit_test(a_tenant_is_set_and_shown),
        cmocka_unit_test(an_upstream_is_set_and_shown),
        cmocka_unit_test(a_session_is_shown_without_its_capabilities),
        cmocka_unit_test(a_service_that_dies_is_restarted),
        cmocka_unit_test(a_second_one_is_refused),
        cmocka_unit_test(an_interrupt_ends_all_in_order),
        cmocka_unit_test(what_it_stored_survives_a_restart),
        cmocka_unit_test(killed_at_once_it_leaves_nobody),
        cmocka_unit_test(a_browser_does_not_outlive_it_either),
    };
    return cmocka_run_group_tests_name("dev", tests, prepare, tidy);
}
