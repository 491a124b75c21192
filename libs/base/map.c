#include "base/map.h"

#include <string.h>

#include "base/id.h"
#include "base/mem.h"

/*
 * Linear probing over a table of a power of two, at most three quarters used.  A removed slot
 * leaves a grave, so that nothing moves while somebody iterates; graves in front of an empty
 * slot are cleared at once, and the rest when the table is next built anew.
 */
enum { SLOTS_MIN = 16 };

/* The hash of a slot in use has its top bit set, so these two are free. */
#define EMPTY UINT64_C(0)
#define GRAVE UINT64_C(1)
#define USED (UINT64_C(1) << 63)
#define NUM (UINT64_C(1) << 62) /* the key is a number */

struct slot {
    uint64_t hash;
    union {
        char *str;
        uint64_t num;
    } key;
    void *value;
};

struct map {
    struct slot *slots;
    size_t mask; /* slots - 1 */
    size_t count;
    size_t graves;
};

/* SipHash-1-3 (Aumasson and Bernstein, 2012) under a key drawn once a process: outsiders
   choose the names that we use as keys, and against a fixed hash they could choose them all
   into one slot. */
static uint64_t secret[2];

__attribute__((constructor)) static void draw_secret(void)
{
    secret[0] = id_random64();
    secret[1] = id_random64();
}

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

static uint64_t sip(const void *at, size_t len)
{
    uint64_t v[4] = {
        secret[0] ^ UINT64_C(0x736f6d6570736575),
        secret[1] ^ UINT64_C(0x646f72616e646f6d),
        secret[0] ^ UINT64_C(0x6c7967656e657261),
        secret[1] ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *byte = at;
    uint64_t word       = 0;
    size_t i            = 0;

    for (; len - i >= 8; i += 8) {
        memcpy(&word, byte + i, 8);
        sip_word(v, word);
    }
    word = (uint64_t)len << 56;
    for (int by = 0; i < len; i++, by += 8)
        word |= (uint64_t)byte[i] << by;
    sip_word(v, word);

    v[2] ^= 0xff;
    for (int n = 0; n < 3; n++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t str_slot_hash(const char *key)
{
    return (sip(key, strlen(key)) & ~NUM) | USED;
}

static uint64_t num_slot_hash(uint64_t key)
{
    return sip(&key, sizeof(key)) | NUM | USED;
}

static bool in_use(const struct slot *slot)
{
    return (slot->hash & USED) != 0;
}

struct map *map_new(void)
{
    struct map *map = mem_new(struct map);

    map->slots = mem_array(SLOTS_MIN, sizeof(struct slot));
    map->mask  = SLOTS_MIN - 1;
    return map;
}

void map_free(struct map **slot)
{
    struct map *map = take(slot);

    if (!map)
        return;
    for (size_t i = 0; i <= map->mask; i++)
        if (in_use(&map->slots[i]) && !(map->slots[i].hash & NUM))
            mem_free(&map->slots[i].key.str);
    mem_free(&map->slots);
    mem_free(&map);
}

size_t map_count(const struct map *map)
{
    return map->count;
}

/* The slot of the key, or NULL.  Equal hashes of a string and a number differ in the bit
   NUM, so the one never looks into the other's union. */
static struct slot *find_str(const struct map *map, const char *key, uint64_t hash)
{
    for (size_t i = hash & map->mask;; i = (i + 1) & map->mask) {
        struct slot *slot = &map->slots[i];

        if (slot->hash == EMPTY)
            return NULL;
        if (slot->hash == hash && strcmp(slot->key.str, key) == 0)
            return slot;
    }
}

static struct slot *find_num(const struct map *map, uint64_t key, uint64_t hash)
{
    for (size_t i = hash & map->mask;; i = (i + 1) & map->mask) {
        struct slot *slot = &map->slots[i];

        if (slot->hash == EMPTY)
            return NULL;
        if (slot->hash == hash && slot->key.num == key)
            return slot;
    }
}

static struct slot *find_room(const struct map *map, uint64_t hash)
{
    size_t i = hash & map->mask;

    while (in_use(&map->slots[i]))
        i = (i + 1) & map->mask;
    return &map->slots[i];
}

static void build_anew(struct map *map, size_t slots)
{
    struct map old = *map;

    map->slots  = mem_array(slots, sizeof(struct slot));
    map->mask   = slots - 1;
    map->graves = 0;
    for (size_t i = 0; i <= old.mask; i++)
        if (in_use(&old.slots[i]))
            *find_room(map, old.slots[i].hash) = old.slots[i];
    mem_free(&old.slots);
}

/* Full of entries: twice the size.  Full of graves: the same size, without them.  Half of what
   it may hold is free after either, so that building anew costs O(1) an insertion. */
static struct slot *add_slot(struct map *map, uint64_t hash)
{
    size_t slots = map->mask + 1;

    if (map->count + map->graves + 1 > slots / 4 * 3)
        build_anew(map, map->count + 1 > slots / 8 * 3 ? slots * 2 : slots);

    struct slot *slot = find_room(map, hash);

    if (slot->hash == GRAVE)
        map->graves--;
    slot->hash = hash;
    map->count++;
    return slot;
}

static void *swap_value(struct slot *slot, void *value)
{
    void *old = slot->value;

    slot->value = value;
    return old;
}

static void *remove_slot(struct map *map, struct slot *slot)
{
    size_t i    = (size_t)(slot - map->slots);
    void *value = slot->value;

    *slot = (struct slot){.hash = GRAVE};
    map->count--;
    map->graves++;
    if (map->slots[(i + 1) & map->mask].hash != EMPTY)
        return value;
    for (; map->slots[i].hash == GRAVE; i = (i - 1) & map->mask) {
        map->slots[i].hash = EMPTY;
        map->graves--;
    }
    return value;
}

void *map_find(const struct map *map, const char *key)
{
    const struct slot *slot = find_str(map, key, str_slot_hash(key));

    return slot ? slot->value : NULL;
}

void *map_put(struct map *map, const char *key, void *value)
{
    uint64_t hash     = str_slot_hash(key);
    struct slot *slot = find_str(map, key, hash);

    must(value != NULL);
    if (!slot) {
        slot          = add_slot(map, hash);
        slot->key.str = mem_strdup(key);
        slot->value   = NULL;
    }
    return swap_value(slot, value);
}

void *map_remove(struct map *map, const char *key)
{
    struct slot *slot = find_str(map, key, str_slot_hash(key));

    if (!slot)
        return NULL;
    mem_free(&slot->key.str);
    return remove_slot(map, slot);
}

void *map_find_u64(const struct map *map, uint64_t key)
{
    const struct slot *slot = find_num(map, key, num_slot_hash(key));

    return slot ? slot->value : NULL;
}

void *map_put_u64(struct map *map, uint64_t key, void *value)
{
    uint64_t hash     = num_slot_hash(key);
    struct slot *slot = find_num(map, key, hash);

    must(value != NULL);
    if (!slot) {
        slot          = add_slot(map, hash);
        slot->key.num = key;
        slot->value   = NULL;
    }
    return swap_value(slot, value);
}

void *map_remove_u64(struct map *map, uint64_t key)
{
    struct slot *slot = find_num(map, key, num_slot_hash(key));

    return slot ? remove_slot(map, slot) : NULL;
}

bool map_next(const struct map *map, size_t *it, const char **ret_key, void **ret_value)
{
    for (; *it <= map->mask; (*it)++) {
        const struct slot *slot = &map->slots[*it];

        if (!in_use(slot))
            continue;
        (*it)++;
        if (ret_key)
            *ret_key = slot->hash & NUM ? NULL : slot->key.str;
        if (ret_value)
            *ret_value = slot->value;
        return true;
    }
    return false;
}
