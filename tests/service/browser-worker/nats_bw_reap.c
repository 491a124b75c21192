#include "bw_reap.h"

#include <dirent.h>

#include "nats_rig.h"
#include "sim_rig.h"

#include "base/log.h"
#include "bw.h"
#include "bw_table.h"
#include "bw_upstream.h"
#include "json/json.h"
#include "wire/wire_journal.h"

enum { OP_MAGIC = 0x6f707321 };

static struct nats_rig rig;
static struct sim_rig sim;
static pid_t worker;
static char acme_run[ID_SIZE];

/* ---- browsers: a folder, in which each file is a session and holds its stamp --------------- */

/* "http:/" + a folder's path. */
#define PLACE "http:/"
#define HANGS ".hangs" /* in a folder: its list is not answered */
#define SLOW ".slow"   /* in a folder: no touch is answered yet */
#define SAID ".said"   /* what the worker warned of, a line each */
#define RESTS ".rests" /* since the worker ended its first sweep */
/* In a folder: of each session that is being kept warm, and of each that was. */
#define TOUCHING ".touching-"
#define TOUCHED ".touched-"

enum { TOUCHES_MAX = 32 }; /* at once, wherever */

struct bw_call {
    uv_timer_t timer;
    char folder[256], id[256], path[1024]; /* the session's */
    enum bw_verb verb;
    bw_answer_fn *fn;
    void *self;
};

static struct json *folder_list(const char *folder)
{
    struct json *list = json_new_object();
    DIR *dir          = opendir(folder);

    for (struct dirent *d; dir && (d = readdir(dir));) {
        char path[1024], stamp[256] = "";
        str_format(path, sizeof path, "%s/%s", folder, d->d_name);
        FILE *from = d->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!from)
            continue;
        (void)!fgets(stamp, sizeof stamp, from);
        fclose(from);
        json_set(list, d->d_name, json_new_str(stamp));
    }
    if (dir)
        closedir(dir);
    return list;
}

static bool in_folder(const char *path, const char *name)
{
    char full[1024];

    str_format(full, sizeof full, "%s/%s", path, name);
    return access(full, F_OK) == 0;
}

static void folder_closed(uv_handle_t *timer)
{
    struct bw_call *c = timer->data;

    mem_free(&c);
}

static size_t touching; /* sessions at once */

/* Of one session never two. */
static void touch_begins(const struct bw_call *c)
{
    char path[1024];

    str_format(path, sizeof path, "%s/" TOUCHING "%s", c->folder, c->id);
    must(access(path, F_OK) != 0 && ++touching <= TOUCHES_MAX);
    FILE *mark = fopen(path, "w");
    must(mark);
    fclose(mark);
}

static void touch_ends(const struct bw_call *c, struct bw_answer *a)
{
    char from[1024], to[1024];

    str_format(from, sizeof from, "%s/" TOUCHING "%s", c->folder, c->id);
    str_format(to, sizeof to, "%s/" TOUCHED "%s", c->folder, c->id);
    must(rename(from, to) == 0);
    touching--;
    if (in_folder(c->folder, c->id))
        return;
    a->fate         = CALL_SESSION_LOST;
    a->detail       = "no such session";
    a->session_gone = true;
}

static void folder_answers(uv_timer_t *timer)
{
    struct bw_call *c  = timer->data;
    struct bw_answer a = {.fate = CALL_DONE, .call_class = CALL_OK, .status = 200};

    if (c->verb == BW_TOUCH && in_folder(c->folder, SLOW))
        return; /* until then */
    if (c->verb == BW_LIST && in_folder(c->folder, HANGS))
        a = (struct bw_answer){
            .fate = CALL_UNANSWERED, .call_class = CALL_TIMEOUT, .detail = "hangs"};
    else if (c->verb == BW_LIST)
        a.value = folder_list(c->folder);
    else if (c->verb == BW_TOUCH)
        touch_ends(c, &a);
    else
        (void)unlink(c->path);
    c->fn(c->self, &a);
    json_free(&a.value);
    uv_close((uv_handle_t *)timer, folder_closed);
}

static struct bw_call *folder_start(const struct bw_drivers *env,
                                    const struct bw_request *request, bw_answer_fn *fn,
                                    void *self)
{
    struct bw_call *c = mem_new(struct bw_call);

    str_copy(c->folder, sizeof c->folder, request->endpoint + strlen(PLACE));
    str_copy(c->id, sizeof c->id, request->remote_id);
    str_format(c->path, sizeof c->path, "%s/%s", c->folder, c->id);
    c->verb = request->verb;
    c->fn   = fn;
    c->self = self;
    if (c->verb == BW_TOUCH)
        touch_begins(c);
    uv_timer_init(env->loop, &c->timer);
    c->timer.data = c;
    uv_timer_start(&c->timer, folder_answers, 1, 5);
    return c;
}

static void folder_cancel(struct bw_call **slot)
{
    struct bw_call *c = take(slot);

    uv_close((uv_handle_t *)&c->timer, folder_closed);
}

const struct bw_driver bw_webdriver = {
    .name = "webdriver", .stamps = true, .start = folder_start, .cancel = folder_cancel};

/* ---- the worker: nothing of it but the reaper -------------------------------------------- */

static uint64_t tick(void *self, uint64_t now)
{
    static bool swept;
    struct bw *bw = self;
    uint64_t next = bw_reap_tick(bw->reaper, now);

    if (swept && next != UINT64_MAX)
        fclose(fopen(getenv("BW_REAP_RESTS"), "w"));
    swept = next == UINT64_MAX;
    return next;
}

static void say(void *self, enum log_level level, const char *message, const char *line)
{
    FILE *to = level == LOG_LEVEL_WARN ? fopen(self, "a") : NULL;

    (void)message;
    if (getenv("RIG_SHOW") || level == LOG_LEVEL_ERROR)
        fprintf(stderr, "%s\n", line);
    if (to) {
        fprintf(to, "%s\n", line);
        fclose(to);
    }
}

static void run_worker(void)
{
    static char *argv[]           = {"reaper", NULL};
    const struct bw_config config = {.reap_ms      = (uint64_t)atoi(getenv("BW_REAP_MS")),
                                     .response_max = 1 << 20,
                                     .page_max     = 1 << 20};
    const struct svc_about about  = {.name = "sluice-browser-worker", .summary = "reaps"};

    log_sink(say, getenv("BW_REAP_SAID"));
    struct svc *svc = svc_new(&about, 1, argv);
    struct bw bw    = {.svc = svc, .bus = svc_bus(svc), .config = &config};

    if (failed(http_open(&bw.http, svc_loop(svc), &(struct http_config){0})))
        _exit(9);
    bw.drivers   = (struct bw_drivers){svc_loop(svc), bw.http};
    bw.permits   = bw_permit_new(bw.bus);
    bw.upstreams = bw_upstream_new(bw.bus);
    bw.table     = bw_table_new(bw.bus);
    bw.reaper    = bw_reap_new(&bw);
    svc_tick(svc, tick, &bw);
    int status = svc_run(svc);
    bw_reap_free(&bw.reaper);
    bw_table_free(&bw.table);
    bw_upstream_free(&bw.upstreams);
    bw_permit_free(&bw.permits);
    http_free(&bw.http);
    svc_free(&svc);
    exit(status);
}

/* ---- from outside ------------------------------------------------------------------------ */

struct op {
    struct bus_op op;
    struct err err;
    struct buf body;
    bool ended;
};

static struct err op_next(struct bus_op *op, const struct bus_reply *reply)
{
    struct op *o = SELF(struct op, OP_MAGIC, op);

    buf_add(&o->body, reply->body.at, reply->body.len);
    return failed(reply->err) ? reply->err : bus_op_done(op);
}

static void op_end(struct bus_op *op, struct err e)
{
    struct op *o = SELF(struct op, OP_MAGIC, op);

    o->err   = e;
    o->ended = true;
}

static void begin(struct op *o)
{
    *o = (struct op){0};
    buf_init(&o->body, 1 << 16);
    uv_update_time(&rig.loop);
    bus_op_start(rig.bus, &o->op, OP_MAGIC, "outside", 0, op_end);
}

static void end_well(struct op *o)
{
    NATS_RIG_WAIT(&rig, o->ended);
    if (failed(o->err)) {
        char text[128];
        fail_msg("%s", err_text(o->err, text, sizeof text));
    }
}

static void put(const char *bucket, const char *key, const char *value)
{
    const struct bus_expect whatever = {.seq = BUS_ANY};

    for (unsigned tries = 0;; tries++) {
        struct op o;
        begin(&o);
        (void)bus_kv_put(&o.op, bucket, key, bytes_str(value), &whatever, op_next);
        NATS_RIG_WAIT(&rig, o.ended);
        buf_deinit(&o.body);
        if (!failed(o.err))
            return;
        assert_true(tries < 100); /* the worker makes the streams */
        NATS_RIG_UNTIL(&rig, false, 50);
    }
}

static void append(const char *run, struct entry *e)
{
    struct entry_header headers[ENTRY_HEADERS_MAX];
    struct bus_header out_headers[ENTRY_HEADERS_MAX];
    struct arena *arena = arena_new();
    char subject[SUBJECT_SIZE];
    struct buf body;
    struct op o;

    buf_init(&body, 1 << 16);
    assert_false(failed(wire_write_entry(e, &body)));
    size_t count = wire_entry_headers(e, arena, headers);
    for (size_t i = 0; i < count; i++)
        out_headers[i] = (struct bus_header){headers[i].name, headers[i].value};
    const struct bus_out out = {subject_journal(subject, "acme", run), buf_bytes(&body),
                                out_headers, count};
    begin(&o);
    (void)bus_publish(&o.op, &out, NULL, op_next);
    end_well(&o);
    buf_deinit(&o.body);
    buf_deinit(&body);
    arena_free(&arena);
}

static void plan_run(char run[ID_SIZE])
{
    struct entry plan;

    id_new(clk_wall_ms(), run);
    entry_init(&plan, ENTRY_PLAN);
    plan.plan.tenant    = "acme";
    plan.plan.run       = run;
    plan.plan.flow_name = "f";
    plan.plan.flow      = bytes_str("{\"steps\":[]}");
    plan.plan.lane      = "standard";
    plan.plan.pool      = "default";
    append(run, &plan);
}

static void holder_says(const char *run, enum entry_kind kind, const char *session)
{
    struct entry e;

    entry_init(&e, kind);
    e.wake             = 1;
    e.token            = 7;
    e.job              = 1;
    e.worker           = "w-1";
    e.waiting.on       = ON_TIMER;
    e.end.status       = STATUS_DONE;
    e.session.session  = session;
    e.session.upstream = "chrome";
    e.session.result   = kind == ENTRY_CLOSED ? RESULT_FAILED : RESULT_NONE;
    append(run, &e);
}

static void holder_adds(const char *run, enum entry_kind kind)
{
    holder_says(run, kind, "");
}

struct session {
    char key[80], remote_id[128];
};

/* A session at the simulator. */
static void open_session(struct session *s)
{
    struct sockaddr_in at       = {.sin_family      = AF_INET,
                                   .sin_port        = htons((uint16_t)sim.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const char REQUEST[] = "POST /v1/web/session HTTP/1.1\r\nHost: sim\r\nConnection: "
                                  "close\r\nX_MULTION_API_KEY: k\r\n"
                                  "Content-Length: 27\r\n\r\n{\"url\":\"https://a.example\"} ";
    char answer[2048]           = "", id[ID_SIZE];
    size_t len                  = 0;
    int fd                      = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(write(fd, REQUEST, sizeof REQUEST - 1), (ssize_t)sizeof REQUEST - 1);
    for (ssize_t n; (n = read(fd, answer + len, sizeof answer - 1 - len)) > 0;)
        len += (size_t)n;
    close(fd);
    const char *from = strstr(answer, "\"session_id\":\"");
    assert_non_null(from);
    from += strlen("\"session_id\":\"");
    assert_true(str_copy_n(s->remote_id, sizeof s->remote_id, from, strcspn(from, "\"")));
    id_new(clk_wall_ms(), id);
    str_format(s->key, sizeof s->key, "acme.s%s", id);
}

/* ---- sessions of the folder ------------------------------------------------------------- */

static char folder[64];

/* remote_id "": nothing came of its open. */
static void stamped(struct session *s, const char *upstream, const char *run,
                    const char *remote_id)
{
    char id[ID_SIZE], path[256];

    id_new(clk_wall_ms(), id);
    str_format(s->key, sizeof s->key, "acme.s%s", id);
    str_copy(s->remote_id, sizeof s->remote_id, remote_id);
    if (!*remote_id)
        return;
    str_format(path, sizeof path, "%s/%s", folder, remote_id);
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    if (*upstream)
        fprintf(to, "%s.acme.%s.s%s.sluice.invalid", upstream, run, id);
    fclose(to);
}

static bool stands(const struct session *s)
{
    char path[256];

    str_format(path, sizeof path, "%s/%s", folder, s->remote_id);
    return access(path, F_OK) == 0;
}

static void set_in_folder(const char *name, bool there)
{
    char path[128];

    str_format(path, sizeof path, "%s/%s", folder, name);
    if (there)
        fclose(fopen(path, "w"));
    else
        assert_int_equal(unlink(path), 0);
}

static const char *name_of(const struct session *s)
{
    return strchr(s->key, '.') + 1;
}

static void record_at(const char *upstream, const char *endpoint, const struct session *s,
                      const char *remote_id, const char *status, const char *run, bool is_free,
                      int age_s, int expires_s)
{
    char value[1024], updated[40], expires[40];
    int64_t now = clk_wall_ms();

    str_format(
        value, sizeof value,
        "{\"v\":1,\"status\":\"%s\",\"owner\":{\"run\":\"%s\",\"token\":\"0000000000000007\"},"
        "\"free\":%s,"
        "\"tenant\":\"acme\",\"workflow\":\"%s\",\"run\":\"%s\",\"upstream\":\"%s\","
        "\"endpoint\":\"%s\","
        "\"remote_id\":\"%s\",\"last_step\":\"cart\",\"expires_at\":%s%s%s,\"last_updated_at\":"
        "\"%s\"}",
        status, run, is_free ? "true" : "false", run, run, upstream, endpoint, remote_id,
        expires_s ? "\"" : "",
        expires_s ? str_time_text(now + expires_s * 1000, expires, sizeof expires) : "null",
        expires_s ? "\"" : "", str_time_text(now - age_s * 1000, updated, sizeof updated));
    put(BUCKET_SESSIONS, s->key, value);
}

static void record_there(const struct session *s, const char *remote_id, const char *status,
                         const char *run, int age_s)
{
    char endpoint[128];

    str_format(endpoint, sizeof endpoint, PLACE "%s", folder);
    record_at("chrome", endpoint, s, remote_id, status, run, false, age_s, 0);
}

/* Kept for another run; nobody used it for an hour. */
static void record_kept_there(const struct session *s, int expires_s)
{
    char endpoint[128];

    str_format(endpoint, sizeof endpoint, PLACE "%s", folder);
    record_at("chrome", endpoint, s, s->remote_id, "active", acme_run, true, 3600, expires_s);
}

/* age_s, expires_s: before and after now. */
static void record(const struct session *s, const char *status, const char *run, bool is_free,
                   int age_s, int expires_s)
{
    record_at("sim", "", s, s->remote_id, status, run, is_free, age_s, expires_s);
}

static bool status_is(const struct session *s, const char *status)
{
    struct json *doc = NULL;
    char why[JSON_WHY_SIZE];
    struct op o;

    begin(&o);
    (void)bus_kv_get(&o.op, BUCKET_SESSIONS, s->key, op_next);
    end_well(&o);
    assert_false(failed(json_parse(&doc, buf_bytes(&o.body), why, sizeof why)));
    bool is = str_equal(json_str(json_get(doc, "status")), status);
    assert_string_equal(json_str(json_get(doc, "last_step")),
                        "cart"); /* what it does not know it keeps */
    json_free(&doc);
    buf_deinit(&o.body);
    return is;
}

static void wait_status(const struct session *s, const char *status)
{
    for (uint64_t end = clk_mono_ms() + NATS_RIG_MS; !status_is(s, status);) {
        if (clk_mono_ms() >= end)
            fail_msg("%s is not %s", s->key, status);
        NATS_RIG_UNTIL(&rig, false, 20);
    }
}

static bool place_ended(const struct session *s)
{
    for (size_t i = 0; i < rig.reports; i++)
        if (rig.report[i].session_closed && str_equal(rig.report[i].session, name_of(s)))
            return true;
    return false;
}

static bool at_upstream(const struct session *s)
{
    struct json *record_    = sim_rig_call(&sim, "GET", "/_sim/record", "");
    const struct json *left = json_get(json_get(record_, "sessions"), "left");
    bool there              = false;

    for (size_t i = 0; i < json_count(left); i++)
        there = there || str_equal(json_str(json_at(left, i)), s->remote_id);
    json_free(&record_);
    return there;
}

/* Long enough for some sweeps. */
static void let_it_sweep(void)
{
    int64_t lists = sim_rig_number(&sim, "calls", "list", "arrived");

    for (uint64_t end = clk_mono_ms() + NATS_RIG_MS;
         sim_rig_number(&sim, "calls", "list", "arrived") < lists + 3;) {
        assert_true(clk_mono_ms() < end);
        NATS_RIG_UNTIL(&rig, false, 20);
    }
    rig.asks = rig.reports = 0; /* there is room for so many */
}

static void configure_chrome(const char *session_idle)
{
    char value[256];

    str_format(value, sizeof value,
               "{\"driver\":\"webdriver\",\"url\":\"" PLACE "%s\",\"session_idle\":\"%s\"}",
               folder, session_idle);
    put(BUCKET_UPSTREAMS, "chrome", value);
}

static int anew_with(const char *reap_ms)
{
    char value[256];

    sim_rig_start(&sim, "{\"latency\":{\"default\":{\"min\":1,\"max\":2}}}");
    nats_rig_start(&rig);
    str_copy(folder, sizeof folder, "/tmp/bw-reap-XXXXXX");
    assert_non_null(mkdtemp(folder));
    str_format(value, sizeof value, "%s/" SAID, folder);
    setenv("BW_REAP_SAID", value, 1);
    str_format(value, sizeof value, "%s/" RESTS, folder);
    setenv("BW_REAP_RESTS", value, 1);
    setenv("BW_REAP_MS", reap_ms, 1);
    worker = fork();
    if (worker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setenv("BW_REAP_ROLE", "worker", 1);
        setenv("NATS_URL", rig.url, 1);
        setenv("SLUICE_HTTP", "off", 1);
        setenv("SIM_KEY", "k", 1);
        if (!getenv("RIG_SHOW"))
            setenv("LOG_LEVEL", "warn", 1);
        execl("/proc/self/exe", "worker", (char *)NULL);
        _exit(127);
    }
    nats_rig_limiter(&rig);
    str_format(value, sizeof value, "{\"url\":\"%s\",\"key\":{\"env\":\"SIM_KEY\"}}", sim.url);
    put(BUCKET_UPSTREAMS, "sim", value);
    str_format(value, sizeof value, "{\"driver\":\"webdriver\",\"url\":\"" PLACE "%s\"}",
               folder);
    put(BUCKET_UPSTREAMS, "chrome", value);
    plan_run(acme_run);
    return 0;
}

static int anew(void **state)
{
    (void)state;
    return anew_with("300");
}

static int anew_that_rests_long(void **state)
{
    (void)state;
    return anew_with("600000");
}

static int over(void **state)
{
    int status = 0;
    char command[96];

    (void)state;
    kill(worker, SIGTERM);
    assert_int_equal(waitpid(worker, &status, 0), worker);
    str_format(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
    nats_rig_end(&rig);
    sim_rig_end(&sim);
    assert_true(WIFEXITED(status) &&
                WEXITSTATUS(status) == 0); /* no leak, and it went in order */
    return 0;
}

/* ---- the promises ------------------------------------------------------------------------ */

static void a_kept_session_past_its_time_is_closed(void **state)
{
    struct session s, kept;

    (void)state;
    open_session(&s);
    open_session(&kept);
    record(&kept, "active", acme_run, true, 3600, 3600);
    record(&s, "active", acme_run, true, 3600, -1);
    wait_status(&s, "completed");
    assert_false(at_upstream(&s));
    NATS_RIG_WAIT(&rig, place_ended(&s));
    let_it_sweep();
    assert_true(status_is(&kept, "active") && at_upstream(&kept));
}

static void what_the_upstream_forgot_is_expired(void **state)
{
    struct session kept, failed_, waiting;

    (void)state;
    holder_adds(acme_run, ENTRY_LEASED);
    holder_adds(acme_run, ENTRY_WAITING);
    open_session(&kept);
    open_session(&failed_);
    open_session(&waiting);
    sim_rig_say(&sim, "POST", "/_sim/expire", "{\"session\":\"*\"}");
    record(&kept, "active", acme_run, true, 0, 3600);
    record(&failed_, "failed", acme_run, false, 0, 0);
    record(&waiting, "active", acme_run, false, 0, 0);
    wait_status(&kept, "expired");
    wait_status(&failed_, "expired");
    wait_status(&waiting, "expired");
    NATS_RIG_WAIT(&rig, place_ended(&kept) && place_ended(&failed_) && place_ended(&waiting));
    assert_int_equal(sim_rig_number(&sim, "calls", "close", "arrived"), 0);
}

static void a_living_runs_session_is_never_touched(void **state)
{
    struct session there, gone;

    (void)state;
    holder_adds(acme_run, ENTRY_LEASED);
    open_session(&gone);
    sim_rig_say(&sim, "POST", "/_sim/expire", "{\"session\":\"*\"}");
    open_session(&there);
    record(&there, "active", acme_run, false, 3600, 0);
    record(&gone, "active", acme_run, false, 3600, 0);
    let_it_sweep();
    assert_true(status_is(&there, "active") && status_is(&gone, "active"));
    assert_true(at_upstream(&there));
}

static void an_unconfirmed_close_is_done_again(void **state)
{
    struct session s;

    (void)state;
    open_session(&s);
    sim_rig_say(&sim, "POST", "/_sim/faults", "{\"fault\":\"500\",\"endpoint\":\"close\"}");
    record(&s, "failed", acme_run, false, 3600, 0);
    wait_status(&s, "closing"); /* the first is refused … */
    assert_true(at_upstream(&s));
    record(&s, "closing", acme_run, false, 3600, 0); /* … and time passes */
    wait_status(&s, "completed");
    assert_false(at_upstream(&s));
    NATS_RIG_WAIT(&rig, place_ended(&s));
}

static void a_session_of_nobody_we_know_is_left_alone(void **state)
{
    struct session ours;

    (void)state;
    sim_rig_say(&sim, "POST", "/_sim/foreign", "{\"count\":3}");
    open_session(&ours);
    record(&ours, "active", acme_run, true, 3600, 3600);
    let_it_sweep();
    struct json *record_ = sim_rig_call(&sim, "GET", "/_sim/record", "");
    assert_int_equal(json_count(json_get(record_, "violations")), 0);
    json_free(&record_);
    assert_true(status_is(&ours, "active"));
}

/* The journal of a run that ended weeks ago is gone; its session is not. */
static void what_a_forgotten_run_left_is_closed(void **state)
{
    struct session s;
    char run[ID_SIZE];

    (void)state;
    id_new(clk_wall_ms(), run);
    open_session(&s);
    record(&s, "active", run, false, 3600, 0);
    wait_status(&s, "completed");
    assert_false(at_upstream(&s));
}

static void without_a_permit_nothing_is_asked(void **state)
{
    struct session s;

    (void)state;
    rig.way = LIMITER_REFUSES;
    open_session(&s);
    record(&s, "active", acme_run, true, 3600, -1);
    NATS_RIG_WAIT(&rig, rig.asks >= 4);
    assert_int_equal(sim_rig_number(&sim, "calls", "close", "arrived"), 0);
    assert_int_equal(sim_rig_number(&sim, "calls", "list", "arrived"), 0);
    rig.asks = 0;
    rig.way  = LIMITER_GRANTS;
    record(&s, "active", acme_run, true, 3600, -1);
    wait_status(&s, "completed");
}

/* ---- what only a list shows ---------------------------------------------------------------- */

/* No record is at this place at all; it is looked at because there may be such. */
static void a_session_that_no_record_names_is_closed_when_its_run_is_done_with_it(void **state)
{
    struct session lost, current, left, theirs, unnamed, plain, other, named;
    char ended_run[ID_SIZE], their_run[ID_SIZE];
    uint64_t begun = clk_mono_ms();

    (void)state;
    plan_run(ended_run);
    id_new(clk_wall_ms(), their_run);
    stamped(&lost, "chrome", acme_run,
            "lost"); /* its open had no answer; its run opened another */
    stamped(&current, "chrome", acme_run, "current"); /* which is under way */
    stamped(&left, "chrome", ended_run, "left");
    stamped(&theirs, "chrome", their_run, "theirs");  /* of another installation */
    stamped(&unnamed, "chrome", acme_run, "unnamed"); /* the same, with a run of the same id */
    stamped(&plain, "", acme_run, "plain");           /* somebody's at his desk */
    stamped(&other, "chrome2", ended_run, "other");   /* another upstream's */
    stamped(&named, "chrome", acme_run, "named");
    record_at("elsewhere", "", &named, "named", "active", acme_run, false, 3600, 0);
    holder_adds(acme_run, ENTRY_LEASED);
    holder_says(acme_run, ENTRY_OPENING, name_of(&named));
    holder_says(acme_run, ENTRY_OPENING, name_of(&lost));
    holder_says(acme_run, ENTRY_CLOSED, name_of(&lost));
    holder_says(acme_run, ENTRY_OPENING, name_of(&current));
    holder_adds(ended_run, ENTRY_LEASED);
    holder_says(ended_run, ENTRY_OPENING, name_of(&other));
    holder_says(ended_run, ENTRY_OPENING, name_of(&left));
    holder_adds(ended_run, ENTRY_END);

    NATS_RIG_UNTIL(&rig, !stands(&lost) && !stands(&left), 40000);
    assert_true(!stands(&lost) && !stands(&left));
    assert_true(clk_mono_ms() - begun >= 10000); /* an open may have been under way */
    NATS_RIG_WAIT(&rig, place_ended(&lost) && place_ended(&left));
    rig.reports = 0;
    NATS_RIG_WAIT(&rig, rig.reports > 3); /* some sweeps more */
    assert_true(stands(&current) && stands(&theirs) && stands(&unnamed) && stands(&plain) &&
                stands(&other) && stands(&named));
}

/* By its stamp the list says what came of an open that was never answered. */
static void an_open_without_an_answer_is_closed_or_given_up(void **state)
{
    struct session opened, nothing, young;

    (void)state;
    stamped(&opened, "chrome", acme_run, "opened");
    stamped(&nothing, "chrome", acme_run, "");
    stamped(&young, "chrome", acme_run, "");
    record_there(&opened, "", "failed", acme_run, 3600);
    record_there(&nothing, "", "failed", acme_run, 3600);
    record_there(&young, "", "failed", acme_run, 60);
    wait_status(&opened, "completed");
    wait_status(&nothing, "expired");
    assert_false(stands(&opened));
    NATS_RIG_WAIT(&rig, place_ended(&opened) && place_ended(&nothing));
    assert_true(status_is(&young, "failed"));
}

/* ---- a place that says nothing ---------------------------------------------------------------- */

static unsigned warnings(void)
{
    char path[128], line[2048];
    unsigned count = 0;

    str_format(path, sizeof path, "%s/" SAID, folder);
    FILE *from = fopen(path, "r");
    while (from && fgets(line, sizeof line, from))
        count += strstr(line, "nobody lists the sessions here") && strstr(line, folder);
    if (from)
        fclose(from);
    return count;
}

static void hang(bool hangs)
{
    set_in_folder(HANGS, hangs);
    rig.reports = 0; /* each is of a list */
}

/* A page that loops keeps its chromedriver from listing: a person must restart that, and is told once. */
static void a_place_that_does_not_list_for_three_sweeps_is_told_of_once(void **state)
{
    (void)state;
    hang(true);
    NATS_RIG_WAIT(&rig, warnings() > 0);
    assert_true(rig.reports >= 2); /* that of the third may still be on its way */
    NATS_RIG_WAIT(&rig, rig.reports >= 7);
    assert_int_equal(warnings(), 1);
    hang(false);
    NATS_RIG_WAIT(&rig, rig.reports >= 2);
    hang(true);
    NATS_RIG_WAIT(&rig, warnings() > 1); /* it listed meanwhile */
    assert_true(rig.reports >= 2);
    assert_int_equal(warnings(), 2);
}

/* ---- what waits is kept warm ------------------------------------------------------------------ */

static size_t marked(const char *mark)
{
    size_t count = 0;
    DIR *dir     = opendir(folder);

    for (struct dirent *d; (d = readdir(dir));)
        count += str_starts(d->d_name, mark);
    closedir(dir);
    return count;
}

/* One after the other, the last would have fallen idle before it is its turn. */
static void sessions_are_kept_warm_beside_each_other(void **state)
{
    enum { SESSIONS = TOUCHES_MAX + 8 };
    char remote_id[16];
    struct session s;

    (void)state;
    set_in_folder(SLOW, true);
    for (unsigned i = 0; i < SESSIONS; i++) {
        str_format(remote_id, sizeof remote_id, "kept-%u", i);
        stamped(&s, "chrome", acme_run, remote_id);
        record_kept_there(&s, 3600);
    }
    configure_chrome("60s");
    NATS_RIG_WAIT(&rig, marked(TOUCHING) == TOUCHES_MAX);
    set_in_folder(SLOW, false); /* what ends makes room */
    NATS_RIG_WAIT(&rig, marked(TOUCHED) == SESSIONS);
}

static void a_touch_without_an_answer_holds_nothing_up(void **state)
{
    struct session slow, old;

    (void)state;
    set_in_folder(SLOW, true);
    stamped(&slow, "chrome", acme_run, "slow");
    record_kept_there(&slow, 3600);
    configure_chrome("60s");
    NATS_RIG_WAIT(&rig, marked(TOUCHING) == 1);
    rig.reports = 0;
    NATS_RIG_WAIT(&rig, rig.reports >= 4); /* it is not touched twice meanwhile */
    stamped(&old, "chrome", acme_run, "old");
    record_kept_there(&old, -1);
    wait_status(&old, "completed");
    assert_int_equal(marked(TOUCHING), 1);
}

static enum lane lane_asked(const struct session *s)
{
    for (size_t i = 0; i < rig.asks; i++)
        if (str_equal(rig.ask[i].session, name_of(s)))
            return rig.ask[i].lane;
    return LANE_NONE;
}

/* What it waits for too long costs a session, and a call only time. */
static void a_touch_goes_before_the_calls_of_other_lanes(void **state)
{
    struct session s, old;

    (void)state;
    stamped(&s, "chrome", acme_run, "kept");
    stamped(&old, "chrome", acme_run, "old");
    record_kept_there(&s, 3600);
    record_kept_there(&old, -1);
    configure_chrome("60s");
    NATS_RIG_WAIT(&rig, lane_asked(&s) != LANE_NONE && lane_asked(&old) != LANE_NONE);
    assert_int_equal(lane_asked(&s), LANE_REALTIME);
    assert_int_equal(lane_asked(&old), LANE_STANDARD);
}

/* Where nobody lists, a touch may tell it. */
static void what_a_touch_tells_to_be_gone_is_expired(void **state)
{
    struct session gone, there;

    (void)state;
    set_in_folder(HANGS, true);
    stamped(&there, "chrome", acme_run, "there");
    stamped(&gone, "chrome", acme_run, "gone");
    record_kept_there(&there, 3600);
    record_kept_there(&gone, 3600);
    set_in_folder("gone", false);
    configure_chrome("60s");
    wait_status(&gone, "expired");
    NATS_RIG_WAIT(&rig, place_ended(&gone) && marked(TOUCHED) == 2);
    assert_true(status_is(&there, "active"));
}

/* However long it was to rest. */
static void a_session_idle_is_heeded_from_when_it_is_set(void **state)
{
    struct session s;

    (void)state;
    NATS_RIG_WAIT(&rig, in_folder(folder, RESTS));
    stamped(&s, "chrome", acme_run, "kept");
    record_kept_there(&s, 3600);
    configure_chrome("6s");
    NATS_RIG_WAIT(&rig, marked(TOUCHED) == 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, anew, over)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kept_session_past_its_time_is_closed),
        TEST(what_the_upstream_forgot_is_expired),
        TEST(a_living_runs_session_is_never_touched),
        TEST(an_unconfirmed_close_is_done_again),
        TEST(a_session_of_nobody_we_know_is_left_alone),
        TEST(what_a_forgotten_run_left_is_closed),
        TEST(without_a_permit_nothing_is_asked),
        TEST(a_session_that_no_record_names_is_closed_when_its_run_is_done_with_it),
        TEST(an_open_without_an_answer_is_closed_or_given_up),
        TEST(a_place_that_does_not_list_for_three_sweeps_is_told_of_once),
        TEST(sessions_are_kept_warm_beside_each_other),
        TEST(a_touch_without_an_answer_holds_nothing_up),
        TEST(a_touch_goes_before_the_calls_of_other_lanes),
        TEST(what_a_touch_tells_to_be_gone_is_expired),
        cmocka_unit_test_setup_teardown(a_session_idle_is_heeded_from_when_it_is_set,
                                        anew_that_rests_long, over),
    };

    if (getenv("BW_REAP_ROLE"))
        run_worker();
    return cmocka_run_group_tests_name("bw_reap", tests, NULL, NULL);
}
