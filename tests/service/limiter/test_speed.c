#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/id.h"
#include "wire/wire_permit.h"
#include "world.h"

/*
 * How many permits a second: asks kept in flight by one client, each granted permit returned.  The
 * figure that counts is that of the release build (SLUICE_BIN=build/bin); here it must only be no
 * worse than a build with sanitizers on a busy machine can be.
 */

enum { OUT = 512, SECONDS = 4, LEAST = 1000 };

static void send_ask(struct nc *nc, struct buf *body, uint64_t n)
{
    struct permit_ask ask = {.lane        = LANE_STANDARD,
                             .key_count   = 1,
                             .wait_ms     = 10000,
                             .lifetime_ms = 60000,
                             .tenant      = "dev"};
    char reply[64];

    id_new((int64_t)n, ask.id);
    snprintf(ask.keys[0].name, sizeof(ask.keys[0].name), "fast");
    ask.keys[0].rate = ask.keys[0].in_flight = true;
    buf_clear(body);
    wire_write_permit_ask(&ask, body);
    snprintf(reply, sizeof(reply), "_INBOX.speed.%s", ask.id);
    nc_pub(nc, "sluice.permit.fast", reply, body->at, body->len);
}

static void send_return(struct nc *nc, struct buf *body, const char *id)
{
    struct permit_report r = {.status = 200, .call_class = CALL_OK, .name = "fast"};

    snprintf(r.id, sizeof(r.id), "%s", id);
    buf_clear(body);
    wire_write_permit_report(&r, body);
    nc_pub(nc, "sluice.permit.fast", NULL, body->at, body->len);
}

static double cpu_ms(pid_t pid)
{
    char path[64], text[1024] = "";
    unsigned long user = 0, kernel = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");

    if (f && fgets(text, sizeof(text), f))
        sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &user, &kernel);
    if (f)
        fclose(f);
    return (double)(user + kernel) * 1000 / (double)sysconf(_SC_CLK_TCK);
}

static void thousands_of_permits_a_second(void **state)
{
    struct world w;
    struct nc_msg m;
    struct buf body;
    uint64_t granted = 0, asked = 0;

    (void)state;
    world_open(&w);
    world_limiter(&w, 0, NULL);
    buf_init(&body, 65536);
    struct nc *nc = nc_open(w.port);

    assert_true(world_ready(nc, "fast",
                            "{\"driver\":\"agent\",\"url\":\"http://127.0.0.1:1\","
                            "\"rate\":{\"per_s\":1000000},\"in_flight\":100000}"));
    nc_sub(nc, "_INBOX.speed.*", 1);
    double cpu0 = cpu_ms(w.limiters[0]), nats0 = cpu_ms(w.nats);
    uint64_t start = now_ms();

    while (asked < OUT)
        send_ask(nc, &body, ++asked);
    while (now_ms() < start + SECONDS * 1000) {
        struct permit_grant g;

        if (!nc_next(nc, 1000, &m))
            fail_now("no answer");
        if (m.sid != 1)
            continue;
        do {
            assert_false(failed(wire_read_permit_grant(&g, bytes_of(m.body, m.len))));
            assert_true(g.ok);
            granted++;
            send_return(nc, &body, g.id);
            send_ask(nc, &body, ++asked);
        } while (nc->in_at < nc->in_len && nc_parse(nc, &m, &(bool){false}));
    }
    double s = (double)(now_ms() - start) / 1000;

    printf("permits: %.0f granted and returned a second; %.1f us of the limiter's, %.1f us of "
           "the server's "
           "time each\n",
           (double)granted / s, (cpu_ms(w.limiters[0]) - cpu0) * 1000 / (double)granted,
           (cpu_ms(w.nats) - nats0) * 1000 / (double)granted);
    assert_true((double)granted / s >= LEAST);
    nc_close(nc);
    buf_deinit(&body);
    world_close(&w, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(thousands_of_permits_a_second)};

    return cmocka_run_group_tests_name("limiter speed", tests, NULL, NULL);
}
