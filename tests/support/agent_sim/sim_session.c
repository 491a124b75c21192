#include "agent_sim/sim_session.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent_sim/sim_base.h"

void sim_session_init(struct sim_sessions *ss, uint64_t salt)
{
    *ss = (struct sim_sessions){.salt = salt};
}

void sim_session_clear(struct sim_sessions *ss)
{
    for (size_t i = 0; i < ss->ids.count; i++)
        sim_base_free(ss->all[i]);
    sim_base_free(ss->all);
    sim_table_deinit(&ss->ids);
    *ss = (struct sim_sessions){.salt = ss->salt, .opened = ss->opened};
}

/* Looks like the real one's UUIDs; the last part is the count, so no two are equal. */
static void make_id(struct sim_sessions *ss, char *ret, size_t room)
{
    uint64_t salt = ss->salt * 0x9e3779b97f4a7c15u;

    ss->opened++;
    (void)snprintf(ret, room,
                   "%08" PRIx64 "-%04" PRIx64 "-4%03" PRIx64 "-8%03" PRIx64 "-%012" PRIx64,
                   salt >> 32, salt >> 16 & 0xffff, salt >> 4 & 0xfff, salt & 0xfff,
                   ss->opened & 0xffffffffffff);
}

static struct sim_session *put_new(struct sim_sessions *ss)
{
    struct sim_session *s = sim_base_new(struct sim_session);

    make_id(ss, s->id, sizeof s->id);
    ss->all = sim_base_grow(ss->all, ss->ids.count, &ss->room, sizeof(void *));
    ss->all[sim_table_put(&ss->ids, s->id)] = s;
    return s;
}

struct sim_session *sim_session_open(struct sim_sessions *ss, const char *tenant)
{
    struct sim_session *s = put_new(ss);

    sim_base_copy(s->tenant, sizeof s->tenant, tenant);
    ss->open++;
    return s;
}

static bool counts(enum sim_session_state state)
{
    return state == SIM_SESSION_OPENING || state == SIM_SESSION_LIVE ||
           state == SIM_SESSION_CLOSING;
}

/* Idle are the live ones that no call holds; the list is in the order of falling idle. */
static void idle_put(struct sim_sessions *ss, struct sim_session *s, uint64_t now_ns)
{
    s->idle_since_ns = now_ns;
    s->idle_before   = ss->idle_last;
    s->idle_after    = NULL;
    if (ss->idle_last)
        ss->idle_last->idle_after = s;
    else
        ss->idle_first = s;
    ss->idle_last = s;
}

static void idle_take(struct sim_sessions *ss, struct sim_session *s)
{
    if (s->idle_since_ns == 0)
        return;
    if (s->idle_before)
        s->idle_before->idle_after = s->idle_after;
    else
        ss->idle_first = s->idle_after;
    if (s->idle_after)
        s->idle_after->idle_before = s->idle_before;
    else
        ss->idle_last = s->idle_before;
    s->idle_before = s->idle_after = NULL;
    s->idle_since_ns               = 0;
}

struct sim_session *sim_session_open_foreign(struct sim_sessions *ss)
{
    struct sim_session *s = put_new(ss);

    s->foreign = true;
    s->state   = SIM_SESSION_LIVE;
    return s;
}

struct sim_session *sim_session_find(const struct sim_sessions *ss, const char *id)
{
    uint32_t at = 0;

    return sim_table_find(&ss->ids, id, &at) ? ss->all[at] : NULL;
}

void sim_session_hold(struct sim_sessions *ss, struct sim_session *s)
{
    idle_take(ss, s);
    s->busy++;
}

void sim_session_release(struct sim_sessions *ss, struct sim_session *s, uint64_t now_ns)
{
    must(s->busy > 0);
    s->busy--;
    if (s->busy == 0 && s->state == SIM_SESSION_LIVE && !s->foreign)
        idle_put(ss, s, now_ns);
}

void sim_session_move(struct sim_sessions *ss, struct sim_session *s, enum sim_session_state to)
{
    must(counts(s->state));
    if (!counts(to)) {
        idle_take(ss, s);
        if (!s->foreign)
            ss->open--;
    }
    s->state = to;
}

struct sim_session *sim_session_idlest(const struct sim_sessions *ss)
{
    return ss->idle_first;
}

uint64_t sim_session_repeat(struct sim_session *s, const char *cmd)
{
    uint64_t hash = sim_table_hash(cmd);

    s->cmd_times = hash == s->cmd_hash ? s->cmd_times + 1 : 0;
    s->cmd_hash  = hash;
    return s->cmd_times;
}

json_t *sim_session_list(const struct sim_sessions *ss)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < ss->ids.count; i++)
        if (ss->all[i]->state == SIM_SESSION_LIVE)
            json_array_append_new(ids, json_string(ss->all[i]->id));
    return ids;
}
