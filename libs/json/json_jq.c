#include "json/json_jq.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json_internal.h"

#include <jq.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Stands before each program, on a line of its own.  Behind it `import` and `include` are syntax errors, and what
 * reaches out of the document is another function than jq's.  The names are bound here and not by jq_compile_args,
 * which would compile the values in.
 */
#define NO(name) "def " name ": error(\"" name " is not to be had here\");"
#define BIND(name) "." name " as $" name "|"
static const char PRELUDE[] = NO("env") NO("input") NO("inputs") NO("debug") NO("stderr")
    NO("input_filename") NO("input_line_number") NO("halt")
        NO("halt_error") "def halt_error($status): halt_error;" NO("modulemeta")
            NO("get_search_list") NO("get_prog_origin")
                NO("get_jq_origin") "{} as $ENV|" BIND("input") BIND("steps") BIND("vars")
                    BIND("run") BIND("item") "if has(\".\") then .[\".\"] else . end|\n";

/* program - one that was compiled, and where the compiler's first complaint goes. */
struct program {
    char *text; /* NULL: free */
    jq_state *jq;
    uint64_t used;
    char words[JSON_WHY_SIZE];
};

static struct program kept[JSON_JQ_KEPT];
static uint64_t turns;

static void no_memory(void *self)
{
    (void)self;
    _exit(JSON_JQ_NO_MEMORY);
}

/* ------------------------------------------------------------------------------- jq's words */

static void cut(char *text, const char *from)
{
    char *found = strstr(text, from);

    if (found)
        *found = '\0';
}

/* "jq: error: syntax error, unexpected IDENT (Unix shell quoting issues?) at <top-level>, line 2:\n…" comes first, and
   "jq: 1 compile error" last. */
static void on_complaint(void *self, jv message)
{
    struct program *p         = self;
    static const char begin[] = "jq: error: ";

    message          = jq_format_error(message);
    const char *text = jv_string_value(message);
    if (p->words[0] == '\0') {
        str_copy(p->words, sizeof p->words,
                 str_starts(text, begin) ? text + sizeof begin - 1 : text);
        cut(p->words, " at <top-level>");
        cut(p->words, " (Unix shell");
        cut(p->words, "\n");
    }
    jv_free(message);
}

/* What a program threw; consumes value. */
static struct err thrown(jv value, char *why, size_t why_size)
{
    jv message = jv_invalid_get_msg(value);

    if (jv_get_kind(message) != JV_KIND_STRING)
        message = jv_string_concat(jv_string("error "), jv_dump_string(message, 0));
    struct err e = json_refuse("run jq", jv_string_value(message), why, why_size);
    jv_free(message);
    return e;
}

/* -------------------------------------------------------------------------------- compiling */

static void forget(struct program *p)
{
    if (p->text)
        jq_teardown(&p->jq);
    mem_free(&p->text);
}

/* The program if it is kept, else the place of the one that was used longest ago. */
static struct program *place_for(const char *text)
{
    struct program *oldest = kept;

    for (struct program *p = kept; p < kept + JSON_JQ_KEPT; p++) {
        if (str_equal(p->text, text))
            return p;
        if (p->used < oldest->used)
            oldest = p;
    }
    return oldest;
}

static struct err compile(struct program *p, const char *text, char *why, size_t why_size)
{
    AUTO(mem_free) char *whole = mem_printf("%s%s", PRELUDE, text);

    forget(p);
    *p = (struct program){.jq = jq_init()};
    if (!p->jq)
        no_memory(NULL);
    jq_set_nomem_handler(p->jq, no_memory, NULL);
    jq_set_error_cb(p->jq, on_complaint, p);
    jq_set_attr(p->jq, jv_string("JQ_LIBRARY_PATH"),
                jv_array()); /* jq asserts that there is one */
    if (jq_compile(p->jq, whole)) {
        p->text = mem_strdup(text);
        return OK;
    }
    jq_teardown(&p->jq);
    return json_refuse("compile jq", p->words[0] ? p->words : "it does not compile", why,
                       why_size);
}

static struct err find(struct program **ret, const char *text, char *why, size_t why_size)
{
    struct program *p = place_for(text);

    if (strlen(text) > JSON_JQ_PROGRAM_MAX)
        return json_refuse("compile jq", "the program is longer than 64 KiB", why, why_size);
    if (!str_is_utf8(bytes_str(text)))
        return json_refuse("compile jq", "the program is not UTF-8", why, why_size);
    if (text[strspn(text, " \t\r\n")] == '\0')
        return json_refuse("compile jq", "the program is empty", why, why_size);
    if (!str_equal(p->text, text)) {
        struct err e = compile(p, text, why, why_size);
        if (failed(e))
            return e;
    }
    p->used = ++turns;
    *ret    = p;
    return OK;
}

/* ---------------------------------------------------------------------------------- running */

static struct err read_scope(struct bytes scope, jv *ret, char *why, size_t why_size)
{
    if (scope.len > INT_MAX)
        return json_refuse("run jq", "the scope is too big", why, why_size);
    jv v = jv_parse_sized((const char *)scope.at, (int)scope.len);
    if (jv_get_kind(v) == JV_KIND_OBJECT) {
        *ret = v;
        return OK;
    }
    jv_free(v);
    return json_refuse("run jq", "the scope is not a JSON object", why, why_size);
}

/* Consumes value. */
static struct err give(jv value, struct buf *to, char *why, size_t why_size)
{
    char words[64];
    jv text = jv_dump_string(value, 0);

    buf_add(to, jv_string_value(text), (size_t)jv_string_length_bytes(jv_copy(text)));
    jv_free(text);
    if (!to->full)
        return OK;
    str_format(words, sizeof words, "gave more than %zu KiB", to->max >> 10);
    return json_refuse("run jq", words, why, why_size);
}

static struct err answer(jv value, struct buf *to, char *why, size_t why_size)
{
    if (jv_is_valid(value))
        return give(value, to, why, why_size);
    if (jv_invalid_has_msg(jv_copy(value)))
        return thrown(value, why, why_size);
    jv_free(value);
    buf_str(to, "null");
    return OK;
}

struct err json_jq(const char *program, struct bytes scope, struct buf *to, char *why,
                   size_t why_size)
{
    struct program *p = NULL;
    jv input;

    jv_nomem_handler(no_memory, NULL);
    struct err e = find(&p, program, why, why_size);
    if (failed(e))
        return e;
    e = read_scope(scope, &input, why, why_size);
    if (failed(e))
        return e;
    jq_start(p->jq, input, 0);
    e = answer(jq_next(p->jq), to, why, why_size);
    jq_start(p->jq, jv_null(), 0); /* lets go of what the program held */
    return e;
}

void json_jq_forget(void)
{
    for (struct program *p = kept; p < kept + JSON_JQ_KEPT; p++)
        forget(p);
}
