#include "cli_entry.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli_grid.h"
#include "json/json.h"

enum { CLOCK_AT = 11, CLOCK_LEN = 12 };

/* ---- text ------------------------------------------------------------------------------------------- */

static const char *header(const struct cli_entry *e, const char *name)
{
    const char *value = e->get(e->self, name);

    return value ? value : "";
}

static void add_padded(struct buf *to, const char *text, int width)
{
    size_t before = to->len;

    cli_grid_safe(text, to);
    for (size_t len = to->len - before; len < (size_t)width; len++)
        buf_char(to, ' ');
    buf_char(to, ' ');
}

/* What is said of an entry beside its columns, in this order. */
static const struct {
    const char *header, *before, *after;
} DETAILS[] = {
    {"Sluice-Code", "", ""},          {"Sluice-On", "on ", ""},
    {"Sluice-Due", "until ", ""},     {"Sluice-Ms", "", " ms"},
    {"Sluice-Upstream", "", ""},      {"Sluice-Endpoint", "", ""},
    {"Sluice-Status", "status ", ""}, {"Sluice-Session", "session ", ""},
    {"Sluice-Flow", "flow ", ""},     {"Sluice-Lane", "lane ", ""},
    {"Sluice-Pool", "pool ", ""},     {"Sluice-By", "by ", ""},
    {"Sluice-Signal", "", ""},        {"Sluice-Command", "", ""},
    {"Sluice-Worker", "worker ", ""}, {"Sluice-Note", "", ""},
};

/* Every entry of a holder names its worker: it is news in the first of them only. */
static bool is_news(const struct cli_entry *e, const char *name)
{
    return !str_equal(name, "Sluice-Worker") || str_equal(header(e, "Sluice-Kind"), "LEASED");
}

static void add_details(const struct cli_entry *e, struct buf *to)
{
    for (size_t i = 0; i < sizeof(DETAILS) / sizeof(*DETAILS); i++) {
        const char *value = header(e, DETAILS[i].header);

        if (!*value || !is_news(e, DETAILS[i].header))
            continue;
        buf_printf(to, " %s", DETAILS[i].before);
        cli_grid_safe(value, to);
        buf_str(to, DETAILS[i].after);
    }
}

void cli_entry_line(const struct cli_entry *e, struct buf *to)
{
    char time[32];

    str_time_text(e->at_ms, time, sizeof(time));
    buf_add(to, time + CLOCK_AT, CLOCK_LEN);
    buf_char(to, ' ');
    add_padded(to, header(e, "Sluice-Kind"), 9);
    add_padded(to, header(e, "Sluice-Step"), 16);
    add_padded(to, header(e, "Sluice-Try"), 2);
    add_padded(to, header(e, "Sluice-Result"), 8);
    add_details(e, to);
    while (to->len && to->at[to->len - 1] == ' ')
        to->at[--to->len] = '\0';
    buf_char(to, '\n');
}

/* ---- JSON ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *header, *field;
    bool number;
} FIELDS[] = {
    {"Sluice-Kind", "kind", false},
    {"Sluice-Step", "step", false},
    {"Sluice-Try", "try", true},
    {"Sluice-Result", "result", false},
    {"Sluice-Code", "code", false},
    {"Sluice-Note", "note", false},
    {"Sluice-On", "on", false},
    {"Sluice-Due", "due", false},
    {"Sluice-Ms", "ms", true},
    {"Sluice-Upstream", "upstream", false},
    {"Sluice-Endpoint", "endpoint", false},
    {"Sluice-Status", "status", true},
    {"Sluice-Session", "session", false},
    {"Sluice-Flow", "flow", false},
    {"Sluice-Lane", "lane", false},
    {"Sluice-Pool", "pool", false},
    {"Sluice-Parent", "parent", false},
    {"Sluice-By", "by", false},
    {"Sluice-Signal", "signal", false},
    {"Sluice-Command", "command", false},
    {"Sluice-Worker", "worker", false},
    {"Sluice-Wake", "wake", true},
};

void cli_entry_json(const struct cli_entry *e, struct buf *to)
{
    AUTO(json_free) struct json *doc = json_new_object();
    char time[32];
    uint64_t number;

    json_set(doc, "seq", json_new_int((int64_t)e->seq));
    json_set(doc, "at", json_new_str(str_time_text(e->at_ms, time, sizeof(time))));
    for (size_t i = 0; i < sizeof(FIELDS) / sizeof(*FIELDS); i++) {
        const char *value = header(e, FIELDS[i].header);

        if (!*value)
            continue;
        if (FIELDS[i].number && !failed(str_u64(value, &number)) && number <= INT64_MAX)
            json_set(doc, FIELDS[i].field, json_new_int((int64_t)number));
        else
            json_set(doc, FIELDS[i].field, json_new_str(value));
    }
    json_print(doc, to);
    buf_char(to, '\n');
}
