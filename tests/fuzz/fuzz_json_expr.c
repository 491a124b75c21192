/*
 * fuzz_json_expr - a text is split into parts that lie in it, in order; looked up, expanded and taken for a pattern
 * without harm.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/json_expr.h"
#include "json/json_internal.h"
#include "json/json_schema.h"
#include "planted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void see(void *self, const char *name, size_t len)
{
    const char *text = self;

    must(name >= text && name + len <= text + strlen(text));
}

static enum json_expr_is eval(void *self, const char *at, size_t len, const struct json *scope,
                              struct json **ret, char *why, size_t why_size)
{
    (void)self;
    (void)scope;
    (void)why;
    (void)why_size;
    *ret = json_new_str_n(at, len);
    return EXPR_VALUE;
}

static void split(const char *text)
{
    struct json_part parts[32];
    size_t count = 0;
    char why[JSON_WHY_SIZE];
    const char *from = text;

    if (failed(json_expr_split(text, parts, 32, &count, why, sizeof why)))
        return;
    PLANT(count == 5 && parts[0].is_expr && parts[4].is_expr);
    for (size_t i = 0; i < count; i++) {
        must(parts[i].at >= from && parts[i].at + parts[i].len <= text + strlen(text));
        from = parts[i].at + parts[i].len;
        if (parts[i].is_expr)
            json_expr_steps(parts[i].at, parts[i].len, see, (void *)text);
    }
}

static void expand(const char *text, const struct json *scope)
{
    const struct json_expand how      = {.scope = scope, .eval = eval};
    AUTO(json_free) struct json *from = json_new_str(text);
    AUTO(json_free) struct json *a    = NULL;
    char why[JSON_WHY_SIZE];

    if (json_expand(&how, from, &a, why, sizeof why) == EXPR_VALUE)
        must(a);
}

static void take_for_pattern(const char *text)
{
    AUTO(json_free) struct json *schema = json_new_object();
    AUTO(json_free) struct json *value  = json_new_str(text);
    AUTO(json_free) struct json *ret    = NULL;
    char pointer[32], why[JSON_WHY_SIZE];

    json_set(schema, "pattern", json_new_str(text));
    if (failed(json_schema_check(schema, pointer, sizeof pointer, why, sizeof why)))
        return;
    if (failed(
            json_schema_apply(schema, value, &ret, pointer, sizeof pointer, why, sizeof why)))
        must(why[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char scope_text[] = "{\"input\":{\"a\":[1,{\"b\":\"c\"}]},\"steps\":{\"s\":{"
                                     "\"rows\":[]}},\"item\":\"${.input}\"}";
    AUTO(mem_free) char *text      = mem_strndup((const char *)data, len);
    AUTO(json_free) struct json *scope = NULL;
    const struct json *at              = NULL;
    char why[JSON_WHY_SIZE];

    must(!failed(json_parse(&scope, bytes_str(scope_text), why, sizeof why)));
    split(text);
    expand(text, scope);
    take_for_pattern(text);
    if (!json_expr_is_path(text, strlen(text)))
        must(failed(json_expr_follow(scope, text, strlen(text), &at, why, sizeof why)));
    json_expr_steps(text, strlen(text), see, text);
    return 0;
}
