/* Objects as others read them: by the nats CLI. */
#include "bus_world.h"

static void make_store(struct world *w)
{
    char config[] = "{\"name\":\"OBJ_art\",\"subjects\":[\"$O.art.C.>\",\"$O.art.M.>\"],"
                    "\"allow_rollup_hdrs\":true,"
                    "\"allow_direct\":true,\"discard\":\"new\"}";
    struct probe p;

    probe_start(w, &p, 0);
    assert_false(failed(bus_stream_make(&p.op, "OBJ_art", bytes_str(config), probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_NONE);
}

static int put(struct world *w, struct probe *p, const char *name, struct bytes body)
{
    probe_start(w, p, 0);
    assert_false(
        failed(bus_object_put(&p->op, "art", name, body, "what \"it\" is", probe_next)));
    probe_wait(w, p);
    return p->err.kind;
}

/* The CLI checks size, chunks and digest by itself. */
static void get_by_cli(struct world *w, const char *name, struct bytes want)
{
    char command[512], path[128];
    uint8_t *got = mem_array(want.len + 1, 1);

    snprintf(path, sizeof(path), "%s/got", w->dir);
    snprintf(command, sizeof(command),
             "PATH=build/deps/bin:$PATH nats --no-context -s %s object get art '%s' -O %s -f "
             "--no-progress >%s/cli 2>&1",
             w->url, name, path, w->dir);
    if (system(command) != 0) {
        snprintf(command, sizeof(command), "cat %s/cli", w->dir);
        (void)!system(command);
        fail_msg("the nats CLI could not get %s", name);
    }
    FILE *f  = fopen(path, "r");
    size_t n = fread(got, 1, want.len + 1, f);
    fclose(f);
    assert_int_equal(n, want.len);
    assert_memory_equal(got, want.at, want.len);
    mem_free(&got);
}

static void an_object_is_read_by_the_cli(void **state)
{
    static const size_t sizes[]  = {0, 1, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 3000000};
    struct world *w              = *state;
    AUTO(mem_free) uint8_t *body = mem_array(3000000, 1);
    struct probe p;

    for (size_t n = 0; n < 3000000; n++)
        body[n] = (uint8_t)(n * 7 + n / 256);
    make_store(w);
    for (size_t n = 0; n < sizeof(sizes) / sizeof(*sizes); n++) {
        struct bytes want = bytes_of(body, sizes[n]);
        char name[64];

        snprintf(name, sizeof(name), "t/run-%zu/3-\"sh\303\266t\".png", n);
        assert_int_equal(put(w, &p, name, want), ERR_NONE);
        get_by_cli(w, name, want);
    }
    assert_int_equal(put(w, &p, "same", bytes_of(body, 10)), ERR_NONE);
    assert_int_equal(put(w, &p, "same", bytes_of(body, 20)), ERR_NONE);
    get_by_cli(w, "same", bytes_of(body, 20));
    world_no_ops(w);
}

/* Without the CLI: chunks of the agreed size, in order, under the name that the description tells. */
static void the_chunks_are_where_the_description_says(void **state)
{
    enum { SIZE = 300000, CHUNK = 128 * 1024 };
    struct world *w              = *state;
    AUTO(mem_free) uint8_t *body = mem_array(SIZE, 1);
    char subject[128];
    struct probe p;

    make_store(w);
    assert_int_equal(put(w, &p, "a", bytes_of(body, SIZE)), ERR_NONE);
    assert_int_equal(p.seq, 4);
    probe_start(w, &p, 0);
    assert_false(failed(bus_get_last(&p.op, "OBJ_art", "$O.art.M.YQ==", probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_NONE);
    assert_non_null(strstr(p.body, "\"size\":300000,"));
    assert_non_null(strstr(p.body, "\"chunks\":3,"));
    assert_non_null(strstr(p.body, "\"digest\":\"SHA-256="));
    assert_non_null(strstr(p.body, "\"description\":\"what \\\"it\\\" is\""));
    const char *id = strstr(p.body, "\"nuid\":\"") + 8;
    snprintf(subject, sizeof(subject), "$O.art.C.%.*s", (int)strcspn(id, "\""), id);
    assert_int_equal(
        probe_read(w, &p, &(struct bus_read){.stream = "OBJ_art", .subject = subject}),
        ERR_NONE);
    assert_int_equal(p.count, 3);
}

static void what_has_no_place_is_refused(void **state)
{
    struct world *w = *state;
    char name[300];
    struct probe p;

    assert_int_equal(put(w, &p, "x", bytes_str("abc")), ERR_RETRY);
    make_store(w);
    assert_int_equal(put(w, &p, "", bytes_str("abc")), ERR_REJECT);
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(put(w, &p, name, bytes_str("abc")), ERR_REJECT);
    probe_start(w, &p, 0);
    assert_false(
        failed(bus_object_put(&p.op, "no such", "x", bytes_str("x"), NULL, probe_next)));
    probe_wait(w, &p);
    assert_int_equal(p.err.kind, ERR_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_object_is_read_by_the_cli),
        TEST(the_chunks_are_where_the_description_says),
        TEST(what_has_no_place_is_refused),
    };
    return GROUP("bus_object", tests);
}
