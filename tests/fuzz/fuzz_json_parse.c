/*
 * fuzz_json_parse - whatever was parsed prints as something that parses as the same, and sorted printing is a fixed point.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/json.h"
#include "planted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void print_and_parse(const struct json *doc,
                            void (*print)(const struct json *v, struct buf *to), struct buf *to)
{
    AUTO(json_free) struct json *again = NULL;
    char why[JSON_WHY_SIZE];

    print(doc, to);
    if (to->full) /* a byte may become six */
        return;
    must(!failed(json_parse(&again, buf_bytes(to), why, sizeof why)));
    must(json_equal(doc, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    AUTO(json_free) struct json *doc = NULL;
    char why[JSON_WHY_SIZE]          = "";
    struct buf plain, sorted, twice;

    if (failed(json_parse(&doc, bytes_of(data, len), why, sizeof why))) {
        must(why[0] && memchr(why, '\0', sizeof why));
        return 0;
    }
    PLANT(json_type(doc) == JSON_ARRAY && json_count(doc) == 5);
    buf_init(&plain, len * 6 + 64);
    buf_init(&sorted, len * 6 + 64);
    buf_init(&twice, len * 6 + 64);
    print_and_parse(doc, json_print, &plain);
    print_and_parse(doc, json_print_sorted, &sorted);
    must(!plain.full && plain.len == sorted.len);

    AUTO(json_free) struct json *again = NULL;
    must(!failed(json_parse(&again, buf_bytes(&sorted), why, sizeof why)));
    json_print_sorted(again, &twice);
    must(bytes_equal(buf_bytes(&sorted), buf_bytes(&twice)));

    buf_deinit(&plain);
    buf_deinit(&sorted);
    buf_deinit(&twice);
    return 0;
}
