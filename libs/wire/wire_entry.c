#include "wire/wire_entry.h"

#include "base/buf.h"
#include "base/id.h"
#include "base/must.h"
#include "base/str.h"
#include "json/json.h"
#include "wire/wire_journal.h"
#include "wire/wire_name.h"

/* ---- values that cannot break a header ----------------------------------------------------- */

/* Bytes of the character at `at`; 0 if they are none. */
static size_t character(const char *at, size_t len)
{
    for (size_t n = 1; n <= 4 && n <= len; n++)
        if (str_is_utf8(bytes_of(at, n)))
            return n;
    return 0;
}

/* C0, DEL, C1 (U+0080..9F) and the line separators U+2028 and U+2029: each begins a line, or a
   command to the terminal of whoever reads it. */
static bool is_control(const char *at, size_t len)
{
    const unsigned char *c = (const unsigned char *)at;

    if (len == 1)
        return c[0] < 0x20 || c[0] == 0x7f;
    if (len == 2)
        return c[0] == 0xc2 && c[1] < 0xa0;
    return len == 3 && c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9);
}

/* One line of whole characters without blanks around it, at most `max` bytes of them. */
static const char *one_line(struct arena *arena, const char *value, size_t max)
{
    size_t len = strlen(value);
    char *ret  = arena_zero(arena, (len < max ? len : max) + 1);
    size_t to  = 0;

    for (size_t at = 0, n; at < len; at += n) {
        size_t whole = character(value + at, len - at);

        n = whole > 0 ? whole : 1;
        if (to + n > max)
            break;
        if (whole == 0)
            ret[to++] = '?';
        else if (!is_control(value + at, n)) {
            memcpy(ret + to, value + at, n);
            to += n;
        } else if (to > 0)
            ret[to++] = ' ';
    }
    while (to > 0 && ret[to - 1] == ' ')
        to--;
    ret[to] = '\0';
    return ret + strspn(ret, " ");
}

/* ---- out ----------------------------------------------------------------------------------- */

struct headers {
    struct entry_header *at;
    size_t count;
    struct arena *arena;
};

static void add(struct headers *h, const char *name, const char *value)
{
    must(h->count < ENTRY_HEADERS_MAX);
    h->at[h->count++] = (struct entry_header){name, value};
}

static void add_cut(struct headers *h, const char *name, const char *value, size_t max)
{
    const char *line = one_line(h->arena, value ? value : "", max);

    if (*line != '\0')
        add(h, name, line);
}

static void add_text(struct headers *h, const char *name, const char *value)
{
    add_cut(h, name, value, ENTRY_HEADER_VALUE_MAX);
}

static void add_number(struct headers *h, const char *name, uint64_t n)
{
    if (n > 0)
        add(h, name, arena_printf(h->arena, "%llu", (unsigned long long)n));
}

static void add_duration(struct headers *h, const char *name, uint64_t ms)
{
    char text[24];

    if (ms > 0)
        add(h, name, arena_strdup(h->arena, str_duration_text(ms, text, sizeof(text))));
}

/* In a label's name or value the two signs of the form are taken. */
static const char *label_part(struct arena *arena, const char *s, const char *taken)
{
    char *part = (char *)one_line(arena, s, ENTRY_HEADER_VALUE_MAX);

    for (char *c = part; *c; c++)
        if (strchr(taken, *c))
            *c = '_';
    return part;
}

static void add_labels(struct headers *h, struct bytes labels)
{
    char why[JSON_WHY_SIZE];
    struct json *doc = NULL;
    struct buf text;
    const char *name;
    const struct json *value;

    if (labels.len == 0 || failed(json_parse(&doc, labels, why, sizeof(why))))
        return; /* the body has them, whatever they are */
    buf_init(&text, ENTRY_HEADER_VALUE_MAX);
    for (size_t it = 0; json_each(doc, &it, &name, &value);) {
        const char *key = label_part(h->arena, name, ";=");

        if (json_type(value) != JSON_STR || *key == '\0')
            continue;
        const char *pair = arena_printf(h->arena, "%s%s=%s", text.len > 0 ? ";" : "", key,
                                        label_part(h->arena, json_str(value), ";"));
        if (text.len + strlen(pair) > ENTRY_HEADER_VALUE_MAX)
            break;
        buf_str(&text, pair);
    }
    add_text(h, "Sluice-Labels", text.at);
    buf_deinit(&text);
    json_free(&doc);
}

static void add_holder(struct headers *h, const struct entry *e)
{
    char hex[17];

    add_text(h, "Sluice-Worker", e->worker);
    if (e->token == 0)
        return; /* ended by somebody who held no lease: the run never began */
    add(h, "Sluice-Lease", arena_strdup(h->arena, str_hex64(e->token, hex)));
    add(h, "Sluice-Wake", arena_printf(h->arena, "%u", (unsigned)e->wake));
    add_number(h, "Sluice-Job", e->job);
}

static void add_plan(struct headers *h, const struct entry_plan *p)
{
    add_text(h, "Sluice-Flow", p->flow_name);
    add_text(h, "Sluice-Lane", p->lane);
    add_text(h, "Sluice-Pool", p->pool);
    add_text(h, "Sluice-Key", p->key);
    add_text(h, "Sluice-Lock", p->lock);
    add_text(h, "Sluice-Upstream", p->upstream);
    add_duration(h, "Sluice-Not-Before", p->not_before_ms);
    add_duration(h, "Sluice-Start-Within", p->start_within_ms);
    add_duration(h, "Sluice-Deadline", p->timeout_ms);
    add_text(h, "Sluice-Parent", p->parent);
    add_text(h, "Sluice-Root", p->root);
    add_labels(h, p->labels);
    add_text(h, "traceparent", p->trace);
}

static void add_session(struct headers *h, const struct entry_session *s)
{
    add_text(h, "Sluice-Session", s->session);
    add_text(h, "Sluice-Upstream", s->upstream);
    add_number(h, "Sluice-Status", s->status);
    add_number(h, "Sluice-Ms", s->ms);
}

static void add_step(struct headers *h, const struct entry_step *s)
{
    add_text(h, "Sluice-Step", s->step);
    add_number(h, "Sluice-Try", s->attempt);
    add_text(h, "Sluice-Result", entry_result_word(s->result));
    add_text(h, "Sluice-Code", s->code);
    add_text(h, "Sluice-Upstream", s->upstream);
    add_text(h, "Sluice-Endpoint", s->endpoint);
    add_number(h, "Sluice-Status", s->status);
    add_number(h, "Sluice-Ms", s->ms);
    add_text(h, "Sluice-Session", s->session);
    add_cut(h, "Sluice-Note", s->note, ENTRY_NOTE_MAX);
}

static void add_waiting(struct headers *h, const struct entry_waiting *w)
{
    add_text(h, "Sluice-On", entry_on_word(w->on));
    add_duration(h, "Sluice-Due", w->due_ms);
    add_text(h, "Sluice-Upstream", w->upstream);
}

static void add_end(struct headers *h, const struct entry_end *end)
{
    add_text(h, "Sluice-Result", run_status_word(end->status));
    add_text(h, "Sluice-Code", end->code);
}

static void add_parts(struct headers *h, const struct entry *e)
{
    switch (e->kind) {
    case ENTRY_PLAN:
        add_plan(h, &e->plan);
        return;
    case ENTRY_LEASED:
        add_number(h, "Sluice-Try", e->lease.tries);
        return;
    case ENTRY_OPENING:
    case ENTRY_OPENED:
    case ENTRY_CLOSED:
        add_session(h, &e->session);
        return;
    case ENTRY_INTENT:
    case ENTRY_OUTCOME:
    case ENTRY_SPAWNED:
        add_step(h, &e->step);
        return;
    case ENTRY_WAITING:
        add_waiting(h, &e->waiting);
        return;
    case ENTRY_END:
    case ENTRY_REJECTED:
        add_end(h, &e->end);
        return;
    case ENTRY_COMMAND:
        add_text(h, "Sluice-By", e->mail.by);
        add_text(h, "Sluice-Command", e->mail.name);
        return;
    case ENTRY_SIGNAL:
        add_text(h, "Sluice-By", e->mail.by);
        add_text(h, "Sluice-Signal", e->mail.name);
        return;
    case ENTRY_CANCEL:
        add_text(h, "Sluice-By", e->mail.by);
        return;
    case ENTRY_NONE:
    case ENTRY_ACCEPTED:
    case ENTRY_RELEASED:
    case ENTRY_CHILD_DONE:
    case ENTRY_KINDS:
        return;
    }
    must(!"unknown kind of entry");
}

size_t wire_entry_headers(const struct entry *e, struct arena *arena,
                          struct entry_header ret[ENTRY_HEADERS_MAX])
{
    struct headers h = {.at = ret, .arena = arena};

    must(e->kind > ENTRY_NONE && e->kind < ENTRY_KINDS);
    add(&h, "Sluice-Kind", entry_kind_word(e->kind));
    if (entry_by_holder(e->kind))
        add_holder(&h, e);
    add_parts(&h, e);
    return h.count;
}

/* ---- in ------------------------------------------------------------------------------------ */

/* A message's headers, and whose they are. */
struct source {
    entry_header_fn *get;
    const void *self;
};

static const char *text_in(const struct source *s, const char *name)
{
    const char *value = s->get(s->self, name);

    return value ? value : "";
}

static const char *name_in(const struct source *s, const char *name)
{
    const char *value = text_in(s, name);

    return wire_name_or_empty(value) ? value : "";
}

static const char *id_in(const struct source *s, const char *name)
{
    const char *value = text_in(s, name);

    return wire_id_or_empty(value) ? value : "";
}

static const char *lane_in(const struct source *s)
{
    const char *value = text_in(s, "Sluice-Lane");

    return wire_lane_or_empty(value) ? value : "";
}

static uint64_t number_in(const struct source *s, const char *name)
{
    uint64_t n = 0;

    return failed(str_u64(text_in(s, name), &n)) ? 0 : n;
}

static uint32_t small_in(const struct source *s, const char *name)
{
    uint64_t n = number_in(s, name);

    return n <= UINT32_MAX ? (uint32_t)n : 0;
}

static uint64_t duration_in(const struct source *s, const char *name)
{
    uint64_t ms = 0;

    return failed(str_duration_ms(text_in(s, name), &ms)) ? 0 : ms;
}

/* k=v;k=v as JSON. */
static struct bytes labels_in(const struct source *s, struct arena *arena)
{
    const char *at = text_in(s, "Sluice-Labels");
    struct buf text;
    struct bytes ret = {0};

    if (*at == '\0')
        return ret;
    buf_init(&text, 16 * ENTRY_HEADER_VALUE_MAX); /* escaped, a byte is six at most */
    buf_char(&text, '{');
    for (size_t len; *at; at += len + (at[len] == ';')) {
        len         = strcspn(at, ";");
        size_t name = strcspn(at, "=;");

        if (name == 0 || name >= len)
            continue;
        if (text.len > 1)
            buf_char(&text, ',');
        json_quote_n(&text, at, name);
        buf_char(&text, ':');
        json_quote_n(&text, at + name + 1, len - name - 1);
    }
    buf_char(&text, '}');
    if (!text.full && text.len > 2)
        ret = arena_bytes(arena, buf_bytes(&text));
    buf_deinit(&text);
    return ret;
}

static void read_holder(struct entry *e, const struct source *s)
{
    e->worker = name_in(s, "Sluice-Worker");
    e->wake   = small_in(s, "Sluice-Wake");
    e->job    = number_in(s, "Sluice-Job");
    if (failed(str_read_hex64(text_in(s, "Sluice-Lease"), &e->token)))
        e->token = 0;
}

static const char *flow_in(const struct source *s)
{
    const char *value = text_in(s, "Sluice-Flow");

    return wire_flow_or_empty(value) ? value : "";
}

static void read_plan(struct entry_plan *p, const struct source *s, struct arena *arena)
{
    p->flow_name       = flow_in(s);
    p->lane            = lane_in(s);
    p->pool            = name_in(s, "Sluice-Pool");
    p->key             = text_in(s, "Sluice-Key");
    p->lock            = name_in(s, "Sluice-Lock");
    p->upstream        = name_in(s, "Sluice-Upstream");
    p->not_before_ms   = duration_in(s, "Sluice-Not-Before");
    p->start_within_ms = duration_in(s, "Sluice-Start-Within");
    p->timeout_ms      = duration_in(s, "Sluice-Deadline");
    p->parent          = id_in(s, "Sluice-Parent");
    p->root            = id_in(s, "Sluice-Root");
    p->labels          = labels_in(s, arena);
    p->trace           = text_in(s, "traceparent");
}

static void read_session(struct entry_session *to, const struct source *s)
{
    to->session  = name_in(s, "Sluice-Session");
    to->upstream = name_in(s, "Sluice-Upstream");
    to->status   = small_in(s, "Sluice-Status");
    to->ms       = number_in(s, "Sluice-Ms");
}

static void read_step(struct entry_step *to, const struct source *s)
{
    to->step     = text_in(s, "Sluice-Step");
    to->attempt  = small_in(s, "Sluice-Try");
    to->result   = entry_result_of(text_in(s, "Sluice-Result"));
    to->code     = text_in(s, "Sluice-Code");
    to->upstream = name_in(s, "Sluice-Upstream");
    to->endpoint = text_in(s, "Sluice-Endpoint");
    to->status   = small_in(s, "Sluice-Status");
    to->ms       = number_in(s, "Sluice-Ms");
    to->session  = name_in(s, "Sluice-Session");
    to->note     = text_in(s, "Sluice-Note");
}

static void read_waiting(struct entry_waiting *to, const struct source *s)
{
    to->on       = entry_on_of(text_in(s, "Sluice-On"));
    to->due_ms   = duration_in(s, "Sluice-Due");
    to->upstream = name_in(s, "Sluice-Upstream");
}

static void read_end(struct entry_end *to, const struct source *s)
{
    to->status = run_status_of(text_in(s, "Sluice-Result"));
    to->code   = text_in(s, "Sluice-Code");
}

static void read_mail(struct entry_mail *to, const struct source *s, const char *name)
{
    to->by = text_in(s, "Sluice-By");
    if (name)
        to->name = text_in(s, name);
}

static void read_parts(struct entry *e, const struct source *s, struct arena *arena)
{
    switch (e->kind) {
    case ENTRY_PLAN:
        read_plan(&e->plan, s, arena);
        return;
    case ENTRY_LEASED:
        e->lease.tries = small_in(s, "Sluice-Try");
        return;
    case ENTRY_OPENING:
    case ENTRY_OPENED:
    case ENTRY_CLOSED:
        read_session(&e->session, s);
        return;
    case ENTRY_INTENT:
    case ENTRY_OUTCOME:
    case ENTRY_SPAWNED:
        read_step(&e->step, s);
        return;
    case ENTRY_WAITING:
        read_waiting(&e->waiting, s);
        return;
    case ENTRY_END:
    case ENTRY_REJECTED:
        read_end(&e->end, s);
        return;
    case ENTRY_COMMAND:
        read_mail(&e->mail, s, "Sluice-Command");
        return;
    case ENTRY_SIGNAL:
        read_mail(&e->mail, s, "Sluice-Signal");
        return;
    case ENTRY_CANCEL:
        read_mail(&e->mail, s, NULL);
        return;
    case ENTRY_NONE:
    case ENTRY_ACCEPTED:
    case ENTRY_RELEASED:
    case ENTRY_CHILD_DONE:
    case ENTRY_KINDS:
        return;
    }
    must(!"unknown kind of entry");
}

void wire_entry_from_headers(struct entry *ret, entry_header_fn *get, const void *self,
                             struct arena *arena)
{
    struct source s = {get, self};

    entry_init(ret, entry_kind_of(text_in(&s, "Sluice-Kind")));
    ret->seq = number_in(&s, "Nats-Sequence");
    if (failed(str_time_ms(text_in(&s, "Nats-Time-Stamp"), &ret->stored_ms)))
        ret->stored_ms = 0;
    if (entry_by_holder(ret->kind))
        read_holder(ret, &s);
    read_parts(ret, &s, arena);
}
