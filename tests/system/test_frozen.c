/* frozen - nats-server and the leaders stand still in turn and together: who is continued answers, and ends. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/load.h"
#include "support/system/world.h"

/* A process that hangs never answers; 2 s are asked for, the rest is for a loaded machine.  Leaders: of the
   scheduler's shard, of the limiter's, and of the reapers. */
enum { DOSES = 7, LEADERS = 3, TERM_MS = 666, ANSWER_MS = 6000, DRAIN_MS = 5000 };

static const char *const TENANTS[] = {"acme", "globex", NULL};

static const struct load_spec MANY = {
    .tenants = TENANTS,
    .runs    = 600,
    .per_s   = 30,
    .body = "\"flow\":{\"steps\":[{\"id\":\"a\",\"set\":{\"n\":@N}},{\"id\":\"nap\",\"sleep\":{"
            "\"for\":\"30ms\"}},"
            "{\"id\":\"b\",\"set\":{\"m\":1}}]}",
};

static uint64_t seed;

static int64_t draw(int64_t from, int64_t to)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return from + (int64_t)(seed % (uint64_t)(to - from));
}

static void pass_ms(struct world *w, int64_t ms)
{
    int64_t until = clock_ms() + ms;

    WORLD_WAIT(w, ms + 60000, clock_ms() >= until);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static uint16_t port_of(const struct proc *p)
{
    char *text = proc_log(p), *at = strstr(text, "msg=ready");
    uint16_t port = at && (at = strstr(at, "port=")) ? (uint16_t)atoi(at + 5) : 0;

    free(text);
    return port;
}

/* One GET /livez that may take so long. */
static bool lives(const struct proc *p, int ms)
{
    static const char request[] = "GET /livez HTTP/1.0\r\n\r\n";
    struct sockaddr_in to       = {.sin_family      = AF_INET,
                                   .sin_port        = htons(port_of(p)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer[16]             = "";
    int fd                      = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd watch         = {.fd = fd, .events = POLLIN};

    /* A frozen one, too, is connected: by the kernel. */
    bool yes = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
               write(fd, request, sizeof(request) - 1) == sizeof(request) - 1 &&
               poll(&watch, 1, ms) == 1 &&
               recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) == sizeof(answer) - 1 &&
               strstr(answer, " 200 ");
    close(fd);
    return yes;
}

static void judge_alive(struct world *w, const char *when, int64_t *worst)
{
    for (size_t i = 0; i < w->proc_count; i++) {
        int64_t since = clock_ms();

        if (w->procs[i]->stopped || w->procs[i]->pid <= 0)
            continue;
        if (!lives(w->procs[i], ANSWER_MS))
            world_fail(w, "%s does not answer %s", w->procs[i]->name, when);
        *worst = clock_ms() - since > *worst ? clock_ms() - since : *worst;
    }
}

/* ---- freezing -------------------------------------------------------------------------------- */

static size_t leaders(struct world *w, struct proc *ret[LEADERS])
{
    size_t count = 0;

    for (size_t i = 0; i < w->proc_count && count < LEADERS; i++)
        if (proc_said_times(w->procs[i], "msg=\"leadership won\"") >
            proc_said_times(w->procs[i], "msg=\"leadership lost\""))
            ret[count++] = w->procs[i];
    return count;
}

/*
 * The renewals that are under way while the server stands still are answered while the leaders do, and those wake
 * when the answers are too late: then an op meets its end and its deadline in one turn.
 */
static void strike(struct world *w, int64_t *worst)
{
    struct proc *lead[LEADERS];
    size_t count = leaders(w, lead);

    proc_stop(&w->nats);
    pass_ms(w, draw(50, 2 * TERM_MS));
    judge_alive(w, "while nats-server stands still", worst);
    for (size_t i = 0; i < count; i++)
        proc_stop(lead[i]);
    pass_ms(w, draw(1, 100));
    proc_continue(&w->nats);
    pass_ms(w, draw(TERM_MS, 5 * TERM_MS));
    for (size_t i = 0; i < count; i++)
        proc_continue(lead[i]);
    judge_alive(w, "after it was continued", worst);
}

static void ends(struct world *w, struct proc *p)
{
    int status = proc_end(p, DRAIN_MS + ANSWER_MS);

    if (status != 0)
        world_fail(w, "%s did not end within its drain: %d", p->name, status);
}

static void who_is_continued_answers_and_ends(void **state)
{
    struct world *w   = world_new(state, "frozen");
    const char *given = getenv("SLUICE_SEED");
    int64_t worst     = 0;

    seed = given ? strtoull(given, NULL, 10) : (uint64_t)clock_wall_ms();
    print_message("frozen: SLUICE_SEED=%llu\n", (unsigned long long)seed);
    world_env(w, "SLUICE_HTTP", "127.0.0.1:0");
    world_env(w, "SLUICE_DRAIN", "5s");
    (void)world_start(w, "gateway");
    struct proc *two[2] = {world_start(w, "scheduler"), world_start(w, "scheduler")};
    (void)world_start(w, "limiter");
    (void)world_start(w, "browser-worker");
    struct load *load = load_start(w, &MANY);

    for (size_t dose = 1; dose <= DOSES; dose++) {
        size_t before = load_answered(load);
        struct proc *lead[LEADERS];

        WORLD_WAIT(w, 30000,
                   leaders(w, lead) == LEADERS &&
                       (load_answered(load) >= before + 20 || load_done(load)));
        strike(w, &worst);
    }
    judge_all(w, load, 60000);

    proc_stop(&w->nats);
    for (int i = 0; i < 2; i++) {
        proc_stop(two[i]);
        pass_ms(w, TERM_MS);
        ends(w, two[i]); /* continues it */
    }
    proc_continue(&w->nats);
    print_message("frozen: %d doses, the slowest answer took %d ms\n", DOSES, (int)worst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(who_is_continued_answers_and_ends, world_teardown),
    };
    return cmocka_run_group_tests_name("frozen", tests, NULL, NULL);
}
