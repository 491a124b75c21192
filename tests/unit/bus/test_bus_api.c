/* Core requests, the API, streams and consumers. */
#include "bus_world.h"

static int request(struct world *w, struct probe *p, const char *subject, const char *body)
{
    struct bus_out out = {.subject = subject, .body = bytes_str(body)};

    probe_start(w, p, 0);
    assert_false(failed(bus_request(&p->op, &out, 0, probe_next)));
    probe_wait(w, p);
    return p->err.kind;
}

static void echo(void *self, struct bus_msg **msg)
{
    struct world *w     = self;
    struct bus_header h = {"X-Test", "echo"};

    bus_answer(w->bus, *msg, (*msg)->body, &h, 1);
}

static void a_request_is_answered(void **state)
{
    struct world *w     = *state;
    struct bus_sub *sub = NULL;
    struct probe p;

    assert_false(failed(bus_subscribe(w->bus, "echo.*", NULL, echo, w, &sub)));
    assert_int_equal(request(w, &p, "echo.a", "hello"), ERR_NONE);
    assert_string_equal(p.body, "hello");
    assert_string_equal(p.header, "echo");
    assert_int_equal(p.count, 1);
    bus_unsubscribe(&sub);
    assert_int_equal(request(w, &p, "echo.a", "hello"), ERR_ABSENT);
    bus_unsubscribe(&sub);
}

static void an_empty_answer_is_an_answer(void **state)
{
    struct world *w     = *state;
    struct bus_sub *sub = NULL;
    struct probe p;

    assert_false(failed(bus_subscribe(w->bus, "echo.*", NULL, echo, w, &sub)));
    assert_int_equal(request(w, &p, "echo.a", ""), ERR_NONE);
}

static void counts(void *self, struct bus_msg **msg)
{
    (void)msg;
    (*(size_t *)self)++;
}

static void of_a_queue_one_hears_and_of_all_everybody(void **state)
{
    struct world *w        = *state;
    size_t heard[4]        = {0};
    struct bus_sub *sub[4] = {NULL};
    struct bus_out out     = {.subject = "x"};

    for (int n = 0; n < 4; n++)
        assert_false(
            failed(bus_subscribe(w->bus, "x", n < 2 ? "q" : NULL, counts, &heard[n], &sub[n])));
    for (int n = 0; n < 100; n++)
        assert_true(bus_send(w->bus, &out));
    assert_true(world_counts(w, &heard[3], 100));
    world_pass(w, 50);
    assert_int_equal(heard[0] + heard[1], 100);
    assert_int_equal(heard[2], 100);
}

static void a_subject_that_is_none_cannot_be_heard(void **state)
{
    static const char *const bad[] = {"", "a b", "a..b", ">.a", "a.", "a\r\nb"};
    struct world *w                = *state;
    struct bus_sub *sub            = NULL;

    for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++)
        assert_int_equal(bus_subscribe(w->bus, bad[n], NULL, echo, w, &sub).kind, ERR_REJECT);
    assert_int_equal(bus_subscribe(w->bus, "a", "b c", echo, w, &sub).kind, ERR_REJECT);
    assert_null(sub);
}

static struct bus_msg *kept;

static void keeps(void *self, struct bus_msg **msg)
{
    kept          = take(msg);
    *(bool *)self = true;
}

static void a_message_may_be_kept_and_answered_later(void **state)
{
    struct world *w     = *state;
    struct bus_sub *sub = NULL;
    struct bus_out out  = {.subject = "later"};
    bool got            = false;
    struct probe p;

    assert_false(failed(bus_subscribe(w->bus, "later", NULL, keeps, &got, &sub)));
    probe_start(w, &p, 0);
    assert_false(failed(bus_request(&p.op, &out, 0, probe_next)));
    assert_true(world_run(w, world_is_set, &got, WORLD_WAIT_MS));
    bus_unsubscribe(&sub);
    world_pass(w, 30);
    bus_answer(w->bus, kept, bytes_str("now"), NULL, 0);
    bus_msg_free(&kept);
    probe_wait(w, &p);
    assert_string_equal(p.body, "now");

    assert_true(bus_send_from(w->bus, &out, "answers.here"));
}

static void an_answer_to_what_is_no_request_is_nothing(void **state)
{
    struct world *w     = *state;
    struct bus_sub *sub = NULL;
    struct bus_out out  = {.subject = "later"};
    bool got            = false;

    assert_false(failed(bus_subscribe(w->bus, "later", NULL, keeps, &got, &sub)));
    assert_true(bus_send(w->bus, &out));
    assert_true(world_run(w, world_is_set, &got, WORLD_WAIT_MS));
    assert_string_equal(kept->reply, "");
    uint64_t sent = bus_counts(w->bus).sent;
    bus_answer(w->bus, kept, bytes_str("now"), NULL, 0);
    assert_int_equal(bus_counts(w->bus).sent, sent);
    bus_msg_free(&kept);
}

static void a_slow_loop_loses_nothing(void **state)
{
    enum { COUNT = 200000 };
    struct world *w     = *state;
    struct bus_sub *sub = NULL;
    struct bus_out out  = {.subject = "x"};
    size_t heard        = 0;

    assert_false(failed(bus_subscribe(w->bus, "x", NULL, counts, &heard, &sub)));
    for (int n = 0; n < COUNT; n++)
        assert_true(bus_send(w->bus, &out));
    usleep(500000);
    assert_true(world_counts(w, &heard, COUNT));
}

/* ---- the API ------------------------------------------------------------------------------------ */

static void the_api_answers_in_json(void **state)
{
    struct world *w = *state;
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    assert_int_equal(probe_api(w, &p, "STREAM.INFO.S", ""), ERR_NONE);
    assert_non_null(strstr(p.body, "\"name\":\"S\""));
    assert_int_equal(probe_api(w, &p, "STREAM.INFO.NO", ""), ERR_ABSENT);
    assert_int_equal(p.err.code, 10059);
    assert_string_equal(p.text, "stream not found");
    assert_int_equal(probe_api(w, &p, "STREAM.CREATE.T", "{\"name\":\"T\",\"typo\":1}"),
                     ERR_REJECT);
}

static int make(struct world *w, struct probe *p, const char *name, const char *config)
{
    probe_start(w, p, 0);
    assert_false(failed(bus_stream_make(&p->op, name, bytes_str(config), probe_next)));
    probe_wait(w, p);
    return p->err.kind;
}

static void a_stream_is_made_once_and_widened(void **state)
{
    struct world *w = *state;
    struct probe p;

    assert_int_equal(make(w, &p, "S", "{\"name\":\"S\",\"subjects\":[\"s.>\"],\"max_msgs\":5}"),
                     ERR_NONE);
    assert_int_equal(probe_publish(w, &p, "s.a", "kept", NULL), ERR_NONE);
    assert_int_equal(make(w, &p, "S", "{\"name\":\"S\",\"subjects\":[\"s.>\"],\"max_msgs\":5}"),
                     ERR_NONE);
    assert_int_equal(
        make(w, &p, "S", "{\"name\":\"S\",\"subjects\":[\"s.>\",\"t.>\"],\"max_msgs\":9}"),
        ERR_NONE);
    assert_int_equal(probe_api(w, &p, "STREAM.INFO.S", ""), ERR_NONE);
    assert_non_null(strstr(p.body, "\"max_msgs\":9"));
    assert_non_null(strstr(p.body, "\"messages\":1"));
}

/* A work queue's first sequence is the hour of its making: the one that stands keeps its own. */
static void a_stream_keeps_the_first_sequence_it_has(void **state)
{
    struct world *w = *state;
    struct probe p;

    assert_int_equal(
        make(w, &p, "Q", "{\"name\":\"Q\",\"first_seq\":1000,\"subjects\":[\"q.>\"]}"),
        ERR_NONE);
    assert_int_equal(
        make(w, &p, "Q", "{\"name\":\"Q\",\"first_seq\":2000,\"subjects\":[\"q.>\",\"r.>\"]}"),
        ERR_NONE);
    assert_int_equal(probe_publish(w, &p, "r.a", "x", NULL), ERR_NONE);
    assert_int_equal(p.seq, 1000);
    assert_int_equal(probe_api(w, &p, "STREAM.INFO.Q", ""), ERR_NONE);
    assert_non_null(strstr(p.body, "\"first_seq\":1000"));
    assert_null(strstr(p.body, "\"first_seq\":2000"));
}

/* nats-server takes a higher one without a word, and removes all that is below it at its next start. */
static void a_stream_without_a_first_sequence_is_given_none(void **state)
{
    struct world *w = *state;
    struct probe p;

    assert_int_equal(make(w, &p, "Q", "{\"name\":\"Q\",\"subjects\":[\"q.*\"]}"), ERR_NONE);
    assert_int_equal(probe_publish(w, &p, "q.a", "kept", NULL), ERR_NONE);
    assert_int_equal(
        make(w, &p, "Q", "{\"name\":\"Q\",\"first_seq\":2000,\"subjects\":[\"q.*\",\"r.*\"]}"),
        ERR_NONE);
    assert_int_equal(
        make(w, &p, "Q", "{\"first_seq\":2000,\"subjects\":[\"q.*\",\"s.*\"],\"name\":\"Q\"}"),
        ERR_NONE);
    assert_int_equal(
        make(w, &p, "Q", "{\"name\":\"Q\",\"subjects\":[\"q.*\",\"t.*\"],\"first_seq\":2000}"),
        ERR_NONE);

    world_server_end(w, SIGKILL);
    assert_true(world_run(w, world_is_lost, w, WORLD_WAIT_MS));
    world_server_start(w, NULL);
    assert_true(world_run(w, world_is_connected, w, WORLD_WAIT_MS));
    assert_int_equal(probe_api(w, &p, "STREAM.INFO.Q", ""), ERR_NONE);
    assert_non_null(strstr(p.body, "\"t.*\""));
    assert_non_null(strstr(p.body, "\"messages\":1"));
}

static void what_cannot_be_widened_is_rejected_in_words(void **state)
{
    struct world *w = *state;
    struct probe p;

    assert_int_equal(
        make(w, &p, "S", "{\"name\":\"S\",\"subjects\":[\"s.>\"],\"retention\":\"workqueue\"}"),
        ERR_NONE);
    assert_int_equal(make(w, &p, "S", "{\"name\":\"S\",\"subjects\":[\"s.>\"]}"), ERR_REJECT);
    assert_non_null(strstr(p.text, "retention"));
    assert_int_equal(make(w, &p, "A B", "{}"), ERR_REJECT);
    assert_int_equal(make(w, &p, "Z", "not json"), ERR_REJECT);
}

static void a_purge_takes_up_to_and_with_its_sequence(void **state)
{
    struct world *w = *state;
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    for (int n = 0; n < 4; n++)
        assert_int_equal(probe_publish(w, &p, n % 2 ? "s.b" : "s.a", "x", NULL), ERR_NONE);
    probe_start(w, &p, 0);
    assert_false(failed(bus_purge(&p.op, "S", "s.a", 1, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_NONE);
    assert_int_equal(probe_read(w, &p, &(struct bus_read){.stream = "S", .subject = "s.>"}),
                     ERR_NONE);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.seqs[0], 2);
    probe_start(w, &p, 0);
    assert_false(failed(bus_purge(&p.op, "S", "s.>", 0, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(probe_read(w, &p, &(struct bus_read){.stream = "S", .subject = "s.>"}),
                     ERR_NONE);
    assert_int_equal(p.count, 0);
    probe_start(w, &p, 0);
    assert_false(failed(bus_purge(&p.op, "S", "s.\"", 0, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_REJECT);
}

static void a_consumer_is_made_changed_and_deleted(void **state)
{
    static const char *const configs[] = {"{\"ack_policy\":\"explicit\",\"max_ack_pending\":5}",
                                          "{\"durable_name\":\"c\",\"name\":\"c\",\"ack_"
                                          "policy\":\"explicit\",\"max_ack_pending\":7}"};
    struct world *w                    = *state;
    struct probe p;

    world_stream(w, "S", "s.>", NULL);
    for (int n = 0; n < 2; n++) {
        probe_start(w, &p, 0);
        assert_false(
            failed(bus_consumer_make(&p.op, "S", "c", bytes_str(configs[n]), probe_next)));
        probe_wait(w, &p);
        assert_string_equal(p.text, "");
        assert_int_equal(p.err.kind, ERR_NONE);
    }
    assert_int_equal(probe_api(w, &p, "CONSUMER.INFO.S.c", ""), ERR_NONE);
    assert_non_null(strstr(p.body, "\"max_ack_pending\":7"));
    assert_non_null(strstr(p.body, "\"durable_name\":\"c\""));
    for (int n = 0; n < 2; n++) {
        probe_start(w, &p, 0);
        assert_false(failed(bus_consumer_delete(&p.op, "S", "c", probe_next)));
        probe_wait(w, &p);
        assert_int_equal(p.err.kind, n == 0 ? ERR_NONE : ERR_ABSENT);
    }
    probe_start(w, &p, 0);
    assert_false(failed(bus_consumer_make(&p.op, "S", "all", bytes_str("{}"), probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_NONE);
    probe_start(w, &p, 0);
    assert_false(failed(bus_consumer_make(&p.op, "S", "a.b", bytes_str("{}"), probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered),
        TEST(an_empty_answer_is_an_answer),
        TEST(of_a_queue_one_hears_and_of_all_everybody),
        TEST(a_subject_that_is_none_cannot_be_heard),
        TEST(a_message_may_be_kept_and_answered_later),
        TEST(an_answer_to_what_is_no_request_is_nothing),
        TEST(a_slow_loop_loses_nothing),
        TEST(the_api_answers_in_json),
        TEST(a_stream_is_made_once_and_widened),
        TEST(a_stream_keeps_the_first_sequence_it_has),
        TEST(a_stream_without_a_first_sequence_is_given_none),
        TEST(what_cannot_be_widened_is_rejected_in_words),
        TEST(a_purge_takes_up_to_and_with_its_sequence),
        TEST(a_consumer_is_made_changed_and_deleted),
    };
    return GROUP("bus_api", tests);
}
