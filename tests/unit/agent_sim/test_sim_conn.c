#include "agent_sim/sim_client.h"
#include "agent_sim/sim_judge.h"
#include "agent_sim/sim_probe.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct sim_client *sim;
static int port;

static int with_sim(void **state)
{
    (void)state;
    sim = sim_client_start(
        &(struct sim_client_start){.config = "{\"latency\":{\"default\":10}}"});
    if (!sim)
        return -1;
    port = sim_client_port(sim);
    return 0;
}

static int fresh(void **state)
{
    (void)state;
    return sim_client_reset(sim) ? 0 : -1;
}

static int without(void **state)
{
    (void)state;
    return sim_client_stop(&sim) ? 0 : -1;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void assert_status(int fd, int status)
{
    struct sim_probe_reply reply = sim_probe_read(fd, 10000, 0);

    assert_int_equal(reply.status, status);
    sim_probe_deinit(&reply);
}

static void connection_is_kept_and_its_requests_are_counted(void **state)
{
    (void)state;
    int fd = sim_probe_connect(port);

    for (int i = 0; i < 3; i++) {
        sim_probe_send(fd, "GET", "/v1/web/sessions", NULL);
        assert_status(fd, 200);
    }
    close(fd);

    struct sim_judge *judge = sim_client_judge(sim);

    assert_int_equal(sim_judge_calls(judge), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sim_judge_call(judge, i)->nth, i + 1);
        assert_int_equal(sim_judge_call(judge, i)->conn, sim_judge_call(judge, 0)->conn);
    }
    sim_judge_free(&judge);
}

static void request_sent_ahead_waits_its_turn_and_counts_from_its_arrival(void **state)
{
    (void)state;
    int fd = sim_probe_connect(port);

    sim_probe_send(fd, "POST", "/v1/web/retrieve", "{\"cmd\":\"sim:latency=200\"}");
    sim_probe_send(fd, "DELETE", "/v1/web/session/none", NULL);

    struct sim_probe_reply reply = sim_probe_read(fd, 10000, 0);

    assert_int_equal(reply.status, 200);
    if (!strstr(reply.body, "HTTP/1.1 404")) /* else both came in one piece */
        assert_status(fd, 404);
    sim_probe_deinit(&reply);
    close(fd);

    struct sim_judge *judge             = sim_client_judge(sim);
    const struct sim_judge_call *first  = sim_judge_call(judge, 0);
    const struct sim_judge_call *second = sim_judge_call(judge, 1);

    assert_true(second->span.begin_ns < first->span.end_ns);
    assert_true(second->span.end_ns > first->span.end_ns);
    sim_judge_free(&judge);
}

static void body_in_small_pieces_is_one_request(void **state)
{
    static const char REQUEST[] = "POST /v1/web/retrieve HTTP/1.1\r\nX_MULTION_API_KEY: k\r\n"
                                  "Content-Length: 11\r\n\r\n{\"cmd\":\"x\"}";
    (void)state;
    int fd = sim_probe_connect(port);

    for (size_t i = 0; i < strlen(REQUEST); i++)
        assert_int_equal(send(fd, REQUEST + i, 1, MSG_NOSIGNAL), 1);
    assert_status(fd, 200);
    close(fd);
}

static void large_body_is_asked_for_by_continue(void **state)
{
    (void)state;
    char text[64] = "";
    int fd        = sim_probe_connect(port);

    send_text(fd, "POST /v1/web/retrieve HTTP/1.1\r\nX_MULTION_API_KEY: k\r\n"
                  "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n");
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, "HTTP/1.1 100 Continue\r\n\r\n");
    send_text(fd, "{\"cmd\":\"x\"}");
    assert_status(fd, 200);
    close(fd);
}

static void close_is_done_when_asked_for(void **state)
{
    (void)state;
    char rest[8];
    int fd = sim_probe_connect(port);

    send_text(fd, "GET /v1/web/sessions HTTP/1.1\r\nX_MULTION_API_KEY: k\r\n"
                  "Connection: close\r\n\r\n");
    assert_status(fd, 200);
    assert_int_equal(recv(fd, rest, sizeof rest, 0), 0);
    close(fd);
}

static void nonsense_is_answered_and_ended(void **state)
{
    (void)state;
    int fd = sim_probe_connect(port);

    send_text(fd, "what is this\r\n\r\n");
    assert_status(fd, 400);
    close(fd);
}

/* The point of the kernel's receive time: a simulator that could not look for half a second
   does not see the calls of that time in one instant. */
static void arrivals_are_stamped_when_they_came_not_when_they_were_seen(void **state)
{
    (void)state;
    struct timespec pause = {.tv_nsec = 300000000};
    int one = sim_probe_connect(port), two = sim_probe_connect(port);

    /* Both connections must be accepted before the pause. */
    sim_probe_send(one, "GET", "/v1/web/sessions", NULL);
    assert_status(one, 200);
    sim_probe_send(two, "GET", "/v1/web/sessions", NULL);
    assert_status(two, 200);

    kill(sim_client_pid(sim), SIGSTOP);
    sim_probe_send(one, "GET", "/v1/web/sessions", NULL);
    nanosleep(&pause, NULL);
    sim_probe_send(two, "GET", "/v1/web/sessions", NULL);
    nanosleep(&pause, NULL);
    kill(sim_client_pid(sim), SIGCONT);
    assert_status(one, 200);
    assert_status(two, 200);

    struct sim_judge *judge = sim_client_judge(sim);
    uint64_t a              = sim_judge_call(judge, 2)->span.begin_ns;
    uint64_t b              = sim_judge_call(judge, 3)->span.begin_ns;

    assert_true((a > b ? a - b : b - a) >= 290000000u);
    assert_true(sim_judge_lag_max_us(judge) >= 290000);
    sim_judge_free(&judge);
    close(one);
    close(two);
}

#define FRESH(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(connection_is_kept_and_its_requests_are_counted),
        FRESH(request_sent_ahead_waits_its_turn_and_counts_from_its_arrival),
        FRESH(body_in_small_pieces_is_one_request),
        FRESH(large_body_is_asked_for_by_continue),
        FRESH(close_is_done_when_asked_for),
        FRESH(nonsense_is_answered_and_ended),
        FRESH(arrivals_are_stamped_when_they_came_not_when_they_were_seen),
    };
    return cmocka_run_group_tests_name("sim_conn", tests, with_sim, without);
}
