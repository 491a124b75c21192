#include "bw_agent.h"

#include "sim_rig.h"

#include <uv.h>

#include "base/clk.h"
#include "base/mem.h"

enum { PATIENCE_MS = 20000, BODY_MAX = 1 << 20 };

static struct sim_rig sim;
static uv_loop_t loop;
static struct http *http;
static struct bw_drivers env;
static struct bw_upstream upstream;

/* What was asked, and what came of it, kept beyond the callback. */
struct asked {
    struct bw_call *call;
    unsigned answers, mays, mores;
    unsigned may_until; /* how often it may be sent; 0: always */
    enum call_fate fate;
    enum call_class call_class;
    uint64_t retry_after_ms, ms;
    int status;
    char code[40], detail[300], note[256], path[64], url[256], remote_id[256], value[4096];
    bool gone;
    size_t shot_len;
};

static void on_answer(void *self, const struct bw_answer *a)
{
    struct asked *t = self;
    struct buf text;

    t->call           = NULL;
    t->fate           = a->fate;
    t->call_class     = a->call_class;
    t->retry_after_ms = a->retry_after_ms;
    t->ms             = a->ms;
    t->status         = a->status;
    t->gone           = a->session_gone;
    t->shot_len       = a->shot_count ? a->shots[0].png.len : 0;
    str_copy(t->code, sizeof t->code, a->code ? a->code : "");
    str_copy(t->detail, sizeof t->detail, a->detail ? a->detail : "");
    str_copy(t->note, sizeof t->note, a->note ? a->note : "");
    str_copy(t->path, sizeof t->path, a->endpoint_path ? a->endpoint_path : "");
    str_copy(t->url, sizeof t->url, a->url ? a->url : "");
    str_copy(t->remote_id, sizeof t->remote_id, a->remote_id ? a->remote_id : "");
    buf_init(&text, sizeof t->value - 1);
    if (a->value)
        json_print_sorted(a->value, &text);
    str_copy(t->value, sizeof t->value, text.len ? text.at : "");
    buf_deinit(&text);
    t->answers++;
}

static bool may(void *self)
{
    struct asked *t = self;

    t->mays++;
    return t->may_until == 0 || t->mays <= t->may_until;
}

static void start_with(struct asked *t, struct bw_request request, const char *body)
{
    struct json *doc = NULL;
    char why[JSON_WHY_SIZE];

    if (body)
        assert_false(failed(json_parse(&doc, bytes_str(body), why, sizeof why)));
    request.upstream   = &upstream;
    request.endpoint   = "";
    request.remote_id  = request.remote_id ? request.remote_id : "";
    request.body       = doc;
    request.timeout_ms = request.timeout_ms ? request.timeout_ms : 10000;
    request.body_max   = BODY_MAX;
    request.page_max   = BODY_MAX;
    request.may        = may;
    request.self       = t;
    t->call            = bw_agent.start(&env, &request, on_answer, t);
    assert_int_equal(t->answers, 0);
    json_free(&doc);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void turn_for(struct asked *t, uint64_t ms)
{
    uint64_t end = clk_mono_ms() + ms;
    uv_timer_t tick;

    uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    while (!(t && t->answers) && clk_mono_ms() < end)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static struct asked ask_with(struct bw_request request, const char *body)
{
    struct asked t = {0};

    start_with(&t, request, body);
    turn_for(&t, PATIENCE_MS);
    assert_int_equal(t.answers, 1);
    return t;
}

static struct asked ask(enum bw_verb verb, enum entry_effect effect, const char *remote_id,
                        const char *body)
{
    return ask_with((struct bw_request){.verb = verb, .effect = effect, .remote_id = remote_id},
                    body);
}

static void open_session(char remote_id[256])
{
    struct asked t = ask(BW_OPEN, EFFECT_READ, "", "{\"url\":\"https://shop.example/\"}");

    assert_int_equal(t.fate, CALL_DONE);
    assert_true(*t.remote_id);
    str_copy(remote_id, 256, t.remote_id);
}

static int set_up(void **state)
{
    (void)state;
    sim_rig_start(&sim, "{\"refuse_ms\":1,\"latency\":{\"default\":{\"min\":1,\"max\":3}}}");
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_false(failed(http_open(&http, &loop, &(struct http_config){0})));
    env = (struct bw_drivers){&loop, http};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_free(&http);
    while (uv_run(&loop, UV_RUN_NOWAIT))
        ;
    assert_int_equal(uv_loop_close(&loop), 0);
    sim_rig_end(&sim);
    return 0;
}

static int anew(void **state)
{
    (void)state;
    upstream = (struct bw_upstream){.name        = "sim",
                                    .driver      = "agent",
                                    .profile     = "multion",
                                    .key         = "top-secret-key",
                                    .feature_402 = "not in your plan"};
    str_copy(upstream.url, sizeof upstream.url, sim.url);
    sim_rig_say(
        &sim, "POST", "/_sim/config",
        "{\"statuses\":\"DONE\",\"message\":\"done\",\"keys\":[\"top-secret-key\"],"
        "\"lost\":{\"status\":404,\"text\":\"Session not found or expired\"},"
        "\"rows\":{\"count\":5,\"fields\":[\"title\",\"url\"],\"missing\":0,\"over\":false}}");
    sim_rig_say(&sim, "POST", "/_sim/reset", "");
    return 0;
}

/* Nothing that the simulator would call a misbehaviour, and nothing left under way. */
static int well_behaved(void **state)
{
    struct json *record = sim_rig_call(&sim, "GET", "/_sim/record", "");

    (void)state;
    assert_int_equal(json_count(json_get(record, "violations")), 0);
    json_free(&record);
    return 0;
}

/* ---- what it does well ------------------------------------------------------------------- */

static void a_session_lives_from_open_to_close(void **state)
{
    char id[256], want[300];

    (void)state;
    open_session(id);
    struct asked list = ask(BW_LIST, EFFECT_READ, "", NULL);
    str_format(want, sizeof want, "{\"%s\":\"\"}", id);
    assert_string_equal(list.value, want);

    struct asked browse =
        ask(BW_BROWSE, EFFECT_UNSAFE, id,
            "{\"cmd\":\"buy sim:order=k1\",\"url\":\"https://shop.example/cart\"}");
    assert_int_equal(browse.fate, CALL_DONE);
    assert_int_equal(browse.call_class, CALL_OK);
    assert_int_equal(browse.status, 200);
    assert_string_equal(browse.value, "{\"message\":\"done\",\"status\":\"DONE\"}");
    assert_string_equal(browse.url, "https://shop.example/cart");
    assert_string_equal(browse.note, "done");
    assert_string_equal(browse.path, "/web/browse");

    struct asked touch = ask(BW_TOUCH, EFFECT_READ, id, NULL);
    assert_int_equal(touch.fate, CALL_DONE);
    struct asked closed = ask(BW_CLOSE, EFFECT_READ, id, NULL);
    assert_int_equal(closed.fate, CALL_DONE);
    assert_false(closed.gone);
    list = ask(BW_LIST, EFFECT_READ, "", NULL);
    assert_string_equal(list.value, "{}");
    assert_int_equal(sim_rig_number(&sim, "orders", "k1", "count"), 1);
    assert_int_equal(well_behaved(NULL), 0);
}

static void rows_come_as_the_schema_has_them(void **state)
{
    (void)state;
    sim_rig_say(&sim, "POST", "/_sim/config", "{\"rows\":{\"over\":true}}");
    struct asked t =
        ask(BW_RETRIEVE, EFFECT_READ, "",
            "{\"url\":\"https://a.example\",\"schema\":{\"title\":\"string\"},\"maxItems\":2}");

    assert_int_equal(t.fate, CALL_DONE);
    assert_string_equal(t.path, "/web/retrieve");
    struct json *value = NULL;
    char why[JSON_WHY_SIZE];
    assert_false(failed(json_parse(&value, bytes_str(t.value), why, sizeof why)));
    assert_int_equal(json_count(json_get(value, "rows")), 2);
    assert_non_null(json_str(json_get(json_at(json_get(value, "rows"), 0), "title")));
    json_free(&value);
}

static void rows_that_lack_a_field_do_not_fit(void **state)
{
    (void)state;
    sim_rig_say(&sim, "POST", "/_sim/config", "{\"rows\":{\"missing\":1}}");
    struct asked t = ask(BW_RETRIEVE, EFFECT_READ, "",
                         "{\"url\":\"https://a.example\",\"schema\":{\"title\":\"string\"}}");

    assert_int_equal(t.fate, CALL_FAILED);
    assert_int_equal(t.call_class, CALL_OK);
    assert_string_equal(t.code, "schema_mismatch");
}

static void a_picture_is_fetched_without_the_key(void **state)
{
    char id[256];

    (void)state;
    open_session(id);
    struct asked t = ask(BW_SCREENSHOT, EFFECT_READ, id, NULL);
    if (t.fate != CALL_DONE)
        fail_msg("%s", t.detail);
    assert_true(t.shot_len > 8);
    assert_int_equal(well_behaved(NULL), 0); /* key_sent_to_blob would be one */
}

/* ---- a command that goes on -------------------------------------------------------------- */

static void a_command_that_goes_on_is_sent_again_in_its_session(void **state)
{
    char id[256];

    (void)state;
    open_session(id);
    struct asked t = ask(BW_BROWSE, EFFECT_UNSAFE, id,
                         "{\"cmd\":\"buy sim:order=k2 sim:status=CONTINUE*2,DONE\"}");
    assert_int_equal(t.fate, CALL_DONE);
    assert_int_equal(t.mays, 3);
    assert_int_equal(sim_rig_number(&sim, "calls", "browse", "arrived"), 3);
    assert_int_equal(sim_rig_number(&sim, "orders", "k2", "count"), 1);
}

static void going_on_has_an_end(void **state)
{
    char id[256];

    (void)state;
    open_session(id);
    struct asked t = ask(BW_BROWSE, EFFECT_READ, id, "{\"cmd\":\"look sim:status=CONTINUE\"}");
    assert_int_equal(t.fate, CALL_FAILED);
    assert_string_equal(t.code, "upstream_failed");
    assert_int_equal(sim_rig_number(&sim, "calls", "browse", "arrived"), 51);
}

static void past_its_deadline_a_command_is_not_sent_again(void **state)
{
    struct asked t = {.may_until = 2};
    char id[256];

    (void)state;
    open_session(id);
    start_with(&t,
               (struct bw_request){.verb = BW_BROWSE, .effect = EFFECT_UNSAFE, .remote_id = id},
               "{\"cmd\":\"buy sim:status=CONTINUE\"}");
    turn_for(&t, PATIENCE_MS);
    assert_int_equal(t.fate, CALL_UNANSWERED);
    assert_string_equal(t.code, "step_timeout");
    assert_int_equal(sim_rig_number(&sim, "calls", "browse", "arrived"), 2);
}

static void refused_on_the_way_an_unsafe_command_is_not_unsent(void **state)
{
    char id[256];

    (void)state;
    open_session(id);
    sim_rig_say(&sim, "POST", "/_sim/faults",
                "{\"fault\":\"429\",\"endpoint\":\"browse\",\"skip\":1}");
    struct asked t =
        ask(BW_BROWSE, EFFECT_UNSAFE, id, "{\"cmd\":\"buy sim:status=CONTINUE,DONE\"}");
    assert_int_equal(t.fate, CALL_UNANSWERED);
    assert_int_equal(t.call_class, CALL_RATE);
}

static struct {
    bw_go_fn *go;
    struct bw_call *call;
    enum call_class call_class;
} held;

static void on_more(void *self, const struct bw_answer *so_far, bw_go_fn *go,
                    struct bw_call *call)
{
    struct asked *t = self;

    t->mores++;
    held.go         = go;
    held.call       = call;
    held.call_class = so_far->call_class;
}

static void each_further_request_waits_for_its_own_permit(void **state)
{
    struct asked t = {0};
    char id[256];

    (void)state;
    open_session(id);
    start_with(
        &t,
        (struct bw_request){
            .verb = BW_BROWSE, .effect = EFFECT_UNSAFE, .remote_id = id, .more = on_more},
        "{\"cmd\":\"buy sim:status=CONTINUE,DONE\"}");
    while (!t.mores)
        uv_run(&loop, UV_RUN_ONCE);
    turn_for(&t, 100);
    assert_int_equal(t.answers, 0);
    assert_int_equal(held.call_class, CALL_OK);
    assert_int_equal(sim_rig_number(&sim, "calls", "browse", "arrived"), 1);
    held.go(held.call, true);
    turn_for(&t, PATIENCE_MS);
    assert_int_equal(t.fate, CALL_DONE);
}

/* An order of two requests, the second of which meets a fault; with as many permits as it asks for. */
static struct asked order_with(const char *fault)
{
    struct asked t  = {0};
    unsigned permit = 0;
    char id[256], body[160];

    open_session(id);
    str_format(body, sizeof body, "{\"fault\":\"%s\",\"endpoint\":\"browse\",\"skip\":1}",
               fault);
    sim_rig_say(&sim, "POST", "/_sim/faults", body);
    start_with(
        &t,
        (struct bw_request){
            .verb = BW_BROWSE, .effect = EFFECT_UNSAFE, .remote_id = id, .more = on_more},
        "{\"cmd\":\"buy sim:status=CONTINUE,DONE\"}");
    while (!t.answers) {
        uv_run(&loop, UV_RUN_ONCE);
        if (t.mores > permit && !t.answers) {
            permit = t.mores;
            held.go(held.call, true);
        }
    }
    return t;
}

static void deferred_on_its_way_an_unsafe_command_goes_on(void **state)
{
    (void)state;
    struct asked t = order_with("429");
    assert_int_equal(t.fate, CALL_DONE);
    assert_int_equal(t.mores, 2);
    assert_int_equal(held.call_class, CALL_RATE);
    assert_int_equal(sim_rig_number(&sim, "calls", "browse", "arrived"), 3);
}

static void what_failed_on_its_way_is_not_sent_again(void **state)
{
    (void)state;
    struct asked t = order_with("500_after");
    assert_int_equal(t.fate, CALL_FAILED);
    assert_int_equal(t.mores, 1);
    assert_int_equal(sim_rig_number(&sim, "calls", "browse", "arrived"), 2);
}

static void without_a_further_permit_it_ends_with_what_is_known(void **state)
{
    struct asked read = {0}, unsafe = {0};
    char id[256];

    (void)state;
    open_session(id);
    start_with(&read,
               (struct bw_request){
                   .verb = BW_BROWSE, .effect = EFFECT_READ, .remote_id = id, .more = on_more},
               "{\"cmd\":\"look sim:status=CONTINUE\"}");
    while (!read.mores)
        uv_run(&loop, UV_RUN_ONCE);
    held.go(held.call, false);
    assert_int_equal(read.answers, 1);
    assert_int_equal(read.fate, CALL_DEFERRED);
    assert_int_equal(read.call_class, CALL_UNSENT);
    start_with(
        &unsafe,
        (struct bw_request){
            .verb = BW_BROWSE, .effect = EFFECT_UNSAFE, .remote_id = id, .more = on_more},
        "{\"cmd\":\"buy sim:status=CONTINUE\"}");
    while (!unsafe.mores)
        uv_run(&loop, UV_RUN_ONCE);
    held.go(held.call, false);
    assert_int_equal(unsafe.fate, CALL_UNANSWERED);
}

/* ---- faults ------------------------------------------------------------------------------ */

static void every_fault_has_its_fate_class_and_code(void **state)
{
    static const struct {
        const char *fault; /* of the simulator, with its further fields */
        enum call_fate fate;
        enum call_class call_class;
        const char *code;
        uint64_t retry_after_ms;
        bool gone;
    } CASES[] = {
        {"\"402\"", CALL_DEFERRED, CALL_PAYMENT, "upstream_refused", 0, false},
        {"\"402\",\"retry_after\":3", CALL_DEFERRED, CALL_RATE, "upstream_refused", 3000,
         false},
        {"\"402_feature\"", CALL_REFUSED, CALL_CLIENT, "upstream_refused", 0, false},
        {"\"429\"", CALL_DEFERRED, CALL_RATE, "upstream_refused", 0, false},
        {"\"429\",\"retry_after\":3", CALL_DEFERRED, CALL_RATE, "upstream_refused", 3000,
         false},
        {"\"429\",\"retry_after\":3,\"retry_after_form\":\"date\"", CALL_DEFERRED, CALL_RATE,
         "upstream_refused", 3000, false},
        {"\"429\",\"retry_after\":\"soon\"", CALL_DEFERRED, CALL_RATE, "upstream_refused", 0,
         false},
        {"\"429\",\"headers\":{\"RateLimit\":\"\\\"a\\\";r=0;t=4\"}", CALL_DEFERRED, CALL_RATE,
         "upstream_refused", 4000, false},
        {"\"429_concurrency\"", CALL_DEFERRED, CALL_CONCURRENCY, "upstream_refused", 1000,
         false},
        {"\"429_sessions\"", CALL_DEFERRED, CALL_CONCURRENCY, "upstream_refused", 1000, false},
        {"\"400\"", CALL_REFUSED, CALL_CLIENT, "upstream_refused", 0, false},
        {"\"401\"", CALL_REFUSED, CALL_CLIENT, "upstream_refused", 0, false},
        {"\"403\"", CALL_REFUSED, CALL_CLIENT, "upstream_refused", 0, false},
        {"\"422\"", CALL_REFUSED, CALL_CLIENT, "upstream_refused", 0, false},
        {"\"409\",\"text\":\"session already has an active run\"", CALL_DEFERRED, CALL_CLIENT,
         "upstream_refused", 2000, false},
        {"\"500\"", CALL_FAILED, CALL_SERVER, "upstream_failed", 0, false},
        {"\"500_after\"", CALL_FAILED, CALL_SERVER, "upstream_failed", 0, false},
        {"\"503\"", CALL_FAILED, CALL_SERVER, "upstream_failed", 0, false},
        {"\"503\",\"retry_after\":2", CALL_FAILED, CALL_RATE, "upstream_failed", 2000, false},
        {"\"html_502\"", CALL_FAILED, CALL_SERVER, "upstream_failed", 0, false},
        {"\"reset\"", CALL_UNANSWERED, CALL_SERVER, "upstream_failed", 0, false},
        {"\"reset_after\"", CALL_UNANSWERED, CALL_SERVER, "upstream_failed", 0, false},
        {"\"close\"", CALL_UNANSWERED, CALL_SERVER, "upstream_failed", 0, false},
        {"\"close_after\"", CALL_UNANSWERED, CALL_SERVER, "upstream_failed", 0, false},
        {"\"garbage\"", CALL_UNANSWERED, CALL_SERVER, "upstream_failed", 0, false},
        {"\"truncated\"", CALL_UNANSWERED, CALL_SERVER, "upstream_failed", 0, false},
        {"\"empty\"", CALL_UNANSWERED, CALL_SERVER, "upstream_failed", 0, false},
        {"\"deep\"", CALL_UNANSWERED, CALL_SERVER, "upstream_failed", 0, false},
        {"\"endless\"", CALL_UNANSWERED, CALL_SERVER, "response_too_large", 0, false},
        {"\"session_lost\"", CALL_SESSION_LOST, CALL_CLIENT, "session_lost", 0, true},
        {"\"answer\",\"status\":\"ASK_USER\"", CALL_REFUSED, CALL_OK, "upstream_refused", 0,
         false},
        {"\"answer\",\"status\":\"NOT SURE\"", CALL_UNANSWERED, CALL_OK, "upstream_failed", 0,
         false},
        {"\"answer\",\"status\":\"whatever\"", CALL_UNANSWERED, CALL_OK, "upstream_failed", 0,
         false},
        {"\"wrong_type\"", CALL_DONE, CALL_OK, "", 0, false},
        {"\"drip\",\"drip_ms\":1", CALL_DONE, CALL_OK, "", 0, false},
    };
    size_t count = sizeof CASES / sizeof *CASES;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        char id[256], fault[400];

        open_session(id);
        str_format(fault, sizeof fault, "{\"endpoint\":\"browse\",\"fault\":%s}",
                   CASES[i].fault);
        sim_rig_say(&sim, "POST", "/_sim/faults", fault);
        struct asked t = ask(BW_BROWSE, EFFECT_UNSAFE, id, "{\"cmd\":\"buy\"}");
        /* A date has no parts of a second. */
        bool in_time = t.retry_after_ms <= CASES[i].retry_after_ms &&
                       t.retry_after_ms + 1000 >= CASES[i].retry_after_ms;
        if (t.fate != CASES[i].fate || t.call_class != CASES[i].call_class ||
            strcmp(t.code, CASES[i].code) != 0 || t.gone != CASES[i].gone || !in_time)
            fail_msg("%s: fate %d class %d code %s gone %d retry_after %d: %s", CASES[i].fault,
                     t.fate, t.call_class, t.code, t.gone, (int)t.retry_after_ms, t.detail);
    }
    /* Unsafe, and each was sent exactly once whatever became of it. */
    assert_int_equal(sim_rig_number(&sim, "calls", "browse", "arrived"), (int64_t)count);
}

static void a_hang_ends_at_the_steps_timeout(void **state)
{
    char id[256];

    (void)state;
    open_session(id);
    sim_rig_say(&sim, "POST", "/_sim/faults", "{\"fault\":\"hang\",\"endpoint\":\"browse\"}");
    uint64_t began = clk_mono_ms();
    struct asked t = ask_with(
        (struct bw_request){
            .verb = BW_BROWSE, .effect = EFFECT_UNSAFE, .remote_id = id, .timeout_ms = 2000},
        "{\"cmd\":\"buy\"}");
    assert_int_equal(t.fate, CALL_UNANSWERED);
    assert_int_equal(t.call_class, CALL_TIMEOUT);
    assert_string_equal(t.code, "step_timeout");
    assert_in_range(clk_mono_ms() - began, 1900, 4000);
    assert_int_equal(sim_rig_number(&sim, "calls", "browse", "arrived"), 1);
}

static void nobody_there_is_not_sent(void **state)
{
    (void)state;
    str_copy(upstream.url, sizeof upstream.url, "http://127.0.0.1:1/v1");
    struct asked t = ask(BW_BROWSE, EFFECT_UNSAFE, "r1", "{\"cmd\":\"buy\"}");
    assert_int_equal(t.fate, CALL_NOT_SENT);
    assert_int_equal(t.call_class, CALL_SERVER);
    assert_int_equal(t.status, 0);
}

static void an_open_that_is_lost_has_no_session(void **state)
{
    static const char *const FAULTS[] = {"reset_after", "garbage", "truncated", "empty"};

    (void)state;
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++) {
        char fault[100];
        str_format(fault, sizeof fault, "{\"endpoint\":\"open\",\"fault\":\"%s\"}", FAULTS[i]);
        sim_rig_say(&sim, "POST", "/_sim/faults", fault);
        struct asked t = ask(BW_OPEN, EFFECT_READ, "", "{\"url\":\"https://a.example\"}");
        assert_int_equal(t.fate, CALL_UNANSWERED);
        assert_string_equal(t.remote_id, "");
    }
}

static void a_session_that_is_gone_is_closed(void **state)
{
    char id[256];

    (void)state;
    open_session(id);
    sim_rig_say(&sim, "POST", "/_sim/expire", "{\"session\":\"*\"}");
    struct asked t = ask(BW_CLOSE, EFFECT_READ, id, NULL);
    assert_int_equal(t.fate, CALL_DONE);
    assert_true(t.gone);
}

static void a_lost_session_is_known_by_its_words_too(void **state)
{
    static const int LOST[] = {400, 422, 500};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char id[256], config[100];
        open_session(id);
        str_format(config, sizeof config, "{\"lost\":{\"status\":%d}}", LOST[i]);
        sim_rig_say(&sim, "POST", "/_sim/config", config);
        sim_rig_say(&sim, "POST", "/_sim/expire", "{\"session\":\"*\"}");
        struct asked t = ask(BW_BROWSE, EFFECT_READ, id, "{\"cmd\":\"look\"}");
        assert_int_equal(t.fate, CALL_SESSION_LOST);
        assert_true(t.gone);
    }
}

/* ---- what it must not do ----------------------------------------------------------------- */

static void what_may_not_be_sent_is_not_sent(void **state)
{
    struct asked t = {.may_until = 1, .mays = 1};

    (void)state;
    start_with(
        &t, (struct bw_request){.verb = BW_BROWSE, .effect = EFFECT_UNSAFE, .remote_id = "r1"},
        "{\"cmd\":\"buy\"}");
    turn_for(&t, PATIENCE_MS);
    assert_int_equal(t.fate, CALL_NOT_SENT);
    assert_int_equal(t.call_class, CALL_UNSENT);
    assert_int_equal(sim_rig_number(&sim, "calls", "total", NULL), 0);
}

static void a_step_for_another_driver_is_refused_unsent(void **state)
{
    (void)state;
    struct asked t = ask(BW_BROWSE, EFFECT_UNSAFE, "r1", "{\"actions\":[]}");
    assert_int_equal(t.fate, CALL_REFUSED);
    assert_int_equal(t.call_class, CALL_UNSENT);
    assert_int_equal(sim_rig_number(&sim, "calls", "total", NULL), 0);
}

static void neither_key_nor_session_is_repeated_to_the_tenant(void **state)
{
    char id[256], fault[600];

    (void)state;
    open_session(id);
    str_format(fault, sizeof fault,
               "{\"fault\":\"400\",\"endpoint\":\"browse\",\"text\":\"key top-secret-key of %s "
               "is bad\"}",
               id);
    sim_rig_say(&sim, "POST", "/_sim/faults", fault);
    struct asked t = ask(BW_BROWSE, EFFECT_READ, id, "{\"cmd\":\"look\"}");
    assert_string_equal(t.detail, "/web/browse answered 400: key *** of *** is bad");
    assert_null(strstr(t.path, id));
}

static void a_cancelled_call_says_nothing(void **state)
{
    struct asked sent = {0}, unsent = {.may_until = 1, .mays = 1};
    char id[256];

    (void)state;
    open_session(id);
    start_with(&sent,
               (struct bw_request){.verb = BW_BROWSE, .effect = EFFECT_READ, .remote_id = id},
               "{\"cmd\":\"look sim:latency=200\"}");
    start_with(&unsent,
               (struct bw_request){.verb = BW_BROWSE, .effect = EFFECT_READ, .remote_id = id},
               "{\"cmd\":\"look\"}");
    bw_agent.cancel(&unsent.call);
    turn_for(NULL, 50);
    bw_agent.cancel(&sent.call);
    assert_null(sent.call);
    turn_for(NULL, 300);
    assert_int_equal(sent.answers + unsent.answers, 0);
}

/* What was sent goes on over there: another hears how it ends, and that nothing more was sent. */
static void a_call_that_is_left_is_heard_to_its_end(void **state)
{
    struct asked first = {0}, other = {0};
    char id[256];

    (void)state;
    open_session(id);
    start_with(&first,
               (struct bw_request){.verb = BW_BROWSE, .effect = EFFECT_READ, .remote_id = id},
               "{\"cmd\":\"look sim:latency=100 sim:status=CONTINUE,DONE\"}");
    bw_agent.leave(first.call, on_answer, &other);
    assert_int_equal(other.answers, 0);
    turn_for(&other, PATIENCE_MS);
    assert_int_equal(first.answers, 0);
    assert_int_equal(other.answers, 1);
    assert_int_equal(other.call_class, CALL_OK);
    assert_int_equal(other.status, 200);
    assert_true(other.ms >= 100);
    assert_int_equal(sim_rig_number(&sim, "calls", "browse", "arrived"), 1);
}

static void a_call_that_is_left_between_two_requests_ends_unsent(void **state)
{
    struct asked first = {0}, other = {0};
    char id[256];

    (void)state;
    open_session(id);
    start_with(&first,
               (struct bw_request){
                   .verb = BW_BROWSE, .effect = EFFECT_READ, .remote_id = id, .more = on_more},
               "{\"cmd\":\"look sim:status=CONTINUE,DONE\"}");
    while (!first.mores)
        uv_run(&loop, UV_RUN_ONCE);
    bw_agent.leave(held.call, on_answer, &other);
    assert_int_equal(other.answers, 0);
    turn_for(&other, PATIENCE_MS);
    assert_int_equal(other.answers, 1);
    assert_int_equal(other.call_class, CALL_UNSENT);
    assert_int_equal(sim_rig_number(&sim, "calls", "browse", "arrived"), 1);
}

#define TEST(f) cmocka_unit_test_setup(f, anew)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_lives_from_open_to_close),
        TEST(rows_come_as_the_schema_has_them),
        TEST(rows_that_lack_a_field_do_not_fit),
        TEST(a_picture_is_fetched_without_the_key),
        TEST(a_command_that_goes_on_is_sent_again_in_its_session),
        TEST(going_on_has_an_end),
        TEST(past_its_deadline_a_command_is_not_sent_again),
        TEST(refused_on_the_way_an_unsafe_command_is_not_unsent),
        TEST(each_further_request_waits_for_its_own_permit),
        TEST(deferred_on_its_way_an_unsafe_command_goes_on),
        TEST(what_failed_on_its_way_is_not_sent_again),
        TEST(without_a_further_permit_it_ends_with_what_is_known),
        TEST(every_fault_has_its_fate_class_and_code),
        TEST(a_hang_ends_at_the_steps_timeout),
        TEST(nobody_there_is_not_sent),
        TEST(an_open_that_is_lost_has_no_session),
        TEST(a_session_that_is_gone_is_closed),
        TEST(a_lost_session_is_known_by_its_words_too),
        TEST(what_may_not_be_sent_is_not_sent),
        TEST(a_step_for_another_driver_is_refused_unsent),
        TEST(neither_key_nor_session_is_repeated_to_the_tenant),
        TEST(a_cancelled_call_says_nothing),
        TEST(a_call_that_is_left_is_heard_to_its_end),
        TEST(a_call_that_is_left_between_two_requests_ends_unsent),
    };
    return cmocka_run_group_tests_name("bw_agent", tests, set_up, tear_down);
}
