#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge.h"

/*
 * Real processes: leaders are killed and frozen under load, and the grant log is recomputed: at no
 * record of it was a limit exceeded.
 */

enum {
    ASKERS      = 60,
    PER_S       = 400,
    BURST       = 40,
    IN_FLIGHT   = 20,
    SESSIONS    = 6,
    KILLS       = 5,
    WAIT_MS     = 800,
    PATIENCE_MS = 40000
};

#define UPSTREAM \
    "{\"driver\":\"agent\",\"url\":\"http://" \
    "127.0.0.1:1\",\"rate\":{\"per_s\":400,\"burst\":40}," \
    "\"in_flight\":20,\"sessions\":6}"

enum phase { IDLE, ASKING, CALLING };

/* Who asks for a permit, holds it for a while, and returns it; every third opens and closes sessions. */
struct asker {
    enum phase phase;
    char id[ID_SIZE], session[ID_SIZE + 1];
    bool opened, closing;
    uint64_t until, asked;
    struct permit_report last; /* what it returned last */
};

struct load {
    struct world world;
    struct nc *nc, *ear; /* askers; the judge */
    struct judge judge;
    struct asker askers[ASKERS];
    struct buf body;
    uint64_t granted, refused, repeated, unexpected;
    unsigned dice;
};

static unsigned roll(struct load *l, unsigned below)
{
    l->dice = l->dice * 1103515245 + 12345;
    return (l->dice >> 16) % below;
}

/* A report that nobody heard costs its permit for the lifetime and ten seconds. */
static void send_ask(struct load *l, unsigned n)
{
    struct asker *a       = &l->askers[n];
    struct permit_ask ask = {.lane        = (enum lane)(n % LANES),
                             .key_count   = 1,
                             .wait_ms     = WAIT_MS,
                             .lifetime_ms = 3000};
    struct permit_key *k  = &ask.keys[0];
    char reply[64];

    snprintf(ask.id, sizeof(ask.id), "%s", a->id);
    snprintf(ask.tenant, sizeof(ask.tenant), "t%u", n % 7);
    snprintf(k->name, sizeof(k->name), "up");
    k->rate = k->in_flight = true;
    if (n % 3 == 0) {
        snprintf(ask.session, sizeof(ask.session), "%s", a->session);
        k->session_open = !a->opened;
        k->close        = a->closing;
        k->session_use  = a->opened && !a->closing;
    }
    buf_clear(&l->body);
    wire_write_permit_ask(&ask, &l->body);
    snprintf(reply, sizeof(reply), "_INBOX.asker.%u", n);
    nc_pub(l->nc, "sluice.permit.up", reply, l->body.at, l->body.len);
    a->asked = now_ms();
}

static void ask(struct load *l, unsigned n)
{
    struct asker *a = &l->askers[n];

    id_new((int64_t)now_ms(), a->id);
    if (n % 3 == 0 && !a->opened)
        snprintf(a->session, sizeof(a->session), "s%s", a->id);
    a->closing = a->opened && roll(l, 3) == 0;
    a->phase   = ASKING;
    send_ask(l, n);
}

/* What ends a session is confirmed; here its answer is not waited for: the judge looks at limits. */
static void send_report(struct load *l, unsigned n)
{
    const struct permit_report *r = &l->askers[n].last;
    char reply[64];

    buf_clear(&l->body);
    wire_write_permit_report(r, &l->body);
    snprintf(reply, sizeof(reply), "_INBOX.confirm.%u", n);
    nc_pub(l->nc, "sluice.permit.up", r->session_closed ? reply : NULL, l->body.at,
           l->body.len);
}

static void give_back(struct load *l, unsigned n)
{
    struct asker *a        = &l->askers[n];
    struct permit_report r = {.status = 200, .call_class = CALL_OK, .name = "up"};

    snprintf(r.id, sizeof(r.id), "%s", a->id);
    if (n % 3 == 0) {
        snprintf(r.session, sizeof(r.session), "%s", a->session);
        r.session_opened = !a->opened;
        r.session_closed = a->closing;
    }
    a->opened = n % 3 == 0 && !a->closing;
    a->last   = r;
    send_report(l, n);
    a->phase = IDLE;
    a->until = now_ms() + roll(l, 10);
}

static void hear(struct load *l, const struct nc_msg *m)
{
    unsigned n = 0;
    struct permit_grant g;

    if (sscanf(m->subject, "_INBOX.asker.%u", &n) != 1)
        return;

    struct asker *a = &l->askers[n];

    if (failed(wire_read_permit_grant(&g, bytes_of(m->body, m->len))) || a->phase != ASKING ||
        strcmp(g.id, a->id) != 0) {
        l->unexpected++;
        return;
    }
    a->phase = g.ok ? CALLING : IDLE;
    a->until = now_ms() + (g.ok                     ? roll(l, 20)
                           : g.retry_after_ms < 200 ? g.retry_after_ms
                                                    : 200);
    if (g.ok)
        l->granted++;
    else
        l->refused++;
}

static void go_on(struct load *l, unsigned n)
{
    struct asker *a = &l->askers[n];
    uint64_t now    = now_ms();

    if (a->phase == IDLE && now >= a->until)
        ask(l, n);
    else if (a->phase == CALLING && now >= a->until)
        give_back(l, n);
    else if (a->phase == ASKING && now > a->asked + WAIT_MS + 500) {
        l->repeated++;
        send_ask(l, n); /* the same id */
    }
}

static void run(struct load *l, uint64_t ms)
{
    struct nc_msg m;

    for (uint64_t until = now_ms() + ms; now_ms() < until;) {
        for (unsigned n = 0; n < ASKERS; n++)
            go_on(l, n);
        while (nc_next(l->nc, 1, &m))
            hear(l, &m);
        while (nc_next(l->ear, 0, &m))
            if (m.sid == JUDGE_SID)
                judge_batch(&l->judge, &m);
    }
}

/* On a machine that does other things, too, it takes its time. */
static void run_until_granted(struct load *l, uint64_t granted)
{
    for (uint64_t until = now_ms() + PATIENCE_MS; now_ms() < until && l->granted < granted;)
        run(l, 250);
    assert_true(l->granted >= granted);
}

static void listen_to(struct load *l)
{
    judge_follow(&l->judge, l->ear);
    nc_sub(l->nc, "_INBOX.asker.*", 1);
    nc_sub(l->nc, "_INBOX.confirm.*", 2);
}

static void begin_with(struct load *l, const char *const *settings)
{
    memset(l, 0, sizeof(*l));
    l->dice = (unsigned)now_ms();
    printf("seed %u\n", l->dice);
    buf_init(&l->body, 65536);
    world_open(&l->world);
    world_limiter(&l->world, 0, settings);
    l->nc  = nc_open(l->world.port);
    l->ear = nc_open(l->world.port);
    assert_true(world_ready(l->nc, "up", UPSTREAM));
    world_limiter(&l->world, 1, settings);
    judge_init(&l->judge);
    l->judge.per_s     = PER_S;
    l->judge.burst     = BURST;
    l->judge.in_flight = IN_FLIGHT;
    l->judge.sessions  = SESSIONS;
    listen_to(l);
}

static void begin(struct load *l)
{
    begin_with(l, NULL);
}

static void end(struct load *l)
{
    bool gap = l->judge.gap, good = judge_verdict(&l->judge);

    printf("askers: %llu granted, %llu refused, %llu repeated, %llu late answers\n",
           (unsigned long long)l->granted, (unsigned long long)l->refused,
           (unsigned long long)l->repeated, (unsigned long long)l->unexpected);
    nc_close(l->nc);
    nc_close(l->ear);
    buf_deinit(&l->body);
    world_close(&l->world, !good || gap);
    assert_false(gap);
    assert_true(good);
}

/* Which of the two leads, by what it logged. */
static int leader_of(const struct load *l)
{
    for (int n = 0; n < 2; n++) {
        char path[96], line[4096];
        char *worker = NULL;

        if (l->world.limiters[n] <= 0)
            continue;
        snprintf(path, sizeof(path), "/proc/%d/fd/2", (int)l->world.limiters[n]);
        FILE *f = fopen(path, "r");

        while (f && fgets(line, sizeof(line), f))
            if (strstr(line, "msg=\"leadership won\""))
                worker = line;
            else if (strstr(line, "leadership lost"))
                worker = NULL;
        if (f)
            fclose(f);
        if (worker)
            return n;
    }
    return -1;
}

static int wait_for_leader(struct load *l)
{
    int leader = -1;

    for (uint64_t until = now_ms() + PATIENCE_MS; leader < 0 && now_ms() < until;) {
        run(l, 20);
        leader = leader_of(l);
    }
    assert_true(leader >= 0);
    return leader;
}

static void a_killed_leader_leaves_no_limit_exceeded(void **state)
{
    static struct load l;

    (void)state;
    begin(&l);
    run_until_granted(&l, 300);
    for (int turn = 0; turn < KILLS; turn++) {
        int leader     = wait_for_leader(&l);
        uint64_t until = l.granted + 300;

        world_kill(&l.world.limiters[leader], SIGKILL);
        world_limiter(&l.world, leader, NULL);
        if (turn > 0) /* once it ends by itself */
            end_the_term(l.nc);
        run_until_granted(&l, until); /* somebody answers again */
    }
    assert_true(l.judge.epoch_count > KILLS);
    assert_true(l.judge.in_flight_most == IN_FLIGHT); /* the load was one */
    end(&l);
}

static void a_frozen_leader_that_goes_on_changes_nothing(void **state)
{
    static struct load l;

    (void)state;
    begin(&l);
    run_until_granted(&l, 300);
    for (int turn = 0; turn < 2; turn++) {
        int leader      = wait_for_leader(&l);
        uint64_t before = l.granted;

        world_kill(&l.world.limiters[leader], SIGSTOP);
        if (turn > 0) /* it goes on in what it takes for its own term */
            end_the_term(l.nc);
        run_until_granted(&l, before + 300); /* another answers */
        world_kill(&l.world.limiters[leader], SIGCONT);
        run_until_granted(&l, l.granted + 300);
    }
    assert_true(l.judge.epoch_count >= 3);
    end(&l);
}

/* Somebody else appends: the leader's next append is refused, and what was in it is told to nobody. */
static void an_append_of_another_deposes(void **state)
{
    static struct load l;
    struct grant_batch other = {.epoch = 999999, .at_ms = 1};
    struct buf body;

    (void)state;
    begin(&l);
    run(&l, 1500);
    buf_init(&body, 4096);
    for (int turn = 0; turn < 3; turn++) {
        uint64_t before = l.granted;

        buf_clear(&body);
        other.epoch++;
        wire_write_grant_batch(&other, &body);
        nc_pub(l.nc, "sluice.grants.0", NULL, body.at, body.len);
        run_until_granted(&l, before + 300);
    }
    buf_deinit(&body);
    assert_true(world_logged(&l.world, "append refused") >= 3);
    end(&l);
}

/* The server is killed with appends on their way: they are sent again, or read back. */
static void a_restarted_server_leaves_no_limit_exceeded(void **state)
{
    static struct load l;
    static const char *const SETTINGS[] = {"SLUICE_LEADER_TTL=9s", NULL};

    (void)state;
    begin_with(&l, SETTINGS);
    run(&l, 1000);
    for (int turn = 0; turn < 4; turn++) {
        uint64_t before = l.granted;

        world_kill(&l.world.nats, SIGKILL);
        nc_close(l.nc);
        nc_close(l.ear);
        world_nats(&l.world);
        l.nc  = nc_open(l.world.port);
        l.ear = nc_open(l.world.port);
        assert_true(world_ready(l.nc, "up", ""));
        listen_to(&l);
        for (unsigned n = 0; n < ASKERS; n++)
            if (l.askers[n].last.id[0]) /* said once, perhaps to a dead server */
                send_report(&l, n);
        run_until_granted(&l, before + 300);
    }
    end(&l);
}

/* ---- a state that is too large for one message ------------------------------------- */

enum { MANY = 9000, CHURN = 40000, AT_ONCE = 500 };

static char many[MANY][ID_SIZE];
static bool has[MANY];

static void ask_for(struct nc *nc, struct buf *body, int n)
{
    struct permit_ask ask = {.lane        = LANE_STANDARD,
                             .key_count   = 1,
                             .wait_ms     = 9000,
                             .lifetime_ms = 3600000,
                             .tenant      = "t"};
    char reply[64];

    snprintf(ask.keys[0].name, sizeof(ask.keys[0].name), "up");
    ask.keys[0].in_flight = ask.keys[0].session_open = true;
    snprintf(ask.id, sizeof(ask.id), "%s", many[n]);
    snprintf(ask.session, sizeof(ask.session), "s%s", many[n]);
    buf_clear(body);
    wire_write_permit_ask(&ask, body);
    snprintf(reply, sizeof(reply), "_INBOX.many.%d", n);
    nc_pub(nc, "sluice.permit.up", reply, body->at, body->len);
}

/* Until nothing has come for so long; how many had not been heard of before. */
static int hear_of_many(struct nc *nc, int quiet_ms)
{
    struct permit_grant g;
    struct nc_msg m;
    int count = 0, n = 0;

    while (nc_next(nc, quiet_ms, &m)) {
        if (m.sid != 9)
            continue;
        assert_int_equal(sscanf(m.subject, "_INBOX.many.%d", &n), 1);
        assert_false(failed(wire_read_permit_grant(&g, bytes_of(m.body, m.len))) || !g.ok);
        count += !has[n];
        has[n] = true;
    }
    return count;
}

/* Half way the leadership is lost: what was asked then nobody answers, and it is asked again. */
static void take_many(struct nc *nc, struct buf *body)
{
    int granted = 0;

    nc_sub(nc, "_INBOX.many.*", 9);
    for (int n = 0; n < MANY; n++) {
        if (n == MANY / 2)
            end_the_term(nc);
        id_new(n, many[n]);
        ask_for(nc, body, n);
        if (n % AT_ONCE == AT_ONCE - 1)
            granted += hear_of_many(nc, 20);
    }
    granted += hear_of_many(nc, 1000);
    assert_true(granted < MANY);
    for (uint64_t until = now_ms() + PATIENCE_MS; granted < MANY && now_ms() < until;) {
        for (int n = 0; n < MANY; n++)
            if (!has[n])
                ask_for(nc, body, n);
        granted += hear_of_many(nc, 1000);
    }
    assert_int_equal(granted, MANY);
}

static void ask_once(struct nc *nc, struct buf *body, int n)
{
    struct permit_ask ask = {
        .lane = LANE_STANDARD, .key_count = 1, .wait_ms = 9000, .tenant = "t"};

    snprintf(ask.keys[0].name, sizeof(ask.keys[0].name), "up");
    ask.keys[0].in_flight = true;
    id_new(1000000 + n, ask.id);
    buf_clear(body);
    wire_write_permit_ask(&ask, body);
    nc_pub(nc, "sluice.permit.up", "_INBOX.churn", body->at, body->len);
}

/* Permits that come and go: more than a snapshot is put off for. */
static void churn(struct nc *nc, struct buf *body)
{
    struct permit_report r = {.status = 200, .call_class = CALL_OK, .name = "up"};
    struct permit_grant g;
    struct nc_msg m;
    int asked = 0, granted = 0;

    nc_sub(nc, "_INBOX.churn", 10);
    while (asked < 200)
        ask_once(nc, body, asked++);
    while (granted < CHURN) {
        if (!nc_next(nc, PATIENCE_MS, &m))
            fail_now("nobody answers");
        if (m.sid != 10)
            continue;
        assert_false(failed(wire_read_permit_grant(&g, bytes_of(m.body, m.len))) || !g.ok);
        granted++;
        snprintf(r.id, sizeof(r.id), "%s", g.id);
        buf_clear(body);
        wire_write_permit_report(&r, body);
        nc_pub(nc, "sluice.permit.up", granted == CHURN ? "_INBOX.last" : NULL, body->at,
               body->len);
        if (asked < CHURN)
            ask_once(nc, body, asked++);
    }
}

/* All that was given back is in the log when nothing but the many is out. */
static void wait_for_many(struct nc *nc)
{
    char answer[8192] = "";

    for (uint64_t until = now_ms() + PATIENCE_MS; now_ms() < until; usleep(50000))
        if (nc_request(nc, "sluice.admin.upstream.up", "", 0, 500, answer, sizeof(answer)) &&
            strstr(answer, "\"in_flight\":{\"limit\":100000,\"used\":9000}") &&
            strstr(answer, "\"sessions\":{\"limit\":100000,\"used\":9000}"))
            return;
    fail_msg("%s", answer);
}

static void a_large_state_is_kept_in_parts(void **state)
{
    static const char *const SETTINGS[] = {"SLUICE_LEADER_TTL=9s", NULL}; /* it is busy */
    struct world w;
    struct buf body;
    char answer[8192];

    (void)state;
    buf_init(&body, 65536);
    world_open(&w);
    world_limiter(&w, 0, SETTINGS);
    struct nc *nc = nc_open(w.port);

    assert_true(world_ready(nc, "up",
                            "{\"driver\":\"agent\",\"url\":\"http://127.0.0.1:1\","
                            "\"in_flight\":100000,\"sessions\":100000}"));
    take_many(nc, &body);
    churn(nc, &body);
    wait_for_many(nc);
    assert_true(nc_ask(nc, "$JS.API.STREAM.INFO.SLUICE_GRANTS", "", answer, sizeof(answer)));
    const char *bytes = strstr(answer, "\"bytes\":");

    assert_non_null(bytes);
    assert_true(atoi(bytes + 8) <
                8000000); /* some 12 MB were written: what is replaced is gone */
    for (int turn = 0; turn < 2; turn++) {
        world_kill(&w.limiters[0], SIGKILL);
        world_limiter(&w, 0, SETTINGS);
        end_the_term(nc);
        wait_for_many(nc);
    }
    nc_close(nc);
    buf_deinit(&body);
    world_close(&w, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_leader_leaves_no_limit_exceeded),
        cmocka_unit_test(a_frozen_leader_that_goes_on_changes_nothing),
        cmocka_unit_test(an_append_of_another_deposes),
        cmocka_unit_test(a_restarted_server_leaves_no_limit_exceeded),
        cmocka_unit_test(a_large_state_is_kept_in_parts),
    };

    return cmocka_run_group_tests_name("limiter take-over", tests, NULL, NULL);
}
