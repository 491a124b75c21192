#include "wire/subject.h"

#include <string.h>

#include "base/must.h"
#include "base/str.h"

/* A dot, a star or a blank in a token would be another subject: whoever brings one has not
   checked what a user gave them. */
#define NAMES(...) \
    must_be_names((const char *const[]){__VA_ARGS__}, \
                  sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

static void must_be_names(const char *const *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++)
        must(str_is_name(tokens[i]));
}

#define BUILD(at, ...) \
    do { \
        bool fits_ = str_format((at), SUBJECT_SIZE, __VA_ARGS__); \
        must(fits_); \
    } while (0)

const char *subject_journal(char at[SUBJECT_SIZE], const char *tenant, const char *run)
{
    NAMES(tenant, run);
    BUILD(at, "sluice.journal.%s.%s", tenant, run);
    return at;
}

const char *subject_watch(char at[SUBJECT_SIZE], const char *tenant, const char *run)
{
    NAMES(tenant, run);
    BUILD(at, "sluice.watch.%s.%s", tenant, run);
    return at;
}

const char *subject_pending(char at[SUBJECT_SIZE], unsigned shard, const char *lane,
                            const char *tenant)
{
    NAMES(lane, tenant);
    must(!str_equal(lane, "again")); /* has a token more: subject_again */
    BUILD(at, "sluice.pending.%u.%s.%s", shard, lane, tenant);
    return at;
}

const char *subject_again(char at[SUBJECT_SIZE], unsigned shard, const char *tenant,
                          const char *run)
{
    NAMES(tenant, run);
    BUILD(at, "sluice.pending.%u.again.%s.%s", shard, tenant, run);
    return at;
}

enum { SLOT_SIZE = 16 };

static const char *slot_token(char at[SLOT_SIZE], unsigned slot)
{
    if (slot == 0)
        str_copy(at, SLOT_SIZE, "c0");
    else
        str_format(at, SLOT_SIZE, "%u", slot);
    return at;
}

const char *subject_job(char at[SUBJECT_SIZE], const char *tenant, unsigned slot,
                        const char *pool)
{
    char token[SLOT_SIZE];

    NAMES(tenant, pool);
    BUILD(at, "sluice.jobs.%s.%s.%s", tenant, slot_token(token, slot), pool);
    return at;
}

const char *subject_slot(char at[SUBJECT_SIZE], const char *tenant, unsigned slot)
{
    char token[SLOT_SIZE];

    NAMES(tenant);
    BUILD(at, "sluice.jobs.%s.%s.*", tenant, slot_token(token, slot));
    return at;
}

const char *subject_jobs_pool(char at[SUBJECT_SIZE], const char *pool)
{
    NAMES(pool);
    BUILD(at, "sluice.jobs.*.*.%s", pool);
    return at;
}

const char *subject_freed(char at[SUBJECT_SIZE], const char *tenant, unsigned slot,
                          uint64_t job)
{
    char token[SLOT_SIZE];

    NAMES(tenant);
    BUILD(at, "sluice.freed.%s.%s.%llu", tenant, slot_token(token, slot),
          (unsigned long long)job);
    return at;
}

const char *subject_result(char at[SUBJECT_SIZE], const char *tenant, const char *flow,
                           const char *status, const char *run)
{
    NAMES(tenant, flow, status, run);
    BUILD(at, "sluice.result.%s.%s.%s.%s", tenant, flow, status, run);
    return at;
}

const char *subject_dead_run(char at[SUBJECT_SIZE], const char *tenant, const char *run)
{
    NAMES(tenant, run);
    BUILD(at, "sluice.dead.%s.run-%s", tenant, run);
    return at;
}

const char *subject_dead_ticket(char at[SUBJECT_SIZE], const char *tenant, uint64_t seq)
{
    NAMES(tenant);
    BUILD(at, "sluice.dead.%s.ticket-%llu", tenant, (unsigned long long)seq);
    return at;
}

const char *subject_dead_job(char at[SUBJECT_SIZE], const char *tenant, uint64_t seq)
{
    NAMES(tenant);
    BUILD(at, "sluice.dead.%s.job-%llu", tenant, (unsigned long long)seq);
    return at;
}

const char *subject_grants(char at[SUBJECT_SIZE], unsigned shard)
{
    BUILD(at, "sluice.grants.%u", shard);
    return at;
}

const char *subject_permit(char at[SUBJECT_SIZE], const char *upstream)
{
    NAMES(upstream);
    BUILD(at, "sluice.permit.%s", upstream);
    return at;
}

const char *subject_holds(char at[SUBJECT_SIZE], const char *worker)
{
    NAMES(worker);
    BUILD(at, "sluice.worker.%s.holds", worker);
    return at;
}

const char *subject_mail(char at[SUBJECT_SIZE], const char *worker)
{
    NAMES(worker);
    BUILD(at, "sluice.worker.%s.mail", worker);
    return at;
}

const char *subject_status(char at[SUBJECT_SIZE], const char *worker)
{
    NAMES(worker);
    BUILD(at, "sluice.worker.%s.status", worker);
    return at;
}

const char *subject_state_depth(char at[SUBJECT_SIZE], unsigned shard)
{
    BUILD(at, "sluice.state.depth.%u", shard);
    return at;
}

const char *subject_state_load(char at[SUBJECT_SIZE], const char *pool)
{
    NAMES(pool);
    BUILD(at, "sluice.state.load.%s", pool);
    return at;
}

const char *subject_state_upstream(char at[SUBJECT_SIZE], unsigned shard)
{
    BUILD(at, "sluice.state.upstream.%u", shard);
    return at;
}

const char *subject_alert(char at[SUBJECT_SIZE], const char *kind, const char *name)
{
    NAMES(kind, name);
    BUILD(at, "sluice.alert.%s.%s", kind, name);
    return at;
}

/* Names with dots between them. */
static bool is_dotted(const char *s)
{
    for (;;) {
        size_t len = strcspn(s, ".");

        if (!str_is_name_n(s, len))
            return false;
        if (s[len] == '\0')
            return true;
        s += len + 1;
    }
}

const char *subject_call(char at[SUBJECT_SIZE], const char *tenant, const char *name)
{
    NAMES(tenant);
    must(name && strlen(name) <= SUBJECT_CALL_MAX && is_dotted(name));
    BUILD(at, "sluice.call.%s.%s", tenant, name);
    return at;
}

const char *subject_api(char at[SUBJECT_SIZE], const char *verb, const char *tenant)
{
    NAMES(verb, tenant);
    BUILD(at, "sluice.api.%s.%s", verb, tenant);
    return at;
}

const char *subject_admin(char at[SUBJECT_SIZE], const char *noun, const char *name)
{
    NAMES(noun);
    if (!name) {
        BUILD(at, "sluice.admin.%s", noun);
        return at;
    }
    NAMES(name);
    BUILD(at, "sluice.admin.%s.%s", noun, name);
    return at;
}

int subject_slot_of(const char *subject)
{
    char token[SLOT_SIZE];
    uint64_t slot = 0;

    if (!str_starts(subject, "sluice.jobs.") && !str_starts(subject, "sluice.freed."))
        return -1;
    if (!str_token(subject, 3, token, sizeof(token)))
        return -1;
    if (str_equal(token, "c0"))
        return 0;
    /* One spelling a slot: "07" would be a second subject for slot 7. */
    if (token[0] == '0' || failed(str_u64(token, &slot)) || slot > INT32_MAX)
        return -1;
    return (int)slot;
}

unsigned subject_shard(const char *name, unsigned shards)
{
    must(shards > 0);
    return (unsigned)(str_hash(name, strlen(name)) % shards);
}
