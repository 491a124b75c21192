#include "bw_browsers.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "base/clk.h"
#include "base/mem.h"
#include "bw.h"
#include "bw_run.h"
#include "bw_table.h"

/* Where new sessions go, by names that the test resolves and a session table that it writes. */

enum { ROWS_MAX = 16, PATIENCE_MS = 20000 };

/* ---- names ------------------------------------------------------------------------------------ */

static const char *const
    *addresses; /* of "browser", ends with NULL; NULL: there is no such name */
static unsigned lookups;

static struct addrinfo *addrinfo_of(const char *text)
{
    struct addrinfo *a      = calloc(1, sizeof *a);
    struct sockaddr_in *v4  = calloc(1, sizeof(struct sockaddr_in6));
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)v4;

    a->ai_addr = (struct sockaddr *)(void *)v4;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        v4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        v6->sin6_family = AF_INET6;
    return a;
}

int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
    struct addrinfo **last = ret;

    (void)service, (void)hints;
    lookups++;
    *ret = NULL;
    if (!addresses || !str_equal(node, "browser"))
        return EAI_NONAME;
    for (size_t i = 0; addresses[i]; i++, last = &(*last)->ai_next)
        *last = addrinfo_of(addresses[i]);
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    for (struct addrinfo *next; list; list = next) {
        next = list->ai_next;
        free(list->ai_addr);
        free(list);
    }
}

/* ---- the session table --------------------------------------------------------------------------- */

static struct bw_table_row rows[ROWS_MAX];
static size_t row_count;

static void add_row(const char *key, const char *place)
{
    struct bw_table_row *row = &rows[row_count++];

    *row = (struct bw_table_row){0};
    str_copy(row->key, sizeof row->key, key);
    str_copy(row->record.endpoint, sizeof row->record.endpoint, place);
}

const struct bw_table_row *bw_table_find(const struct bw_table *table, const char *key)
{
    (void)table;
    for (size_t i = 0; i < row_count; i++)
        if (str_equal(rows[i].key, key))
            return &rows[i];
    return NULL;
}

bool bw_table_next(const struct bw_table *table, size_t *it, const struct bw_table_row **ret)
{
    (void)table;
    if (*it == row_count)
        return false;
    *ret = &rows[(*it)++];
    return true;
}

const char *bw_table_key(const char *tenant, const char *session, char ret[BW_TABLE_KEY_SIZE])
{
    str_format(ret, BW_TABLE_KEY_SIZE, "%s.%s", tenant, session);
    return ret;
}

/* ---- asking --------------------------------------------------------------------------------------- */

static uv_loop_t loop;
static struct bw_config config;
static struct bw bw;
static struct bw_upstream upstream;

static struct {
    unsigned answers;
    size_t count;
    bool by_name;
    enum call_fate fate;
    char why[400], places[8][BW_PLACE_SIZE], chosen[BW_PLACE_SIZE];
} got;

static void on_found(void *self, const struct bw_browsers *found)
{
    (void)self;
    got.answers++;
    got.count   = found->count;
    got.by_name = found->by_name;
    got.fate    = found->fate;
    str_copy(got.why, sizeof got.why, found->why ? found->why : "");
    for (size_t i = 0; i < found->count && i < 8; i++)
        str_copy(got.places[i], BW_PLACE_SIZE, found->places[i]);
    const char *chosen = found->count ? bw_browsers_choose(&bw, &upstream, found) : NULL;
    str_copy(got.chosen, sizeof got.chosen, chosen ? chosen : "none");
}

static void find(void)
{
    struct bw_browsers_ask *slot = NULL;

    memset(&got, 0, sizeof got);
    bw_browsers_find(&bw, &upstream, &slot, on_found, NULL);
    for (uint64_t end = clk_mono_ms() + PATIENCE_MS; !got.answers && clk_mono_ms() < end;)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(got.answers, 1);
    assert_null(slot);
}

static int set_up(void **state)
{
    (void)state;
    addresses = NULL;
    row_count = lookups = 0;
    config              = (struct bw_config){.sessions_per_browser = 2};
    upstream            = (struct bw_upstream){.name = "chrome", .driver = "webdriver"};
    bw                  = (struct bw){.config = &config, .drivers = {.loop = &loop}};
    list_init(&bw.all);
    return uv_loop_init(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    while (uv_run(&loop, UV_RUN_DEFAULT))
        ;
    return uv_loop_close(&loop);
}

/* ---- the promises ----------------------------------------------------------------------------------- */

static void an_upstream_s_own_url_is_its_one_place_and_not_counted_here(void **state)
{
    (void)state;
    str_copy(upstream.url, sizeof upstream.url, "http://10.0.0.9:9515");
    config.webdriver = "http://10.0.0.1:9515";
    for (int i = 0; i < 5; i++)
        add_row("acme.s", upstream.url);
    find();
    assert_int_equal(got.count, 1);
    assert_false(got.by_name);
    assert_string_equal(got.chosen, "http://10.0.0.9:9515");
    assert_int_equal(lookups, 0);
}

static void without_one_it_is_where_the_worker_says(void **state)
{
    (void)state;
    config.webdriver = "http://10.0.0.1:9515/";
    find();
    assert_int_equal(got.count, 1);
    assert_string_equal(got.chosen, "http://10.0.0.1:9515");
    add_row("acme.s1", "http://10.0.0.1:9515");
    add_row("acme.s2", "http://10.0.0.1:9515");
    find();
    assert_string_equal(got.chosen, "none"); /* it has its two */
}

static void a_url_that_no_record_could_hold_is_refused(void **state)
{
    (void)state;
    memset(upstream.url, 'a', sizeof upstream.url - 1);
    memcpy(upstream.url, "http://", 7);
    find();
    assert_int_equal(got.count, 0);
    assert_int_equal(got.fate, CALL_REFUSED);
    assert_non_null(strstr(got.why, "longer than 255 bytes"));
}

static void a_name_is_all_its_addresses(void **state)
{
    static const char *const ADDRESSES[] = {"10.0.0.1", "10.0.0.2", "10.0.0.1", "fd00::7",
                                            NULL};

    (void)state;
    config.webdriver = "dns+http://browser:9515/wd";
    addresses        = ADDRESSES;
    find();
    assert_true(got.by_name);
    assert_int_equal(got.count, 3);
    assert_string_equal(got.places[0], "http://10.0.0.1:9515/wd");
    assert_string_equal(got.places[1], "http://10.0.0.2:9515/wd");
    assert_string_equal(got.places[2], "http://[fd00::7]:9515/wd");
}

/* Browsers come and go. */
static void a_name_is_resolved_each_time(void **state)
{
    static const char *const BEFORE[] = {"10.0.0.1", NULL}, *const AFTER[] = {"10.0.0.2", NULL};

    (void)state;
    config.webdriver = "dns+http://browser:9515";
    addresses        = BEFORE;
    find();
    assert_string_equal(got.chosen, "http://10.0.0.1:9515");
    addresses = AFTER;
    find();
    assert_string_equal(got.chosen, "http://10.0.0.2:9515");
    addresses = NULL;
    find();
    assert_int_equal(got.count, 0);
    assert_int_equal(got.fate, CALL_NOT_SENT); /* another time there may be one */
    assert_non_null(strstr(
        got.why,
        "browser (SLUICE_WEBDRIVER, for the upstream has no \"url\") cannot be resolved: "));
}

static void sessions_are_spread_until_each_has_its_number(void **state)
{
    static const char *const ADDRESSES[] = {"10.0.0.1", "10.0.0.2", NULL};
    char key[32];

    (void)state;
    config.webdriver = "dns+http://browser:9515";
    addresses        = ADDRESSES;
    for (unsigned n = 0; n < 4; n++) {
        size_t here = 0;
        find();
        for (size_t i = 0; i < row_count; i++)
            here += str_equal(rows[i].record.endpoint, got.chosen);
        assert_int_equal(here, n / 2); /* never a second where another has none */
        str_format(key, sizeof key, "acme.s%u", n);
        add_row(key, got.chosen);
    }
    find();
    assert_string_equal(got.chosen, "none");
}

/* What this worker is opening, or has just opened, is in no table yet; what is there is not counted twice. */
static void what_is_being_opened_counts(void **state)
{
    struct bw_run *opening = mem_new(struct bw_run), *open = mem_new(struct bw_run);

    (void)state;
    config.webdriver = "http://10.0.0.1:9515";
    str_copy(opening->job.ticket.tenant, sizeof opening->job.ticket.tenant, "acme");
    opening->doing.place = "http://10.0.0.1:9515";
    list_push(&bw.all, &opening->link);
    find();
    assert_string_equal(got.chosen, "http://10.0.0.1:9515"); /* one, for all we know */
    str_copy(open->job.ticket.tenant, sizeof open->job.ticket.tenant, "acme");
    open->fold.session.state    = SESSION_OPEN;
    open->fold.session.endpoint = "http://10.0.0.1:9515";
    open->fold.session.id       = "s2";
    str_copy(opening->doing.session, sizeof opening->doing.session, "s1");
    list_push(&bw.all, &open->link);
    find();
    assert_string_equal(got.chosen, "none");
    config.sessions_per_browser = 3;
    add_row("acme.s1", "http://10.0.0.1:9515");
    add_row("acme.s2", "http://10.0.0.1:9515");
    find();
    assert_string_equal(got.chosen, "http://10.0.0.1:9515");
    mem_free(&opening);
    mem_free(&open);
}

static void a_lookup_that_is_cancelled_answers_nothing(void **state)
{
    static const char *const ADDRESSES[] = {"10.0.0.1", NULL};
    struct bw_browsers_ask *slot         = NULL;

    (void)state;
    memset(&got, 0, sizeof got);
    config.webdriver = "dns+http://browser:9515";
    addresses        = ADDRESSES;
    bw_browsers_find(&bw, &upstream, &slot, on_found, NULL);
    assert_non_null(slot);
    bw_browsers_cancel(&slot);
    assert_null(slot);
    while (uv_run(&loop, UV_RUN_DEFAULT))
        ;
    assert_int_equal(got.answers, 0);
    bw_browsers_cancel(&slot); /* there is none: nothing happens */
}

#define PROMISE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(an_upstream_s_own_url_is_its_one_place_and_not_counted_here),
        PROMISE(without_one_it_is_where_the_worker_says),
        PROMISE(a_url_that_no_record_could_hold_is_refused),
        PROMISE(a_name_is_all_its_addresses),
        PROMISE(a_name_is_resolved_each_time),
        PROMISE(sessions_are_spread_until_each_has_its_number),
        PROMISE(what_is_being_opened_counts),
        PROMISE(a_lookup_that_is_cancelled_answers_nothing),
    };
    return cmocka_run_group_tests_name("bw_browsers", tests, NULL, NULL);
}
