#include "bw_expand.h"

#include <string.h>

#include "base/mem.h"
#include "json/json_expand.h"
#include "json/json_expr.h"

enum { SCOPE_MAX = BW_EVAL_SCOPE_MAX };

static enum json_expr_is remembered(void *self, const char *at, size_t len,
                                    const struct json *scope, struct json **ret_value,
                                    char *why, size_t why_size)
{
    struct bw_run *run       = self;
    struct bw_expanding *x   = &run->expanding;
    AUTO(mem_free) char *key = mem_strndup(at, len);
    const struct json *known = map_find(x->values, key);

    (void)scope;
    if (known) {
        *ret_value = json_ref(known);
        return EXPR_VALUE;
    }
    if (!str_copy_n(x->pending, sizeof x->pending, at, len)) {
        str_format(why, why_size, "an expression is longer than %zu characters",
                   sizeof x->pending - 1);
        return EXPR_FAILED;
    }
    return EXPR_LATER;
}

static void forget(struct bw_expanding *x)
{
    const char *key;
    void *value;

    for (size_t it = 0; x->values && map_next(x->values, &it, &key, &value);) {
        struct json *v = value;
        json_free(&v);
    }
    map_free(&x->values);
}

static void finish(struct bw_run *run, struct json *value, const char *why)
{
    bw_expand_fn *then = run->expanding.then;

    forget(&run->expanding);
    json_free(&run->expanding.box);
    then(run, value, why);
}

static void walk(struct bw_run *run);

static void on_value(void *self, struct err e, struct bytes value, const char *failure)
{
    struct bw_run *run     = self;
    struct bw_expanding *x = &run->expanding;
    struct json *v         = NULL;
    char why[JSON_WHY_SIZE];

    x->ask = NULL;
    if (failed(e)) {
        char text[256];
        str_format(text, sizeof text, "${%.80s}: %.140s", x->pending, failure);
        finish(run, NULL, text);
        return;
    }
    if (failed(json_parse(&v, value, why, sizeof why))) {
        finish(run, NULL, why);
        return;
    }
    (void)map_put(x->values, x->pending, v);
    walk(run);
}

static void evaluate(struct bw_run *run)
{
    struct bw_expanding *x = &run->expanding;
    struct buf scope;

    buf_init(&scope, SCOPE_MAX);
    json_print(x->scope, &scope);
    if (scope.full)
        finish(run, NULL, "input, steps and vars together are larger than 4 MiB");
    else
        x->ask = bw_eval_ask(run->bw->eval, x->pending, buf_bytes(&scope), on_value, run);
    buf_deinit(&scope);
}

static void walk(struct bw_run *run)
{
    struct bw_expanding *x       = &run->expanding;
    const struct json_expand how = {.scope = x->scope, .eval = remembered, .self = run};
    struct json *value           = NULL;
    char why[JSON_WHY_SIZE];

    switch (json_expand(&how, x->from, &value, why, sizeof why)) {
    case EXPR_VALUE:
        finish(run, value, NULL);
        return;
    case EXPR_FAILED:
        finish(run, NULL, why);
        return;
    case EXPR_LATER:
        evaluate(run);
        return;
    }
}

void bw_expand(struct bw_run *run, const struct json *from, const struct json *scope,
               bw_expand_fn *then)
{
    run->expanding.from   = from;
    run->expanding.scope  = scope;
    run->expanding.then   = then;
    run->expanding.values = map_new();
    walk(run);
}

void bw_expand_string(struct bw_run *run, const char *text, const struct json *scope,
                      bw_expand_fn *then)
{
    run->expanding.box = json_new_str(text);
    bw_expand(run, run->expanding.box, scope, then);
}

void bw_expand_text(struct bw_run *run, const char *text, const struct json *scope,
                    const struct json *this_outcome, bw_expand_fn *then)
{
    const char *at    = text;
    size_t len        = strlen(text);
    struct json *box  = json_new_object(),
                *wide = this_outcome ? json_copy(scope) : json_ref(scope);

    (void)json_expr_whole(text, &at, &len);
    AUTO(mem_free) char *whole = mem_printf("${%.*s}", (int)len, at);
    if (this_outcome)
        json_set(wide, ".", json_ref(this_outcome));
    json_set(box, "scope", wide);
    json_set(box, "text", json_new_str(whole));
    run->expanding.box = box;
    bw_expand(run, json_get(box, "text"), json_get(box, "scope"), then);
}

void bw_expand_stop(struct bw_run *run)
{
    if (run->expanding.ask)
        bw_eval_cancel(&run->expanding.ask);
    forget(&run->expanding);
    json_free(&run->expanding.box);
}
