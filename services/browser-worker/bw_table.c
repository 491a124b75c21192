#include "bw_table.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"
#include "bus/bus.h"
#include "wire/subject.h"

struct bw_table {
    struct bus_follower *follower;
    struct map *rows; /* key -> struct bw_table_row */
    bool ready;
    uint64_t marks;
};

static void forget(struct bw_table *table, const char *key)
{
    struct bw_table_row *row = map_remove(table->rows, key);

    mem_free(&row);
}

static bool has_ended(const struct bw_record *r)
{
    return str_equal(r->status, "completed") || str_equal(r->status, "expired");
}

static void on_record(void *self, struct bus_msg **msg)
{
    struct bw_table *table  = self;
    const char *key         = bus_kv_key(*msg);
    struct bw_table_row row = {.revision = (*msg)->seq, .mark = bw_table_mark(table)};

    if (!key || !str_copy(row.key, sizeof row.key, key))
        return;
    forget(table, key);
    if (!bus_kv_gone(*msg) && !failed(bw_record_read(&row.record, (*msg)->body)) &&
        !has_ended(&row.record))
        (void)map_put(table->rows, key, mem_copy(&row, sizeof row));
}

static void on_caught_up(void *self)
{
    struct bw_table *table = self;

    table->ready = true;
}

static void forget_all(struct bw_table *table)
{
    const char *key = NULL;
    void *value     = NULL;

    for (size_t it = 0; map_next(table->rows, &it, &key, &value);)
        forget(table, key);
}

static void on_anew(void *self)
{
    forget_all(self);
}

struct bw_table *bw_table_new(struct bus *bus)
{
    struct bw_table *table         = mem_new(struct bw_table);
    const struct bus_follow follow = {.stream           = "KV_" BUCKET_SESSIONS,
                                      .filter           = "$KV." BUCKET_SESSIONS ".>",
                                      .last_per_subject = true,
                                      .on_msg           = on_record,
                                      .on_caught_up     = on_caught_up,
                                      .on_anew          = on_anew,
                                      .self             = table};

    table->rows = map_new();
    if (failed(bus_follow(bus, &follow, &table->follower)))
        die(1, "browser-worker: cannot follow the sessions");
    return table;
}

void bw_table_free(struct bw_table **slot)
{
    struct bw_table *table = take(slot);

    if (!table)
        return;
    bus_follow_end(&table->follower);
    forget_all(table);
    map_free(&table->rows);
    mem_free(&table);
}

bool bw_table_ready(const struct bw_table *table)
{
    return table->ready;
}

uint64_t bw_table_mark(struct bw_table *table)
{
    return ++table->marks;
}

const struct bw_table_row *bw_table_find(const struct bw_table *table, const char *key)
{
    return map_find(table->rows, key);
}

bool bw_table_next(const struct bw_table *table, size_t *it, const struct bw_table_row **ret)
{
    void *value = NULL;

    if (!map_next(table->rows, it, NULL, &value))
        return false;
    *ret = value;
    return true;
}

const char *bw_table_key(const char *tenant, const char *session, char ret[BW_TABLE_KEY_SIZE])
{
    must(str_format(ret, BW_TABLE_KEY_SIZE, "%s.%s", tenant, session));
    return ret;
}

const char *bw_table_session(const struct bw_table_row *row)
{
    const char *dot = strchr(row->key, '.');

    return dot ? dot + 1 : "";
}
