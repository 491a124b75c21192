#include "bw_browsers.h"

#include <string.h>
#include <uv.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "bw.h"
#include "bw_run.h"
#include "bw_table.h"

enum { PLACES_MAX = 256, WHY_SIZE = 400 };

struct bw_browsers_ask {
    uv_getaddrinfo_t lookup;
    struct bw_place_name name;
    struct bw_browsers_ask **slot; /* NULL: nobody waits any more */
    bw_browsers_fn *fn;
    void *self;
};

/* ---- a name and its addresses ------------------------------------------------------------- */

static bool has(const struct bw_browsers *found, const char *place)
{
    for (size_t i = 0; i < found->count; i++)
        if (str_equal(found->places[i], place))
            return true;
    return false;
}

static void add(struct bw_browsers *found, const struct bw_place_name *name,
                const struct sockaddr *at)
{
    char address[INET6_ADDRSTRLEN], place[BW_PLACE_SIZE];

    if (found->count < PLACES_MAX && uv_ip_name(at, address, sizeof address) == 0 &&
        bw_place_write(name, address, place) && !has(found, place))
        str_copy(found->places[found->count++], BW_PLACE_SIZE, place);
}

static void tell(struct bw_browsers_ask *ask, int status, const struct addrinfo *at)
{
    struct bw_browsers found = {.by_name = true, .fate = CALL_NOT_SENT};
    char why[WHY_SIZE];

    str_format(
        why, sizeof why,
        "%.200s (SLUICE_WEBDRIVER, for the upstream has no \"url\") cannot be resolved: %s",
        ask->name.host, status == 0 ? "it has no address" : uv_strerror(status));
    found.why    = why;
    found.places = mem_array(PLACES_MAX, sizeof *found.places);
    for (; status == 0 && at; at = at->ai_next)
        add(&found, &ask->name, at->ai_addr);
    *ask->slot = NULL;
    ask->fn(ask->self, &found);
    mem_free(&found.places);
}

static void on_lookup(uv_getaddrinfo_t *lookup, int status, struct addrinfo *list)
{
    struct bw_browsers_ask *ask = lookup->data;

    if (ask->slot)
        tell(ask, status, list);
    uv_freeaddrinfo(list);
    mem_free(&ask);
}

static void look_up(const struct bw *bw, const struct bw_place_name *name,
                    struct bw_browsers_ask **slot, bw_browsers_fn *fn, void *self)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct bw_browsers_ask *ask = mem_new(struct bw_browsers_ask);

    ask->lookup.data = ask;
    ask->name        = *name;
    ask->slot        = slot;
    ask->fn          = fn;
    ask->self        = self;
    *slot            = ask;
    must(uv_getaddrinfo(bw->drivers.loop, &ask->lookup, on_lookup, name->host, NULL, &hints) ==
         0);
}

void bw_browsers_cancel(struct bw_browsers_ask **slot)
{
    struct bw_browsers_ask *ask = take(slot);

    if (!ask)
        return;
    ask->slot = NULL;
    (void)uv_cancel(
        (uv_req_t *)&ask->lookup); /* too late for some: it comes back all the same */
}

/* ---- one place, or a name ------------------------------------------------------------------ */

static void tell_none(bw_browsers_fn *fn, void *self, const char *why)
{
    const struct bw_browsers found = {.fate = CALL_REFUSED, .why = why};

    fn(self, &found);
}

static void tell_one(const char *url, bw_browsers_fn *fn, void *self)
{
    char place[1][BW_PLACE_SIZE];
    const struct bw_browsers found = {.places = place, .count = 1};

    if (!str_copy(place[0], BW_PLACE_SIZE, url)) {
        tell_none(fn, self, "the upstream's \"url\" is longer than 255 bytes");
        return;
    }
    for (size_t len = strlen(place[0]); len && place[0][len - 1] == '/';)
        place[0][--len] = '\0';
    fn(self, &found);
}

void bw_browsers_find(const struct bw *bw, const struct bw_upstream *upstream,
                      struct bw_browsers_ask **slot, bw_browsers_fn *fn, void *self)
{
    const char *where         = *upstream->url ? upstream->url : bw->config->webdriver;
    struct bw_place_name name = {0};
    char why[WHY_SIZE];

    *slot = NULL;
    if (where != upstream->url)
        must(!failed(
            bw_place_read(&name, where, why, sizeof why))); /* it was checked at start */
    if (*name.host)
        look_up(bw, &name, slot, fn, self);
    else
        tell_one(where, fn, self);
}

/* ---- how many each has ------------------------------------------------------------------------ */

/* Of a run of ours that opens one there, or has just opened it: its record is not in the table yet. */
static bool is_unseen(const struct bw *bw, const struct bw_run *run, const char *place)
{
    const struct run_session *s = &run->fold.session;
    bool opening                = run->doing.place && *run->doing.session;
    bool open                   = s->state == SESSION_OPEN || s->state == SESSION_OPENING;
    const char *at              = opening ? run->doing.place : open ? s->endpoint : NULL;
    const char *session         = opening ? run->doing.session : s->id;
    char key[BW_TABLE_KEY_SIZE];

    return at && str_equal(at, place) &&
           !bw_table_find(bw->table, bw_table_key(run->job.ticket.tenant, session, key));
}

static size_t taken_at(const struct bw *bw, const char *place)
{
    const struct bw_table_row *row = NULL;
    size_t count                   = 0;

    for (size_t it = 0; bw_table_next(bw->table, &it, &row);)
        count += str_equal(row->record.endpoint, place);
    LIST_EACH(&bw->all, it)
    count += is_unseen(bw, LIST_OWNER(it, struct bw_run, link), place);
    return count;
}

const char *bw_browsers_choose(const struct bw *bw, const struct bw_upstream *upstream,
                               const struct bw_browsers *found)
{
    size_t taken[PLACES_MAX];

    if (*upstream->url)
        return found->places[0];
    for (size_t i = 0; i < found->count; i++)
        taken[i] = taken_at(bw, found->places[i]);
    size_t at =
        bw_place_choose(taken, found->count, bw->config->sessions_per_browser, id_random64());
    return at < found->count ? found->places[at] : NULL;
}
