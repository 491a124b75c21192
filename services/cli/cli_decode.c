#include "cli_decode.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli_file.h"
#include "json/json.h"
#include "wire/wire_json.h"

enum { HEX_MAX = 64, WHY_SIZE = 160, DELETE = 0x7f, C1_LEAD = 0xc2, C1_END = 0xa0 };

/* On one line: white space between words is a blank; what JSON allows inside a string although it
   may steer a terminal is escaped. */
static void add_plain(struct buf *to, struct bytes json)
{
    for (size_t i = 0; i < json.len; i++) {
        uint8_t c = json.at[i];

        if (c == '\n' || c == '\r' || c == '\t')
            buf_char(to, ' ');
        else if (c == C1_LEAD && i + 1 < json.len && json.at[i + 1] < C1_END)
            buf_printf(to, "\\u%04x", json.at[++i]); /* as good as ESC [ to many a terminal */
        else if (c == DELETE)
            buf_printf(to, "\\u%04x", c);
        else
            buf_char(to, (char)c);
    }
}

static bool is_json(struct bytes payload)
{
    AUTO(json_free) struct json *doc = NULL;
    char why[JSON_WHY_SIZE];

    return wire_is_json(payload) && !failed(json_parse(&doc, payload, why, sizeof(why)));
}

static bool is_text(struct bytes payload)
{
    for (size_t i = 0; i < payload.len; i++)
        if ((payload.at[i] < ' ' && !strchr("\t\r\n", payload.at[i])) ||
            payload.at[i] == DELETE || payload.at[i] == 0)
            return false;
    return payload.len > 0 && str_is_utf8(payload);
}

static struct bytes without_line_end(struct bytes text)
{
    while (text.len && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == '\r'))
        text.len--;
    return text;
}

static void add_text(struct buf *to, struct bytes payload)
{
    AUTO(buf_deinit) struct buf quoted = {0};
    struct bytes text                  = without_line_end(payload);

    buf_init(&quoted, CLI_DECODE_MAX);
    json_quote_n(&quoted, (const char *)text.at, text.len);
    buf_str(to, "{\"text\":");
    add_plain(to, buf_bytes(&quoted));
    buf_char(to, '}');
}

static void add_bytes(struct buf *to, struct bytes payload)
{
    buf_printf(to, "{\"message\":null,\"bytes\":%zu,\"hex\":\"", payload.len);
    for (size_t i = 0; i < payload.len && i < HEX_MAX; i++)
        buf_printf(to, "%02x", payload.at[i]);
    buf_str(to, payload.len > HEX_MAX ? "…\"}" : "\"}");
}

/* {"message":"Entry", and then what the transcoder says. */
static bool add_message(struct buf *to, struct bytes payload)
{
    AUTO(buf_deinit) struct buf text = {0};
    const char *message              = wire_guess(payload);
    char why[WHY_SIZE];

    buf_init(&text, CLI_DECODE_MAX);
    if (!message || failed(wire_json_of(message, payload, &text, why, sizeof(why))) ||
        text.len < 2)
        return false;
    buf_printf(to, "{\"message\":\"%s\"%s", message, text.at[1] == '}' ? "" : ",");
    add_plain(to, bytes_of(text.at + 1, text.len - 1));
    return true;
}

void cli_decode_line(struct bytes payload, struct buf *to)
{
    if (is_json(payload))
        add_plain(to, without_line_end(payload));
    else if (add_message(to, payload))
        ;
    else if (is_text(payload))
        add_text(to, payload);
    else
        add_bytes(to, payload);
    buf_char(to, '\n');
}

int cli_decode(struct cli *cli)
{
    AUTO(buf_deinit) struct buf payload = {0};
    AUTO(buf_deinit) struct buf line    = {0};

    (void)cli;
    if (!cli_file_read("-", &payload))
        return CLI_FAILED;
    buf_init(&line, CLI_DECODE_MAX);
    cli_decode_line(buf_bytes(&payload), &line);
    fwrite(line.at, 1, line.len, stdout);
    return CLI_OK;
}
