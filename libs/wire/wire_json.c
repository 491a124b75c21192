#include "wire/wire_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "wire/wire_message.h"
#include "wire/wire_text.h"

bool wire_is_json(struct bytes payload)
{
    return payload.len > 0 && (payload.at[0] == '{' || payload.at[0] == '[');
}

/* ---- what the descriptors say -------------------------------------------------------------- */

typedef const ProtobufCFieldDescriptor field_t;

static bool is_time(field_t *f)
{
    return (f->type == PROTOBUF_C_TYPE_INT64 || f->type == PROTOBUF_C_TYPE_UINT64) &&
           str_ends(f->name, "_at");
}

static bool is_token(field_t *f)
{
    return f->type == PROTOBUF_C_TYPE_FIXED64 && str_equal(f->name, "token");
}

/* Bytes of one value of the field, as it lies in a message or in its array. */
static size_t size_of(field_t *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return sizeof(uint32_t);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_ENUM:
        return sizeof(int);
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(char *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(ProtobufCMessage *);
    }
    must(!"unknown type of field");
    return 0;
}

/* "CALL_CLASS_UNSENT" is "UNSENT": every enum's zero is its prefix and UNSPECIFIED. */
static const char *bare_name(const ProtobufCEnumDescriptor *e, const ProtobufCEnumValue *value)
{
    const ProtobufCEnumValue *zero = protobuf_c_enum_descriptor_get_value(e, 0);

    must(zero && str_ends(zero->name, "UNSPECIFIED"));
    return value->name + strlen(zero->name) - strlen("UNSPECIFIED");
}

enum { WORD_SIZE = 32 };

static const char *enum_word(const ProtobufCEnumDescriptor *e, const ProtobufCEnumValue *value,
                             char at[WORD_SIZE])
{
    bool whole = str_copy(at, WORD_SIZE, bare_name(e, value));

    must(whole);
    for (char *c = at; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return at;
}

/* ---- protobuf to JSON ---------------------------------------------------------------------- */

static void print_message(const ProtobufCMessage *m, struct buf *to);

/* Valid JSON on one line: blanks stand outside of strings only where they mean nothing. */
static void print_compact(struct bytes json, struct buf *to)
{
    size_t begin   = 0;
    bool in_string = false;

    for (size_t i = 0; i < json.len; i++) {
        uint8_t c = json.at[i];

        if (c == '"')
            in_string = !in_string;
        else if (c == '\\')
            i++;
        else if (!in_string && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
            buf_add(to, json.at + begin, i - begin);
            begin = i + 1;
        }
    }
    buf_add(to, json.at + begin, json.len - begin);
}

static void print_bytes(const ProtobufCBinaryData *data, struct buf *to)
{
    struct bytes text = bytes_of(data->data, data->len);

    if (wire_text_is_json(text))
        print_compact(text, to);
    else
        json_quote_n(to, (const char *)text.at, text.len);
}

static void print_enum(const ProtobufCEnumDescriptor *e, int n, struct buf *to)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(e, n);
    char word[WORD_SIZE];

    if (value)
        buf_printf(to, "\"%s\"", enum_word(e, value, word));
    else
        buf_printf(to, "%d", n); /* of a later version */
}

static void print_time(int64_t wall_ms, struct buf *to)
{
    char text[32];

    buf_printf(to, "\"%s\"", str_time_text(wall_ms, text, sizeof(text)));
}

static void print_token(uint64_t token, struct buf *to)
{
    char hex[17];

    buf_printf(to, "\"%s\"", str_hex64(token, hex));
}

static void print_value(field_t *f, const void *at, struct buf *to)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        buf_printf(to, "%" PRId32, *(const int32_t *)at);
        return;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        buf_printf(to, "%" PRIu32, *(const uint32_t *)at);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        if (is_time(f))
            print_time(*(const int64_t *)at, to);
        else
            buf_printf(to, "%" PRId64, *(const int64_t *)at);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        if (is_time(f))
            print_time(*(const int64_t *)at, to);
        else if (is_token(f))
            print_token(*(const uint64_t *)at, to);
        else
            buf_printf(to, "%" PRIu64, *(const uint64_t *)at);
        return;
    case PROTOBUF_C_TYPE_BOOL:
        buf_str(to, *(const protobuf_c_boolean *)at ? "true" : "false");
        return;
    case PROTOBUF_C_TYPE_ENUM:
        print_enum(f->descriptor, *(const int *)at, to);
        return;
    case PROTOBUF_C_TYPE_STRING:
        json_quote(to, *(char *const *)at);
        return;
    case PROTOBUF_C_TYPE_BYTES:
        print_bytes(at, to);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        print_message(*(ProtobufCMessage *const *)at, to);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        break; /* proto/ has none */
    }
    must(!"a type of field that proto/ does not have");
}

static bool is_absent(field_t *f, const void *at)
{
    static const char zero[sizeof(uint64_t)];

    if (f->type == PROTOBUF_C_TYPE_STRING)
        return !*(char *const *)at || **(char *const *)at == '\0';
    if (f->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)at)->len == 0;
    return memcmp(at, zero, size_of(f)) == 0; /* 0, false, NULL */
}

static void print_array(field_t *f, const char *at, size_t count, struct buf *to)
{
    buf_char(to, '[');
    for (size_t i = 0; i < count && !to->full; i++) {
        if (i > 0)
            buf_char(to, ',');
        print_value(f, at + i * size_of(f), to);
    }
    buf_char(to, ']');
}

static void print_field(field_t *f, const ProtobufCMessage *m, bool *first, struct buf *to)
{
    const char *at = (const char *)m + f->offset;
    size_t count   = 0;

    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        count = *(const size_t *)((const char *)m + f->quantifier_offset);
    if (f->label == PROTOBUF_C_LABEL_REPEATED ? count == 0 : is_absent(f, at))
        return;

    buf_printf(to, "%s\"%s\":", *first ? "" : ",", f->name);
    *first = false;
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        print_array(f, *(const char *const *)at, count, to);
    else
        print_value(f, at, to);
}

static void print_message(const ProtobufCMessage *m, struct buf *to)
{
    bool first = true;

    buf_char(to, '{');
    for (unsigned i = 0; i < m->descriptor->n_fields && !to->full; i++)
        print_field(&m->descriptor->fields[i], m, &first, to);
    buf_char(to, '}');
}

struct err wire_json_of(const char *message, struct bytes protobuf, struct buf *to, char *why,
                        size_t why_size)
{
    const ProtobufCMessageDescriptor *descriptor = wire_message_find(message);
    AUTO(arena_free) struct arena *arena         = arena_new();

    if (!descriptor) {
        str_format(why, why_size, "there is no message %.64s", message);
        return err_of(ERR_REJECT, "find a message");
    }
    const ProtobufCMessage *m = wire_message_unpack(descriptor, protobuf, arena);
    if (!m) {
        str_format(why, why_size, "the bytes are not a protobuf message %s", message);
        return err_of(ERR_REJECT, "read a message");
    }
    print_message(m, to);
    if (!to->full)
        return OK;
    str_format(why, why_size, "as JSON it is larger than %zu bytes", to->max);
    return err_of(ERR_FULL, "write JSON");
}

/* ---- the text of a value in its document --------------------------------------------------- */

/*
 * The user's JSON is never printed anew (1.50 would be 1.5), so a bytes field needs the text that
 * its value had.  All that follows walks over text which json_parse has accepted.
 */

static const uint8_t *skip_blanks(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at;
}

/* From its quote to behind its other quote. */
static const uint8_t *skip_string(const uint8_t *at, const uint8_t *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

static const uint8_t *skip_value(const uint8_t *at, const uint8_t *end)
{
    size_t depth = 0;

    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            if (depth == 0)
                return at; /* of the value around */
            depth--;
            at++;
        } else if (depth == 0) {
            while (at < end && !memchr(",]} \t\r\n", *at, 7))
                at++;
            return at;
        } else {
            at++;
        }
        if (depth == 0)
            return at;
    }
    return end;
}

/* One value after another inside of the brackets: *at goes on behind it; false: there is no more. */
static bool next_value(const uint8_t **at, const uint8_t *end, bool object,
                       struct bytes *ret_key, struct bytes *ret_value)
{
    const uint8_t *from = skip_blanks(*at, end);

    if (from < end && *from == ',')
        from = skip_blanks(from + 1, end);
    if (from >= end || *from == '}' || *from == ']')
        return false;
    if (object) {
        const uint8_t *behind = skip_string(from, end);

        *ret_key = bytes_of(from + 1, (size_t)(behind - from) - 2);
        from     = skip_blanks(behind, end);
        from     = skip_blanks(from + 1, end); /* the colon */
    }
    *at        = skip_value(from, end);
    *ret_value = bytes_of(from, (size_t)(*at - from));
    return true;
}

/* Empty if the key is spelled with escapes. */
static struct bytes text_of_member(struct bytes object, const char *key)
{
    const uint8_t *end = object.at + object.len;
    const uint8_t *at  = skip_blanks(object.at, end) + 1;
    struct bytes name, value;

    while (next_value(&at, end, true, &name, &value))
        if (bytes_equal(name, bytes_str(key)))
            return value;
    return bytes_of(NULL, 0);
}

/* ---- JSON to protobuf ---------------------------------------------------------------------- */

/* Where we are, for `why`; what lives as long as the message. */
struct filling {
    struct arena *arena;
    char *why;
    size_t why_size;
    char path[96];
    size_t path_len;
};

/* A value, and its text if it is known. */
struct value {
    const struct json *json;
    struct bytes text;
};

static struct err fill_message(struct filling *s, ProtobufCMessage *m, struct value object);

static size_t go_in(struct filling *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The path as it was, to come back with. */
static size_t go_in(struct filling *s, const char *format, ...)
{
    size_t before = s->path_len;
    va_list args;

    va_start(args, format);
    int len = vsnprintf(s->path + before, sizeof(s->path) - before, format, args);
    va_end(args);
    must(len >= 0 && before + (size_t)len < sizeof(s->path)); /* names of proto/, three deep */
    s->path_len = before + (size_t)len;
    return before;
}

static void go_out(struct filling *s, size_t before)
{
    s->path[before] = '\0';
    s->path_len     = before;
}

static struct err refuse(struct filling *s, const char *wanted, const struct json *v)
{
    str_format(s->why, s->why_size, "%s must be %s, is %s", s->path, wanted, json_type_word(v));
    return err_of(ERR_REJECT, "read JSON");
}

static struct err refuse_range(struct filling *s)
{
    str_format(s->why, s->why_size, "%s is out of range", s->path);
    return err_of(ERR_REJECT, "read JSON");
}

static struct err fill_whole(struct filling *s, const struct json *v, int64_t least,
                             int64_t most, int64_t *ret)
{
    if (json_type(v) != JSON_INT)
        return refuse(s, "a whole number", v);
    if (json_int(v) < least || json_int(v) > most)
        return refuse_range(s);
    *ret = json_int(v);
    return OK;
}

static struct err fill_32(struct filling *s, const struct json *v, int64_t least, int64_t most,
                          uint32_t *ret)
{
    int64_t n = 0;

    struct err e = fill_whole(s, v, least, most, &n);
    if (failed(e))
        return e;
    *ret = (uint32_t)n;
    return OK;
}

static struct err fill_64(struct filling *s, const struct json *v, int64_t least, uint64_t *ret)
{
    int64_t n = 0;

    struct err e = fill_whole(s, v, least, INT64_MAX, &n);
    if (failed(e))
        return e;
    *ret = (uint64_t)n;
    return OK;
}

static struct err fill_time(struct filling *s, const struct json *v, int64_t *ret)
{
    const char *text = json_str(v);

    if (!text || failed(str_time_ms(text, ret)))
        return refuse(s, "an instant as 2026-11-21T03:10:00Z", v);
    return OK;
}

static struct err fill_token(struct filling *s, const struct json *v, uint64_t *ret)
{
    const char *text = json_str(v);

    if (!text || failed(str_read_hex64(text, ret)))
        return refuse(s, "16 hex digits", v);
    return OK;
}

static struct err fill_bool(struct filling *s, const struct json *v, protobuf_c_boolean *ret)
{
    if (json_type(v) != JSON_BOOL)
        return refuse(s, "true or false", v);
    *ret = json_bool(v);
    return OK;
}

static struct err refuse_word(struct filling *s, const char *word,
                              const ProtobufCEnumDescriptor *e)
{
    enum { WORDS_MAX = 32 };
    char words[WORDS_MAX][WORD_SIZE];
    const char *list[WORDS_MAX + 1] = {0};
    unsigned count                  = e->n_values < WORDS_MAX ? e->n_values : WORDS_MAX;

    for (unsigned i = 0; i < count; i++)
        list[i] = enum_word(e, &e->values[i], words[i]);
    const char *nearest = str_nearest(word, list);

    str_format(s->why, s->why_size, "%s is no word of its list%s%s%s", s->path,
               nearest ? "; did you mean \"" : "", nearest ? nearest : "",
               nearest ? "\"?" : "");
    return err_of(ERR_REJECT, "read JSON");
}

static struct err fill_enum(struct filling *s, const struct json *v,
                            const ProtobufCEnumDescriptor *e, int *ret)
{
    const char *text = json_str(v);
    char word[WORD_SIZE];

    if (!text) {
        uint32_t n = 0; /* as a later version's word is printed */

        if (json_type(v) != JSON_INT)
            return refuse(s, "a word", v);
        struct err bad = fill_32(s, v, 0, INT32_MAX, &n);
        if (failed(bad))
            return bad;
        *ret = (int)n;
        return OK;
    }
    for (unsigned i = 0; i < e->n_values; i++) {
        if (str_equal(text, enum_word(e, &e->values[i], word))) {
            *ret = e->values[i].value;
            return OK;
        }
    }
    return refuse_word(s, text, e);
}

static struct err fill_string(struct filling *s, const struct json *v, char **ret)
{
    const char *text = json_str(v);

    if (!text)
        return refuse(s, "a string", v);
    *ret = (char *)text; /* lives as long as the document */
    return OK;
}

static void fill_bytes(struct filling *s, struct value v, ProtobufCBinaryData *ret)
{
    struct bytes text = v.text;

    if (text.len == 0) {
        struct buf printed;

        buf_init(&printed, PTRDIFF_MAX);
        json_print(v.json, &printed);
        text = arena_bytes(s->arena, buf_bytes(&printed));
        buf_deinit(&printed);
    }
    *ret = (ProtobufCBinaryData){text.len, (uint8_t *)text.at};
}

static struct err fill_part(struct filling *s, struct value v,
                            const ProtobufCMessageDescriptor *descriptor,
                            ProtobufCMessage **ret)
{
    if (json_type(v.json) != JSON_OBJECT)
        return refuse(s, "an object", v.json);
    *ret = arena_zero(s->arena, descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, *ret);
    return fill_message(s, *ret, v);
}

static struct err fill_value(struct filling *s, field_t *f, struct value v, void *at)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return fill_32(s, v.json, INT32_MIN, INT32_MAX, at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return fill_32(s, v.json, 0, UINT32_MAX, at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return is_time(f) ? fill_time(s, v.json, at) : fill_64(s, v.json, INT64_MIN, at);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        if (is_time(f))
            return fill_time(s, v.json, at);
        return is_token(f) ? fill_token(s, v.json, at) : fill_64(s, v.json, 0, at);
    case PROTOBUF_C_TYPE_BOOL:
        return fill_bool(s, v.json, at);
    case PROTOBUF_C_TYPE_ENUM:
        return fill_enum(s, v.json, f->descriptor, at);
    case PROTOBUF_C_TYPE_STRING:
        return fill_string(s, v.json, at);
    case PROTOBUF_C_TYPE_BYTES:
        fill_bytes(s, v, at);
        return OK;
    case PROTOBUF_C_TYPE_MESSAGE:
        return fill_part(s, v, f->descriptor, at);
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        break; /* proto/ has none */
    }
    must(!"a type of field that proto/ does not have");
    return OK;
}

static struct err fill_array(struct filling *s, field_t *f, struct value array,
                             ProtobufCMessage *m)
{
    if (json_type(array.json) != JSON_ARRAY)
        return refuse(s, "an array", array.json);

    bool has_text      = array.text.len > 0;
    const uint8_t *in  = has_text ? array.text.at + 1 : NULL;
    const uint8_t *end = has_text ? array.text.at + array.text.len : NULL;
    size_t count       = json_count(array.json);
    char *at           = arena_array(s->arena, count, size_of(f));

    for (size_t i = 0; i < count; i++) {
        struct value v = {.json = json_at(array.json, i)};
        struct bytes none;
        size_t before = go_in(s, "[%zu]", i);

        if (has_text && !next_value(&in, end, false, &none, &v.text))
            v.text.len = 0;
        struct err e = fill_value(s, f, v, at + i * size_of(f));
        if (failed(e))
            return e;
        go_out(s, before);
    }
    *(void **)((char *)m + f->offset)             = at;
    *(size_t *)((char *)m + f->quantifier_offset) = count;
    return OK;
}

static struct err fill_message(struct filling *s, ProtobufCMessage *m, struct value object)
{
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        field_t *f     = &m->descriptor->fields[i];
        struct value v = {.json = json_get(object.json, f->name)};

        if (json_type(v.json) == JSON_NULL)
            continue;
        if (object.text.len > 0 &&
            (f->type == PROTOBUF_C_TYPE_BYTES || f->type == PROTOBUF_C_TYPE_MESSAGE))
            v.text = text_of_member(object.text, f->name);

        size_t before = go_in(s, "%s%s", s->path_len > 0 ? "." : "", f->name);
        struct err e  = f->label == PROTOBUF_C_LABEL_REPEATED
                            ? fill_array(s, f, v, m)
                            : fill_value(s, f, v, (char *)m + f->offset);
        if (failed(e))
            return e;
        go_out(s, before);
    }
    return OK;
}

static struct err fill_document(struct filling *s, const ProtobufCMessageDescriptor *descriptor,
                                struct value doc, struct buf *to)
{
    ProtobufCMessage *m = arena_zero(s->arena, descriptor->sizeof_message);

    if (json_type(doc.json) != JSON_OBJECT) {
        str_format(s->why, s->why_size, "it must be an object, is %s",
                   json_type_word(doc.json));
        return err_of(ERR_REJECT, "read JSON");
    }
    protobuf_c_message_init(descriptor, m);
    struct err e = fill_message(s, m, doc);
    if (failed(e))
        return e;
    wire_message_pack(m, to);
    if (!to->full)
        return OK;
    str_format(s->why, s->why_size, "as protobuf it is larger than %zu bytes", to->max);
    return err_of(ERR_FULL, "write protobuf");
}

struct err wire_protobuf_of(const char *message, struct bytes json, struct buf *to, char *why,
                            size_t why_size)
{
    const ProtobufCMessageDescriptor *descriptor = wire_message_find(message);
    AUTO(arena_free) struct arena *arena         = arena_new();
    AUTO(json_free) struct json *doc             = NULL;
    struct filling s = {.arena = arena, .why = why, .why_size = why_size};

    if (!descriptor) {
        str_format(why, why_size, "there is no message %.64s", message);
        return err_of(ERR_REJECT, "find a message");
    }
    struct err e = json_parse(&doc, json, why, why_size);
    if (failed(e))
        return e;
    return fill_document(&s, descriptor, (struct value){doc, json}, to);
}
