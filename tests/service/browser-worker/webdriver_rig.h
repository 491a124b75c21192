/*
 * webdriver_rig - a real chromedriver with real browsers, and the shop; nothing of them outlives the test, however it ends.
 *
 * chromedriver and its browsers are the children of a keeper, a process of its own that hears when the test is
 * gone, kills every one of them and removes the folder where their profiles lie.  (chromedriver leaves its
 * browsers alive when it is ended by SIGTERM or SIGKILL.)  All their HTTP but that to loopback goes to the shop,
 * as a proxy: so there are public addresses to visit, and no test leaves the machine.
 */
#ifndef TESTS_WEBDRIVER_RIG_H
#define TESTS_WEBDRIVER_RIG_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <uv.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "bw_driver.h"

enum {
    RIG_PATIENCE_MS = 30000,
    RIG_PAGE_MAX    = 4 << 20,
    RIG_TIMEOUT_MS  = 10000,
    RIG_CLOSE_MS    = 25000,
    RIG_SLACK_MS =
        5000, /* how late a busy machine may make what has a time: still below the preset one */
};

struct rig {
    int to_keeper, from_keeper;
    char folder[64];
    pid_t shop_pid, driver_pid;
    unsigned shop_port, driver_port;
    char shop[64]; /* "http://127.0.0.1:8080" */
    uv_loop_t loop;
    struct http *http;
    struct bw_drivers env;
    struct bw_upstream upstream;
    char session[256]; /* one for all who do it no harm; "": none yet */
};

static struct rig rig;

/* Every session of these tests has it, as those of a worker do. */
#define RIG_STAMP \
    "chrome.acme.01KAJ4T0Q8ZP9F4T4W6V2N8M1C.s01KAJ4T3A8ZP9F4T4W6V2N8M1D.sluice.invalid"

/* ---- processes ------------------------------------------------------------------------------------ */

static inline bool rig_stat(pid_t pid, pid_t *ret_parent, char *ret_state)
{
    char path[64], line[512];
    bool good = false;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *from = fopen(path, "r");
    if (!from)
        return false;
    if (fgets(line, sizeof line, from) && strrchr(line, ')'))
        good = sscanf(strrchr(line, ')') + 1, " %c %d", ret_state, ret_parent) == 2;
    fclose(from);
    return good;
}

static inline bool rig_is_below(pid_t pid, pid_t root)
{
    char state;

    for (pid_t parent; pid > 1 && rig_stat(pid, &parent, &state); pid = parent)
        if (parent == root)
            return true;
    return false;
}

static inline bool rig_says(pid_t pid, const char *word)
{
    char path[64], line[8192];

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    FILE *from = fopen(path, "r");
    size_t len = from ? fread(line, 1, sizeof line - 1, from) : 0;
    if (from)
        fclose(from);
    for (size_t i = 0; i < len; i++)
        if (!line[i])
            line[i] = ' ';
    line[len] = '\0';
    return strstr(line, word) != NULL;
}

/* Of the processes below root with a word in their command line: how many there are; each gets the signal (0: none). */
static inline unsigned rig_signal_below(pid_t root, const char *word, int signal)
{
    DIR *proc        = opendir("/proc");
    unsigned found   = 0;
    char state       = 0;
    pid_t parent     = 0;
    struct dirent *d = NULL;

    while (proc && (d = readdir(proc))) {
        pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);
        if (pid <= 1 || !rig_stat(pid, &parent, &state) || state == 'Z' ||
            !rig_is_below(pid, root) || !rig_says(pid, word))
            continue;
        found++;
        if (signal)
            kill(pid, signal);
    }
    if (proc)
        closedir(proc);
    return found;
}

static inline int rig_remove_one(const char *path, const struct stat *info, int flag,
                                 struct FTW *at)
{
    (void)info, (void)flag, (void)at;
    return remove(path);
}

/* ---- the keeper -------------------------------------------------------------------------------------- */

static inline pid_t rig_spawn(char *const argv[], char *const env[], int out)
{
    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(out >= 0 ? out : null, 1);
        dup2(null, 2);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvpe(argv[0], argv, env);
        _exit(127);
    }
    return pid;
}

static inline pid_t rig_keeper_start(const struct rig *r, bool broken, unsigned *ret_port)
{
    char folder[96], home[96], proxy[96], secure[96], path[512], line[256];
    char *argv[] = {(char *)"chromedriver", (char *)"--port=0", NULL};
    char *env[]  = {folder, home, proxy, secure, path, NULL};
    int out[2];

    snprintf(folder, sizeof folder, "TMPDIR=%s", broken ? "/proc/nowhere" : r->folder);
    snprintf(home, sizeof home, "HOME=%s/home", r->folder);
    snprintf(proxy, sizeof proxy, "http_proxy=%s", r->shop);
    snprintf(secure, sizeof secure, "https_proxy=%s", r->shop);
    snprintf(path, sizeof path, "PATH=%s", getenv("PATH"));
    *ret_port = 0;
    if (pipe(out) != 0)
        return -1;
    pid_t pid = rig_spawn(argv, env, out[1]);
    close(out[1]);
    FILE *from = fdopen(out[0], "r");
    while (*ret_port == 0 && fgets(line, sizeof line, from))
        sscanf(line, "ChromeDriver was started successfully on port %u", ret_port);
    fclose(from);
    return pid;
}

/* All that is below it, also what was orphaned: it is their reaper. */
static inline void rig_keeper_kill(void)
{
    do
        rig_signal_below(getpid(), "", SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno != ECHILD);
}

/* Who ends without being told is said: then the test that fails is not to blame. */
static inline void rig_keeper_reap(pid_t driver)
{
    int status;

    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == driver)
            dprintf(2, "keeper: chromedriver ended with status %x\n", (unsigned)status);
}

static inline bool rig_keeper_hears(int from, pid_t driver, char *ret_order)
{
    struct pollfd mouth = {.fd = from, .events = POLLIN};

    while (poll(&mouth, 1, 200) == 0)
        rig_keeper_reap(driver);
    return read(from, ret_order, 1) == 1;
}

static inline void rig_keeper(const struct rig *r, int from, int to)
{
    pid_t driver = 0;
    char order, reply[64];

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGPIPE, SIG_IGN);
    while (rig_keeper_hears(from, driver, &order)) {
        unsigned port = 0;
        if (order == 'k') /* clear everything away */
            rig_keeper_kill();
        else if (order == 'n') /* how many browser processes are there? */
            port = rig_signal_below(getpid(), "/chrom", 0);
        else
            driver = rig_keeper_start(r, order == 'b', &port);
        int len = snprintf(reply, sizeof reply, "%d %u\n", (int)driver, port);
        if (write(to, reply, (size_t)len) != len)
            break;
    }
    rig_keeper_kill();
    nftw(r->folder, rig_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    _exit(0);
}

static inline void rig_keeper_begin(struct rig *r)
{
    int to[2], from[2];

    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    pid_t first = fork();
    if (first ==
        0) { /* a grandchild, so that whoever kills the test's children leaves it alive */
        setsid();
        if (fork() != 0)
            _exit(0);
        close(to[1]);
        close(from[0]);
        rig_keeper(r, to[0], from[1]);
    }
    waitpid(first, NULL, 0);
    close(to[0]);
    close(from[1]);
    r->to_keeper   = to[1];
    r->from_keeper = from[0];
}

static inline unsigned rig_order(struct rig *r, char order, pid_t *ret_pid)
{
    char reply[64] = "";
    int pid        = 0;
    unsigned n     = 0;

    assert_int_equal(write(r->to_keeper, &order, 1), 1);
    for (size_t len = 0; !strchr(reply, '\n') && len < sizeof reply - 1; len++)
        assert_int_equal(read(r->from_keeper, reply + len, 1), 1);
    assert_int_equal(sscanf(reply, "%d %u", &pid, &n), 2);
    if (ret_pid)
        *ret_pid = pid;
    return n;
}

/* A new chromedriver; what was there before is gone. */
static inline void rig_driver_start_as(struct rig *r, bool broken)
{
    rig_order(r, 'k', NULL);
    r->session[0]  = '\0';
    r->driver_port = rig_order(r, broken ? 'b' : 's', &r->driver_pid);
    assert_int_not_equal(r->driver_port, 0);
    str_format(r->upstream.url, sizeof r->upstream.url, "http://127.0.0.1:%u", r->driver_port);
}

static inline void rig_driver_start(struct rig *r)
{
    rig_driver_start_as(r, false);
}

static inline unsigned rig_browsers(struct rig *r)
{
    return rig_order(r, 'n', NULL);
}

/* chromedriver makes two folders for a browser; in one of them it has its profile. */
static inline unsigned rig_profiles(const struct rig *r)
{
    DIR *folder    = opendir(r->folder);
    unsigned count = 0;
    char path[512];

    for (struct dirent *d; folder && (d = readdir(folder));) {
        str_format(path, sizeof path, "%s/%s/Default", r->folder, d->d_name);
        count += strstr(d->d_name, "scoped_dir") && access(path, F_OK) == 0;
    }
    if (folder)
        closedir(folder);
    return count;
}

/* Processes of the browsers with a word in their command line get a signal. */
static inline unsigned rig_signal(const struct rig *r, const char *word, int signal)
{
    return rig_signal_below(r->driver_pid, word, signal);
}

/* ---- asking -------------------------------------------------------------------------------------------- */

/* What was asked, and what came of it, kept beyond the callback. */
struct asked {
    struct bw_call *call;
    unsigned answers, mays, may_until; /* how often something may be sent; 0: always */
    enum call_fate fate;
    enum call_class call_class;
    uint64_t ms;
    int status;
    char code[40], detail[400], url[512], remote_id[256], endpoint[256];
    struct json *value; /* owned: asked_free */
    bool gone;
    unsigned shot_count;
    char shot_names[8][64];
    size_t shot_lens[8];
    bool all_png;
};

static inline void asked_free(struct asked *t)
{
    json_free(&t->value);
}

static inline void rig_on_answer(void *self, const struct bw_answer *a)
{
    static const char PNG[] = "\x89PNG\r\n\x1a\n";
    struct asked *t         = self;

    t->call       = NULL;
    t->fate       = a->fate;
    t->call_class = a->call_class;
    t->ms         = a->ms;
    t->status     = a->status;
    t->gone       = a->session_gone;
    str_copy(t->code, sizeof t->code, a->code ? a->code : "");
    str_copy(t->detail, sizeof t->detail, a->detail ? a->detail : "");
    str_copy(t->url, sizeof t->url, a->url ? a->url : "");
    str_copy(t->remote_id, sizeof t->remote_id, a->remote_id ? a->remote_id : "");
    str_copy(t->endpoint, sizeof t->endpoint, a->endpoint ? a->endpoint : "");
    t->value      = a->value ? json_ref(a->value) : NULL;
    t->shot_count = (unsigned)a->shot_count;
    t->all_png    = true;
    for (size_t i = 0; i < a->shot_count; i++) {
        str_copy(t->shot_names[i], sizeof t->shot_names[i], a->shots[i].name);
        t->shot_lens[i] = a->shots[i].png.len;
        t->all_png =
            t->all_png && a->shots[i].png.len > 1000 && memcmp(a->shots[i].png.at, PNG, 8) == 0;
    }
    t->answers++;
}

static inline bool rig_may(void *self)
{
    struct asked *t = self;

    t->mays++;
    return t->may_until == 0 || t->mays <= t->may_until;
}

/* want - a request; what is not said: read, private nets allowed, the shared session, ten seconds. */
struct want {
    enum bw_verb verb;
    enum entry_effect effect;
    const char *session; /* NULL: the shared one, opened if need be */
    uint64_t timeout_ms, page_max;
    bool is_public, shot;
};

/* In a body the shop is "SHOP": {"url":"SHOP/cart"}. */
static inline struct json *rig_body(const struct rig *r, const char *text)
{
    struct json *doc = NULL;
    char why[JSON_WHY_SIZE];
    struct buf full;

    if (!text)
        return NULL;
    buf_init(&full, 1 << 20);
    for (const char *at; (at = strstr(text, "SHOP")); text = at + 4) {
        buf_add(&full, text, (size_t)(at - text));
        buf_str(&full, r->shop);
    }
    buf_str(&full, text);
    if (failed(json_parse(&doc, buf_bytes(&full), why, sizeof why)))
        fail_msg("%s: %s", full.at, why);
    buf_deinit(&full);
    return doc;
}

static inline const char *rig_shared(struct rig *r);

static inline void rig_start(struct rig *r, struct asked *t, struct want w, const char *body)
{
    bool none                 = w.verb == BW_OPEN || w.verb == BW_LIST;
    const char *session       = none ? "" : w.session ? w.session : rig_shared(r);
    struct json *doc          = rig_body(r, body);
    struct bw_request request = {.verb        = w.verb,
                                 .upstream    = &r->upstream,
                                 .endpoint    = "",
                                 .remote_id   = session,
                                 .stamp       = w.verb == BW_OPEN ? RIG_STAMP : NULL,
                                 .body        = doc,
                                 .effect      = w.effect ? w.effect : EFFECT_READ,
                                 .timeout_ms  = w.timeout_ms ? w.timeout_ms : RIG_TIMEOUT_MS,
                                 .private_net = !w.is_public,
                                 .shot_on_failure = w.shot,
                                 .body_max        = RIG_PAGE_MAX,
                                 .page_max        = w.page_max ? w.page_max : RIG_PAGE_MAX,
                                 .may             = rig_may,
                                 .self            = t};

    t->call = bw_webdriver.start(&r->env, &request, rig_on_answer, t);
    assert_int_equal(t->answers, 0);
    json_free(&doc);
}

static inline void rig_on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Until t is answered (NULL: not at all), at most so long. */
static inline void rig_turn(struct rig *r, const struct asked *t, uint64_t ms)
{
    uint64_t end = clk_mono_ms() + ms;
    uv_timer_t tick;

    uv_timer_init(&r->loop, &tick);
    uv_timer_start(&tick, rig_on_tick, 5, 5);
    while (!(t && t->answers) && clk_mono_ms() < end)
        uv_run(&r->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&r->loop, UV_RUN_NOWAIT);
}

static inline void rig_wait(struct rig *r, const struct asked *t)
{
    rig_turn(r, t, RIG_PATIENCE_MS);
    assert_int_equal(t->answers, 1);
}

static inline struct asked rig_ask(struct rig *r, struct want w, const char *body)
{
    struct asked t = {0};

    rig_start(r, &t, w, body);
    rig_wait(r, &t);
    return t;
}

static inline void rig_open(struct rig *r, char ret[256])
{
    struct asked t = rig_ask(r, (struct want){.verb = BW_OPEN}, "{}");

    if (t.fate != CALL_DONE)
        fail_msg("open: %s", t.detail);
    str_copy(ret, 256, t.remote_id);
    asked_free(&t);
}

static inline const char *rig_shared(struct rig *r)
{
    if (!*r->session)
        rig_open(r, r->session);
    return r->session;
}

/* A browser that is stuck in a page is killed by chromedriver when it loses patience. */
static inline void rig_close(struct rig *r, const char *session)
{
    struct asked t = rig_ask(
        r, (struct want){.verb = BW_CLOSE, .session = session, .timeout_ms = RIG_CLOSE_MS},
        NULL);

    assert_int_equal(t.fate, CALL_DONE);
    asked_free(&t);
}

/* Must have gone well. */
static inline void rig_browse(struct rig *r, const char *body)
{
    struct asked t = rig_ask(r, (struct want){.verb = BW_BROWSE}, body);

    if (t.fate != CALL_DONE)
        fail_msg("%s: %s", body, t.detail);
    asked_free(&t);
}

/* The rows as JSON, to be freed. */
static inline char *rig_rows(struct rig *r, const char *body)
{
    struct asked t = rig_ask(r, (struct want){.verb = BW_RETRIEVE}, body);
    struct buf text;

    if (t.fate != CALL_DONE)
        fail_msg("%s: %s", body, t.detail);
    buf_init(&text, 1 << 20);
    json_print(json_get(t.value, "rows"), &text);
    asked_free(&t);
    return buf_take(&text);
}

/* What a plain client is told: the body, to be freed. */
static inline char *rig_curl(const struct rig *r, const char *path)
{
    char command[256];
    struct buf text;

    buf_init(&text, 1 << 20);
    snprintf(command, sizeof command, "curl -s --noproxy '*' %s%s", r->shop, path);
    FILE *from = popen(command, "r");
    for (int c; (c = fgetc(from)) != EOF;)
        buf_char(&text, (char)c);
    pclose(from);
    return buf_take(&text);
}

/* How often the shop was asked for a path so far. */
static inline unsigned rig_visits(const struct rig *r, const char *path)
{
    AUTO(mem_free) char *asked  = mem_printf("/visits?of=%s", path);
    AUTO(mem_free) char *number = rig_curl(r, asked);

    return (unsigned)strtoul(number, NULL, 10);
}

/* Until the shop was asked for it more often than that: then a browser waits there for its answer. */
static inline void rig_until_visited(struct rig *r, const char *path, unsigned before)
{
    for (uint64_t end = clk_mono_ms() + RIG_PATIENCE_MS; rig_visits(r, path) <= before;) {
        if (clk_mono_ms() >= end)
            fail_msg("nobody came to %s", path);
        rig_turn(r, NULL, 10);
    }
}

/* Until so is what was signalled: a process is not gone when the signal was sent. */
#define RIG_UNTIL(condition) \
    do { \
        uint64_t end_ = clk_mono_ms() + RIG_PATIENCE_MS; \
        while (!(condition) && clk_mono_ms() < end_) \
            rig_turn(&rig, NULL, 10); \
        assert_true(condition); \
    } while (0)

static inline void rig_driver_kill(struct rig *r)
{
    assert_int_equal(kill(r->driver_pid, SIGKILL), 0);
    RIG_UNTIL(kill(r->driver_pid, 0) != 0);
}

/* ---- what is promised ------------------------------------------------------------------------- */

#define BROWSE(...) ((struct want){.verb = BW_BROWSE, __VA_ARGS__})
#define RETRIEVE(...) ((struct want){.verb = BW_RETRIEVE, __VA_ARGS__})
#define OPEN(...) ((struct want){.verb = BW_OPEN, __VA_ARGS__})

static inline void assert_failed(const struct asked *t, enum call_fate fate, const char *code,
                                 const char *detail)
{
    if (t->fate != fate || !str_equal(t->code, code) || !strstr(t->detail, detail))
        fail_msg("fate %d (not %d), %s (not %s): %s (not: %s)", t->fate, fate, t->code, code,
                 t->detail, detail);
}

static inline void assert_rows(const char *body, const char *rows)
{
    AUTO(mem_free) char *got = rig_rows(&rig, body);

    assert_string_equal(got, rows);
}

/* The text of an element of the page where the shared browser stands. */
static inline void assert_says(const char *css, const char *words)
{
    char body[256], rows[256];

    str_format(body, sizeof body, "{\"select\":{\"said\":\"%s\"}}", css);
    str_format(rows, sizeof rows, "[{\"said\":\"%s\"}]", words);
    assert_rows(body, rows);
}

/* After each test: no session but the shared one, and no profile or browser without a session. */
static inline int rig_nothing_left(void **state)
{
    struct asked t = rig_ask(&rig, (struct want){.verb = BW_LIST}, NULL);
    const struct json *stamp;
    const char *id;
    size_t strays = 0;

    (void)state;
    for (size_t it = 0; json_each(t.value, &it, &id, &stamp);) {
        if (str_equal(id, rig.session))
            continue;
        strays++;
        rig_close(&rig, id);
    }
    asked_free(&t);
    for (int i = 0; i < 400 && rig_profiles(&rig) > (*rig.session != 0); i++)
        usleep(50000);
    assert_int_equal(strays, 0);
    assert_int_equal(rig_profiles(&rig), *rig.session != 0);
    if (!*rig.session)
        assert_int_equal(rig_browsers(&rig), 0);
    return 0;
}

/* ---- set up, tear down ------------------------------------------------------------------------------------ */

static inline void rig_shop_start(struct rig *r)
{
    const char *folder = getenv("SLUICE_TEST_BIN");
    char program[512], line[256] = "";
    char *argv[] = {program, NULL};
    int out[2];

    str_format(program, sizeof program, "%s/shop_server",
               folder ? folder : "build/debug/tests/bin");
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    r->shop_pid = rig_spawn(argv, environ, out[1]);
    close(out[1]);
    FILE *from = fdopen(out[0], "r");
    if (!fgets(line, sizeof line, from) ||
        sscanf(line, "shop listening on http://127.0.0.1:%u", &r->shop_port) != 1)
        fail_msg("%s did not start", program);
    fclose(from);
    str_format(r->shop, sizeof r->shop, "http://127.0.0.1:%u", r->shop_port);
}

static inline int rig_set_up(void **state)
{
    (void)state;
    str_copy(rig.folder, sizeof rig.folder, "/tmp/sluice-webdriver-XXXXXX");
    assert_non_null(mkdtemp(rig.folder));
    rig_shop_start(&rig);
    rig_keeper_begin(&rig);
    assert_int_equal(uv_loop_init(&rig.loop), 0);
    assert_false(failed(http_open(&rig.http, &rig.loop, &(struct http_config){0})));
    rig.env = (struct bw_drivers){&rig.loop, rig.http};
    rig_driver_start(&rig);
    return 0;
}

static inline int rig_tear_down(void **state)
{
    char byte;

    (void)state;
    http_free(&rig.http);
    while (uv_run(&rig.loop, UV_RUN_NOWAIT))
        ;
    int open = uv_loop_close(&rig.loop);
    close(rig.to_keeper);
    (void)!read(rig.from_keeper, &byte, 1); /* until the keeper is gone, and all it kept */
    close(rig.from_keeper);
    kill(rig.shop_pid, SIGKILL);
    waitpid(rig.shop_pid, NULL, 0);
    assert_int_equal(open, 0);
    assert_int_not_equal(access(rig.folder, F_OK), 0);
    return 0;
}

#endif
