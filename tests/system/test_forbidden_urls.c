/*
 * forbidden_urls - nobody is led to where only the operator's own machines should be: refused at the submit if the URL
 * is written out, else the end of the run; and the server over there says that nobody came.
 *
 * Two shops: "outside" is the web, since the browsers have it as their proxy for all but loopback; "inside" is what a
 * tenant must not reach.  Both keep a record of every request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/system/client.h"
#include "support/system/judge.h"
#include "support/system/record.h"
#include "support/system/upstream.h"
#include "support/system/world.h"

#define SECRET "Nobody outside may read this"

enum { READY_MS = 20000, END_MS = 30000 };

struct server {
    struct proc *proc;
    char record[PROC_PATH_MAX];
    unsigned port;
};

static struct server outside, inside, driver;

/* ---- processes ------------------------------------------------------------------------------- */

static struct proc *begin(struct world *w, const char *name)
{
    struct proc *p = calloc(1, sizeof(*p));

    snprintf(p->name, sizeof(p->name), "%s", name);
    snprintf(p->log, sizeof(p->log), "%s/%s.log", w->folder, name);
    w->procs[w->proc_count++] = p;
    return p;
}

static unsigned port_after(struct world *w, struct proc *p, const char *words)
{
    unsigned port = 0;

    WORLD_WAIT(w, READY_MS, proc_said(p, words));
    char *said = proc_log(p);
    (void)sscanf(strstr(said, words) + strlen(words), "%u", &port);
    free(said);
    WORLD_MUST(w, port > 0);
    return port;
}

static void start_shop(struct world *w, struct server *s, const char *name)
{
    char program[PROC_PATH_MAX];

    snprintf(program, sizeof(program), "%s/shop_server", getenv("SLUICE_TEST_BIN"));
    snprintf(s->record, sizeof(s->record), "%s/%s.record", w->folder, name);
    s->proc = begin(w, name);
    proc_arg(s->proc, program);
    proc_arg(s->proc, "--record");
    proc_arg(s->proc, s->record);
    proc_start(s->proc);
    s->port = port_after(w, s->proc, "shop listening on http://127.0.0.1:");
}

static void start_chromedriver(struct world *w)
{
    char container[PROC_PATH_MAX], proxy[64];

    snprintf(container, sizeof(container), "%s/container", getenv("SLUICE_TEST_BIN"));
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", outside.port);
    driver.proc = begin(w, "chromedriver");
    proc_arg(driver.proc, container);
    proc_arg(driver.proc, "chromedriver");
    proc_arg(driver.proc, "--port=0");
    proc_env(driver.proc, "http_proxy", proxy);
    proc_env(driver.proc, "https_proxy", proxy);
    proc_start(driver.proc);
    driver.port = port_after(w, driver.proc, "ChromeDriver was started successfully on port ");
}

/* Names lead where the tests want. */
static void start_worker(struct world *w)
{
    world_env(w, "LD_LIBRARY_PATH", getenv("SLUICE_TEST_BIN"));
    world_env(w, "LD_PRELOAD", "names.so"); /* a path would end at its first blank */
    world_env(w, "ASAN_OPTIONS", "detect_leaks=1:handle_abort=1:verify_asan_link_order=0");
    world_env(w, "NAMES",
              "public.example=93.184.216.34,inside.example=10.1.2.3,rebound.example=127.0.0.1,"
              "six.example=fd00::7,meta.example=169.254.169.254");
    world_env(w, "SLUICE_DENY_NETS", "10.9.0.0/16");
    (void)world_start(w, "browser-worker");
}

/* ---- asking ------------------------------------------------------------------------------------ */

static struct answer submit(struct world *w, const char *tenant, const char *steps,
                            const char *url, const char *more)
{
    char subject[96], body[1600];

    snprintf(subject, sizeof(subject), "sluice.api.submit.%s", tenant);
    snprintf(body, sizeof(body), "{\"flow\":{\"steps\":[%s]},\"input\":{\"u\":\"%s\"}%s}",
             steps, url, more);
    return client_ask_text(w->client, subject, body);
}

static bool knows(struct world *w, const char *tenant, const char *upstream)
{
    char more[96];

    snprintf(more, sizeof(more), ",\"upstream\":\"%s\",\"dry_run\":true", upstream);
    struct answer a =
        submit(w, tenant, "{\"id\":\"o\",\"open\":{\"url\":\"http://10.0.0.1/\"}}", "", more);
    bool yes = strcmp(answer_text(&a, "status"), "valid") == 0;

    answer_deinit(&a);
    return yes;
}

static int group_up(void **state)
{
    struct world *w = world_new(state, "forbidden_urls");
    char value[300];

    start_shop(w, &outside, "outside");
    start_shop(w, &inside, "inside");
    start_chromedriver(w);
    (void)world_begin(w, "gateway");
    struct proc *scheduler = world_begin(w, "scheduler");
    struct proc *limiter   = world_start(w, "limiter");
    start_worker(w);
    WORLD_WAIT(w, READY_MS,
               proc_said(scheduler, "msg=deciding") && proc_said(limiter, "msg=deciding"));
    client_put(w->client, "sluice_tenants", "inner", "{\"private_net\":true}");
    snprintf(value, sizeof(value),
             "{\"driver\":\"webdriver\",\"url\":\"http://127.0.0.1:%u\",\"sessions\":2}",
             driver.port);
    client_put(w->client, "sluice_upstreams", "chrome", value);
    /* Whoever calls it is in the record. */
    snprintf(
        value, sizeof(value),
        "{\"driver\":\"agent\",\"profile\":\"multion\",\"url\":\"http://127.0.0.1:%u/v1\"}",
        inside.port);
    client_put(w->client, "sluice_upstreams", "agency", value);
    WORLD_WAIT(w, READY_MS, knows(w, "inner", "chrome") && knows(w, "inner", "agency"));
    return 0;
}

/* Lines of a record with these words; NULL: all. */
static unsigned visits(const struct server *s, const char *words)
{
    char line[1024];
    unsigned n = 0;
    FILE *f    = fopen(s->record, "re");

    while (f && fgets(line, sizeof(line), f))
        n += !words || strstr(line, words) != NULL;
    if (f)
        fclose(f);
    return n;
}

/* ---- written out: refused at the submit ---------------------------------------------------------- */

static const struct {
    const char *url, *why;
} WRITTEN[] = {
    {"http://127.0.0.1/", "127.0.0.1 is loopback"},
    {"http://127.0.0.1:8080/a?b#c", "127.0.0.1 is loopback"},
    {"HTTP://127.0.0.1./", "127.0.0.1 is loopback"},
    {"http://127.1/", "127.0.0.1 is loopback"},
    {"http://2130706433/", "127.0.0.1 is loopback"},
    {"http://0x7f000001/", "127.0.0.1 is loopback"},
    {"http://0X7F.0.0x0.1/", "127.0.0.1 is loopback"},
    {"http://017700000001/", "127.0.0.1 is loopback"},
    {"http://0177.0.0.01/", "127.0.0.1 is loopback"},
    {"https://127.255.255.254/", "127.255.255.254 is loopback"},
    {"http://[::1]/", "::1 is loopback"},
    {"http://[0:0:0:0:0:0:0:1]:81/", "::1 is loopback"},
    {"http://[::ffff:127.0.0.1]/", "127.0.0.1 is loopback"},
    {"http://[::ffff:7f00:1]/", "127.0.0.1 is loopback"},
    {"http://[::127.0.0.1]/", "127.0.0.1 is loopback"},
    {"http://[64:ff9b::7f00:1]/", "64:ff9b::7f00:1 is loopback"},
    {"http://[2002:7f00:1::]/", "2002:7f00:1:: is loopback"},
    {"http://0.0.0.0/", "0.0.0.0 is this host"},
    {"http://0/", "0.0.0.0 is this host"},
    {"http://[::]/", ":: is this host"},
    {"http://10.0.0.1/", "10.0.0.1 is private"},
    {"http://0xa.1/", "10.0.0.1 is private"},
    {"http://172.31.255.255/", "172.31.255.255 is private"},
    {"http://192.168.1.1/", "192.168.1.1 is private"},
    {"http://[fd00::1]/", "fd00::1 is private"},
    {"http://[::ffff:192.168.1.1]/", "192.168.1.1 is private"},
    {"http://100.64.0.1/", "100.64.0.1 is shared address space"},
    {"http://169.254.1.1/", "169.254.1.1 is link-local"},
    {"http://[fe80::1]/", "fe80::1 is link-local"},
    {"http://224.0.0.1/", "224.0.0.1 is multicast"},
    {"http://255.255.255.255/", "255.255.255.255 is reserved"},
    {"http://169.254.169.254/latest/meta-data/", "169.254.169.254 is a metadata address"},
    {"http://2852039166/", "169.254.169.254 is a metadata address"},
    {"http://0251.0376.0251.0376/", "169.254.169.254 is a metadata address"},
    {"http://[::ffff:a9fe:a9fe]/", "169.254.169.254 is a metadata address"},
    {"http://[fd00:ec2::254]/", "fd00:ec2::254 is a metadata address"},
    {"http://100.100.100.200/", "100.100.100.200 is a metadata address"},
    {"http://metadata.google.internal/", "metadata.google.internal is a metadata name"},
    {"http://METADATA.google.internal.:80/", "metadata.google.internal is a metadata name"},
    {"http://localhost:3000/", "localhost is a local name"},
    {"http://LocalHost./", "localhost is a local name"},
    {"http://a.b.localhost/", "a.b.localhost is a local name"},
    {"http://printer.local/", "printer.local is a local name"},
    {"http://db.prod.internal/", "db.prod.internal is a local name"},
    {"http://kubernetes.default.svc/", "kubernetes.default.svc is a local name"},
    {"http://intranet/", "intranet is a local name"},
    {"http://ann:secret@shop.example/", "a user or password before @shop.example"},
    {"http://shop.example@127.0.0.1/", "a user or password before @127.0.0.1"},
    {"http://127.0.0.1\\\\@shop.example/", "has a back slash in its host"},
    {"http://shop.example%2f@127.0.0.1/", "a user or password before @127.0.0.1"},
    {"http://127.0.0.1%2eshop.example/", "has a percent sign in its host"},
    {"http://\357\274\221\357\274\222\357\274\227.0.0.1/", "has letters outside ASCII"},
    {"http://shop.example\\t/", "has a blank or a control character"},
    {" http://shop.example/", "has a blank or a control character"},
    {"http://256.0.0.1/", "ends in a number, but is no address"},
    {"http://1.2.3.4.5/", "ends in a number, but is no address"},
    {"http://shop.example:0/", "has no port from 1 to 65535"},
    {"http://shop.example:99999/", "has no port from 1 to 65535"},
    {"http://[::1/", "has no"},
    {"http:///", "has no host"},
    {"http://", "has no host"},
    {"", "is not http:// or https://"},
    {"shop.example", "is not http:// or https://"},
    {"//shop.example/", "is not http:// or https://"},
    {"ftp://shop.example/", "is not http:// or https://"},
    {"file:///etc/passwd", "is not http:// or https://"},
    {"javascript:alert(1)", "is not http:// or https://"},
    {"data:text/html,x", "is not http:// or https://"},
    {"chrome://version", "is not http:// or https://"},
};
enum { WRITTEN_COUNT = sizeof(WRITTEN) / sizeof(*WRITTEN) };

static bool is_forbidden(const struct answer *a, const char *pointer, const char *why)
{
    return a->status == NATS_OK && strcmp(answer_text(a, "code"), "url_forbidden") == 0 &&
           answer_number(a, "status") == 422 &&
           strcmp(answer_header(a, "Nats-Service-Error-Code"), "422") == 0 &&
           strcmp(answer_header(a, "Nats-Service-Error"), answer_text(a, "title")) == 0 &&
           strcmp(answer_text(a, "errors.0.pointer"), pointer) == 0 &&
           strstr(answer_text(a, "detail"), why) && json_is_null(json_path(a->json, "run_id"));
}

/* All are asked, and all that is wrong is said at once. */
static void what_is_written_out_is_refused(void **state)
{
    static const char *const UPSTREAMS[] = {"chrome", "agency"};
    struct world *w                      = *state;
    char step[900], more[96];
    unsigned wrong = 0;

    for (size_t n = 0; n < 2 * (size_t)WRITTEN_COUNT; n++) {
        const char *url = WRITTEN[n / 2].url;
        snprintf(step, sizeof(step), "{\"id\":\"o\",\"open\":{\"url\":\"%s\"}}", url);
        snprintf(more, sizeof(more), ",\"upstream\":\"%s\",\"key\":\"w-%zu\"", UPSTREAMS[n % 2],
                 n);
        struct answer a = submit(w, "acme", step, "", more);
        if (!is_forbidden(&a, "/flow/steps/0/open/url", WRITTEN[n / 2].why)) {
            print_message("%s %s: wanted \"%s\", got %.600s\n", UPSTREAMS[n % 2], url,
                          WRITTEN[n / 2].why, answer_body(&a, NULL));
            wrong++;
        }
        answer_deinit(&a);
    }
    if (wrong)
        world_fail(w, "%u of %d spellings have not their problem", wrong, 2 * WRITTEN_COUNT);
    struct answer a = client_ask_text(w->client, "sluice.api.get.acme", "{\"key\":\"w-0\"}");
    assert_string_equal(answer_text(&a, "code"), "not_found");
    answer_deinit(&a);
    assert_int_equal(client_count_of(w->client, "SLUICE_JOURNAL", "sluice.journal.acme.>"), 0);
}

/* Wherever in a flow a URL may stand. */
static void wherever_it_stands(void **state)
{
    static const struct {
        const char *steps, *upstream, *pointer;
    } PLACES[] = {
        {"{\"id\":\"s\",\"set\":{\"x\":1}},{\"id\":\"r\",\"retrieve\":{\"url\":\"http://"
         "10.0.0.1/"
         "\",\"select\":{\"a\":\"h1\"}}}",
         "chrome", "/flow/steps/1/retrieve/url"},
        {"{\"id\":\"r\",\"retrieve\":{\"url\":\"http://10.0.0.1/\",\"cmd\":\"all\"}}", "agency",
         "/flow/steps/0/retrieve/url"},
        {"{\"id\":\"b\",\"browse\":{\"url\":\"http://10.0.0.1/\",\"cmd\":\"buy\"}}", "agency",
         "/flow/steps/0/browse/url"},
        {"{\"id\":\"b\",\"browse\":{\"actions\":[{\"press\":{\"key\":\"Enter\"}},{\"go\":{"
         "\"url\":\"http://10.0.0.1/\"}}]}}",
         "chrome", "/flow/steps/0/browse/actions/1/go/url"},
        {"{\"id\":\"i\",\"if\":\"true\",\"then\":[{\"id\":\"s\",\"set\":{\"x\":1}},{\"id\":"
         "\"o\","
         "\"open\":{\"url\":\"http://10.0.0.1/\"}}]}",
         "chrome", "/flow/steps/0/then/1/open/url"},
        {"{\"id\":\"i\",\"if\":\"true\",\"then\":[],\"else\":[{\"id\":\"j\",\"if\":\"true\","
         "\"then\":[{\"id\":\"o\",\"open\":{\"url\":\"http://10.0.0.1/\"}}]}]}",
         "chrome", "/flow/steps/0/else/0/then/0/open/url"},
    };
    struct world *w = *state;
    char more[64];

    for (size_t n = 0; n < sizeof(PLACES) / sizeof(*PLACES); n++) {
        snprintf(more, sizeof(more), ",\"upstream\":\"%s\"", PLACES[n].upstream);
        struct answer a = submit(w, "acme", PLACES[n].steps, "", more);
        if (!is_forbidden(&a, PLACES[n].pointer, "10.0.0.1 is private"))
            world_fail(w, "should be refused at %s: %s", PLACES[n].pointer,
                       answer_body(&a, NULL));
        answer_deinit(&a);
    }
}

/* What the tenant's policy lifts, what nothing lifts, and what is nobody's secret. */
static void some_may_more(void **state)
{
    static const struct {
        const char *tenant, *url, *why; /* NULL: allowed */
    } CASES[] = {
        {"acme", "https://shop.example/", NULL},
        {"acme", "HTTP://Shop.Example.:8080/x?y=http://127.0.0.1/#z", NULL},
        {"acme", "http://93.184.216.34/", NULL},
        {"acme", "http://[2606:2800:220:1::1]/", NULL},
        {"acme", "http://xn--bcher-kva.example/", NULL},
        {"inner", "http://127.0.0.1/", NULL},
        {"inner", "http://10.0.0.1/", NULL},
        {"inner", "http://localhost:8080/", NULL},
        {"inner", "http://intranet/", NULL},
        {"inner", "http://[fd00::1]/", NULL},
        {"inner", "http://169.254.169.254/", "a metadata address"},
        {"inner", "http://2852039166/", "a metadata address"},
        {"inner", "http://metadata.google.internal/", "a metadata name"},
        {"inner", "http://169.254.1.1/", "link-local"},
        {"inner", "http://0.0.0.0/", "this host"},
        {"inner", "http://ann@intranet/", "a user or password"},
        {"inner", "file:///etc/passwd", "is not http:// or https://"},
        {"dev", "http://127.0.0.1:3000/", NULL},
        {"dev", "http://localhost/", NULL},
        {"dev", "http://169.254.169.254/", "a metadata address"},
    };
    struct world *w = *state;
    char step[300];

    for (size_t n = 0; n < sizeof(CASES) / sizeof(*CASES); n++) {
        snprintf(step, sizeof(step), "{\"id\":\"o\",\"open\":{\"url\":\"%s\"}}", CASES[n].url);
        struct answer a =
            submit(w, CASES[n].tenant, step, "", ",\"upstream\":\"chrome\",\"dry_run\":true");
        if (CASES[n].why ? !is_forbidden(&a, "/flow/steps/0/open/url", CASES[n].why)
                         : strcmp(answer_text(&a, "status"), "valid") != 0)
            world_fail(w, "%s, %s: should be %s: %s", CASES[n].tenant, CASES[n].url,
                       CASES[n].why ? CASES[n].why : "allowed", answer_body(&a, NULL));
        answer_deinit(&a);
    }
}

static bool dev_may_go_inside(struct world *w)
{
    struct answer a = submit(w, "dev", "{\"id\":\"o\",\"open\":{\"url\":\"http://10.0.0.1/\"}}",
                             "", ",\"upstream\":\"chrome\",\"dry_run\":true");
    bool may        = strcmp(answer_text(&a, "status"), "valid") == 0;

    WORLD_MUST(w, may || strcmp(answer_text(&a, "code"), "url_forbidden") == 0);
    answer_deinit(&a);
    return may;
}

/* That dev may is preset, and what is preset may be said otherwise; both are told as they are. */
static void dev_may_not_where_that_is_written(void **state)
{
    struct world *w = *state;

    struct answer a = client_ask_text(w->client, "sluice.admin.tenant.dev", "");
    WORLD_MUST(w, json_is_true(json_path(a.json, "private_net")) && dev_may_go_inside(w));
    answer_deinit(&a);
    client_put(w->client, "sluice_tenants", "dev", "{\"private_net\":false}");
    WORLD_WAIT(w, READY_MS, !dev_may_go_inside(w));
    a = client_ask_text(w->client, "sluice.admin.tenant.dev", "");
    WORLD_MUST(w, json_is_false(json_path(a.json, "private_net")));
    answer_deinit(&a);
    client_put(w->client, "sluice_tenants", "dev", "{}");
    WORLD_WAIT(w, READY_MS, dev_may_go_inside(w));
}

/* ---- made by an expression: the end of the run ----------------------------------------------------- */

#define OPEN "{\"id\":\"o\",\"open\":{\"url\":\"${.input.u}\"}}"
#define READ ",{\"id\":\"r\",\"retrieve\":{\"select\":{\"h\":\"h1\"}}}"
#define ONE_SHOT \
    "{\"id\":\"o\",\"retrieve\":{\"url\":\"${.input.u}\",\"select\":{\"h\":\"h1\"}}}"
#define ASK "{\"id\":\"o\",\"browse\":{\"url\":\"${.input.u}\",\"cmd\":\"look\"}}"
#define GO \
    "{\"id\":\"p\",\"open\":{\"url\":\"http://public.example/" \
    "cart\"}},{\"id\":\"o\",\"effect\":" \
    "\"read\",\"browse\":{\"actions\":[{\"go\":{\"url\":\"${.input.u}\"}}]}}" READ

struct led {
    const char *tenant, *upstream, *steps;
    const char *url; /* INSIDE: the port of the inside shop */
    const char *why;
    char run[27], at[300];
};

static const char *url_of(struct led *l)
{
    const char *here = strstr(l->url, "INSIDE");

    if (here)
        snprintf(l->at, sizeof(l->at), "%.*s%u%s", (int)(here - l->url), l->url, inside.port,
                 here + 6);
    else
        snprintf(l->at, sizeof(l->at), "%s", l->url);
    return l->at;
}

static void begin_run(struct world *w, struct led *l)
{
    char more[96];

    snprintf(more, sizeof(more), ",\"upstream\":\"%s\",\"timeout\":\"60s\"", l->upstream);
    struct answer a = submit(w, l->tenant, l->steps, url_of(l), more);
    if (strlen(answer_text(&a, "run_id")) != 26)
        world_fail(w, "%s was not accepted: %s", l->at, answer_body(&a, NULL));
    snprintf(l->run, sizeof(l->run), "%s", answer_text(&a, "run_id"));
    answer_deinit(&a);
}

static bool is_over(struct world *w, const struct led *l, struct answer *ret)
{
    *ret = client_get(w->client, l->tenant, l->run);
    if (*answer_text(ret, "ended_at"))
        return true;
    answer_deinit(ret);
    return false;
}

static void must_end_forbidden(struct world *w, struct led *l)
{
    struct answer a;

    WORLD_WAIT(w, END_MS, is_over(w, l, &a));
    if (strcmp(answer_text(&a, "status"), "failed") != 0 ||
        strcmp(answer_text(&a, "error.code"), "url_forbidden") != 0 ||
        strcmp(answer_text(&a, "error.step"), "o") != 0 ||
        !strstr(answer_text(&a, "error.detail"), l->why) || answer_number(&a, "tries") != 1 ||
        !json_is_null(json_path(a.json, "result")))
        world_fail(w, "%s of %s should end url_forbidden (%s): %.900s", l->at, l->tenant,
                   l->why, answer_body(&a, NULL));
    answer_deinit(&a);
}

/* None of them needs a browser, and none gets one. */
static struct led LED[] = {
    {"acme", "chrome", OPEN, "http://127.0.0.1:INSIDE/inside", "127.0.0.1 is loopback", "", ""},
    {"acme", "chrome", OPEN, "http://2130706433:INSIDE/inside", "127.0.0.1 is loopback", "",
     ""},
    {"acme", "chrome", OPEN, "http://[::ffff:7f00:1]:INSIDE/inside", "127.0.0.1 is loopback",
     "", ""},
    {"acme", "chrome", OPEN, "http://localhost:INSIDE/inside", "localhost is a local name", "",
     ""},
    {"acme", "chrome", OPEN, "http://rebound.example:INSIDE/inside",
     "rebound.example: 127.0.0.1 is loopback", "", ""},
    {"acme", "chrome", OPEN, "http://inside.example/", "inside.example: 10.1.2.3 is private",
     "", ""},
    {"acme", "chrome", OPEN, "http://six.example/", "six.example: fd00::7 is private", "", ""},
    {"acme", "chrome", OPEN, "http://meta.example/",
     "meta.example: 169.254.169.254 is a metadata address", "", ""},
    {"acme", "chrome", ONE_SHOT, "http://127.0.0.1:INSIDE/inside", "127.0.0.1 is loopback", "",
     ""},
    {"acme", "chrome", ONE_SHOT, "http://rebound.example:INSIDE/inside",
     "127.0.0.1 is loopback", "", ""},
    {"acme", "chrome", OPEN, "file:///etc/passwd", "is not http:// or https://", "", ""},
    {"inner", "chrome", OPEN, "http://meta.example/",
     "meta.example: 169.254.169.254 is a metadata address", "", ""},
    {"inner", "chrome", OPEN, "http://169.254.169.254/latest/",
     "169.254.169.254 is a metadata address", "", ""},
    {"inner", "chrome", OPEN, "http://10.9.1.1/", "10.9.1.1 is denied by the operator", "", ""},
    {"acme", "agency", OPEN, "http://127.0.0.1:INSIDE/inside", "127.0.0.1 is loopback", "", ""},
    {"acme", "agency", OPEN, "http://0x7f.1:INSIDE/inside", "127.0.0.1 is loopback", "", ""},
    {"acme", "agency", ASK, "http://localhost:INSIDE/inside", "localhost is a local name", "",
     ""},
    {"acme", "agency", ASK, "http://[::1]:INSIDE/inside", "::1 is loopback", "", ""},
    {"inner", "agency", ASK, "http://169.254.169.254/latest/",
     "169.254.169.254 is a metadata address", "", ""},
};
enum { LED_COUNT = sizeof(LED) / sizeof(*LED) };

static void what_an_expression_makes_ends_the_run(void **state)
{
    struct world *w = *state;

    for (size_t n = 0; n < LED_COUNT; n++)
        begin_run(w, &LED[n]);
    for (size_t n = 0; n < LED_COUNT; n++)
        must_end_forbidden(w, &LED[n]);
    assert_int_equal(visits(&inside, NULL), 0);
    assert_int_equal(visits(&outside, NULL), 0);
}

/* ---- browsers ---------------------------------------------------------------------------------------- */

static void reads(struct world *w, const char *tenant, const char *url, const char *heading)
{
    struct led l = {tenant, "chrome", OPEN READ, url, "", "", ""};
    struct answer a;

    begin_run(w, &l);
    WORLD_WAIT(w, END_MS, is_over(w, &l, &a));
    if (strcmp(answer_text(&a, "status"), "done") != 0)
        world_fail(w, "%s cannot read %s: %s", tenant, l.at, answer_body(&a, NULL));
    answer_deinit(&a);
    struct record *journal = record_read(w, "SLUICE_JOURNAL");
    bool found             = false;
    for (size_t n = 0; n < journal->count; n++)
        if (strstr(record_subject(&journal->items[n]), l.run))
            found |= memmem(natsMsg_GetData(journal->items[n].msg),
                            (size_t)natsMsg_GetDataLength(journal->items[n].msg), heading,
                            strlen(heading)) != NULL;
    record_free(&journal);
    if (!found)
        world_fail(w, "%s has not read \"%s\" at %s", tenant, heading, l.at);
}

/* Without this, the others would pass with a browser that goes nowhere. */
static void who_may_gets_there(void **state)
{
    struct world *w = *state;

    reads(w, "acme", "http://public.example/cart", "Cart");
    assert_int_equal(visits(&outside, "GET public.example /cart"), 1);
    assert_int_equal(visits(&inside, NULL), 0);
    reads(w, "inner", "http://127.0.0.1:INSIDE/inside", SECRET);
    reads(w, "dev", "http://localhost:INSIDE/inside", SECRET);
    assert_int_equal(visits(&inside, " /inside"), 2);
}

/* From a page that may be visited. */
static void a_step_in_a_session_goes_nowhere_else(void **state)
{
    struct led led[] = {
        {"acme", "chrome", GO, "http://rebound.example:INSIDE/inside",
         "rebound.example: 127.0.0.1 is loopback", "", ""},
        {"acme", "chrome", GO, "http://017700000001:INSIDE/inside", "127.0.0.1 is loopback", "",
         ""},
    };
    struct world *w = *state;
    unsigned before = visits(&inside, NULL);

    for (size_t n = 0; n < 2; n++)
        begin_run(w, &led[n]);
    for (size_t n = 0; n < 2; n++)
        must_end_forbidden(w, &led[n]);
    assert_int_equal(visits(&inside, NULL), before);
    assert_int_equal(visits(&outside, "rebound.example"), 0);
}

/* The browser follows a redirect by itself, and nobody claims that it does not; but the worker sees where it stands, and
   nothing of that place comes out. */
static void a_redirect_is_seen(void **state)
{
    static const char *const STREAMS[] = {"SLUICE_JOURNAL", "SLUICE_RESULTS", "SLUICE_DEAD",
                                          NULL};
    struct led led[]                   = {
                          {"acme", "chrome", OPEN READ,
                           "http://public.example/redirect?to=http://127.0.0.1:INSIDE/inside",
                           "127.0.0.1 is loopback", "", ""},
                          {"acme", "chrome", ONE_SHOT,
                           "http://public.example/redirect?to=http://inside.example/inside",
                           "inside.example: 10.1.2.3 is private", "", ""},
    };
    struct world *w = *state;

    for (size_t n = 0; n < 2; n++)
        begin_run(w, &led[n]);
    for (size_t n = 0; n < 2; n++)
        must_end_forbidden(w, &led[n]);
    WORLD_MUST(w, visits(&outside, "GET public.example /redirect") >= 2);
    for (size_t s = 0; STREAMS[s]; s++) {
        struct record *r = record_read(w, STREAMS[s]);
        for (size_t n = 0; n < r->count; n++)
            if (strstr(record_subject(&r->items[n]), ".acme.") &&
                memmem(natsMsg_GetData(r->items[n].msg),
                       (size_t)natsMsg_GetDataLength(r->items[n].msg), SECRET, strlen(SECRET)))
                world_fail(w, "%s holds what nobody may read", record_subject(&r->items[n]));
        record_free(&r);
    }
    assert_int_equal(client_count(w->client, "OBJ_sluice_artifacts"), 0); /* nor a picture */
}

static bool no_browser(struct world *w)
{
    struct upstream door = {.world = w, .port = driver.port};
    json_t *sessions     = upstream_call(&door, "GET", "/sessions", NULL);
    const json_t *list   = json_object_get(sessions, "value");
    bool none            = json_is_array(list) && json_array_size(list) == 0;

    json_decref(sessions);
    return none;
}

static void everything_ended_once_and_no_browser_is_left(void **state)
{
    struct world *w = *state;

    judge_all(w, NULL, END_MS);
    WORLD_WAIT(w, END_MS, no_browser(w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_out_is_refused),
        cmocka_unit_test(wherever_it_stands),
        cmocka_unit_test(some_may_more),
        cmocka_unit_test(dev_may_not_where_that_is_written),
        cmocka_unit_test(what_an_expression_makes_ends_the_run),
        cmocka_unit_test(who_may_gets_there),
        cmocka_unit_test(a_step_in_a_session_goes_nowhere_else),
        cmocka_unit_test(a_redirect_is_seen),
        cmocka_unit_test(everything_ended_once_and_no_browser_is_left),
    };
    return cmocka_run_group_tests_name("forbidden_urls", tests, group_up, world_teardown);
}
