#include "cli_decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "json/json.h"
#include "wire/wire_journal.h"
#include "wire/wire_ticket.h"

#define RUN "01KAJ4T0Q8ZP9F4T4W6V2N8M1C"

static void line_is(struct bytes payload, const char *wanted)
{
    struct buf line;

    buf_init(&line, CLI_DECODE_MAX);
    cli_decode_line(payload, &line);
    if (!strstr(line.at, wanted))
        fail_msg("%.500s\n  lacks %s", line.at, wanted);
    buf_deinit(&line);
}

static void a_ticket_says_that_it_is_one(void **state)
{
    struct ticket ticket = {.run    = RUN,
                            .tenant = "acme",
                            .flow   = "hello",
                            .pool   = "default",
                            .lane   = LANE_BULK,
                            .wake   = 1,
                            .cause  = CAUSE_ACCEPT};
    struct buf body;

    (void)state;
    buf_init(&body, 4096);
    wire_write_ticket(&ticket, &body);

    line_is(buf_bytes(&body), "{\"message\":\"Ticket\",");
    line_is(buf_bytes(&body), "\"run\":\"" RUN "\"");
    buf_deinit(&body);
}

static void an_entry_is_shown_with_its_body(void **state)
{
    struct entry entry;
    struct buf body;

    (void)state;
    entry_init(&entry, ENTRY_OUTCOME);
    entry.wake        = 1;
    entry.token       = 7;
    entry.worker      = "w";
    entry.step.step   = "greet";
    entry.step.result = RESULT_OK;
    entry.step.note   = "line\nbreak \033[2J";
    buf_init(&body, 4096);
    assert_false(failed(wire_write_entry(&entry, &body)));

    line_is(buf_bytes(&body), "{\"message\":\"Entry\",");
    line_is(buf_bytes(&body), "\"step\":\"greet\"");
    buf_deinit(&body);
}

static void json_passes_on_one_line(void **state)
{
    (void)state;
    line_is(bytes_str("{\"a\":\n 1.50,\r\n \"b\":1234567890123456789}\n"),
            "{\"a\":  1.50,   \"b\":1234567890123456789}\n");
    line_is(bytes_str("[1,\t2]"), "[1, 2]\n");
}

static void what_only_begins_like_json_is_text(void **state)
{
    (void)state;
    line_is(bytes_str("{\"a\":"), "{\"text\":\"{\\\"a\\\":\"}\n");
    line_is(bytes_str("[1,\n2\n"), "{\"text\":\"[1,\\n2\"}\n");
    line_is(bytes_str("{} {}"), "{\"text\":\"{} {}\"}\n");
    line_is(
        bytes_str("{\"a\":12345678901234567890}"), /* more than 64 bits: read by nobody here */
        "{\"text\":\"{\\\"a\\\":12345678901234567890}\"}\n");
    line_is(bytes_str("{\"a\":\"\033\"}"), "{\"message\":null,\"bytes\":9,");
}

static void text_and_other_bytes_are_shown_too(void **state)
{
    (void)state;
    line_is(bytes_str(RUN "\n"), "{\"text\":\"" RUN "\"}\n");
    line_is(bytes_of(NULL, 0), "{\"message\":null,\"bytes\":0,\"hex\":\"\"}\n");
    line_is(bytes_of("\x00\xff", 2), "{\"message\":null,\"bytes\":2,\"hex\":\"00ff\"}\n");
}

/* Whatever comes: one line, which steers nothing and is JSON. */
static void look_at(struct bytes payload)
{
    struct json *doc = NULL;
    struct buf line;
    char why[JSON_WHY_SIZE];

    buf_init(&line, CLI_DECODE_MAX);
    cli_decode_line(payload, &line);
    assert_false(line.full);
    assert_int_equal(line.at[line.len - 1], '\n');
    for (size_t i = 0; i + 1 < line.len; i++) {
        assert_true((unsigned char)line.at[i] >= ' ' && line.at[i] != 0x7f);
        assert_false((unsigned char)line.at[i] == 0xc2 && (unsigned char)line.at[i + 1] < 0xa0);
    }
    assert_false(failed(json_parse(&doc, buf_bytes(&line), why, sizeof(why))));
    json_free(&doc);
    buf_deinit(&line);
}

static void hostile_bytes_make_one_harmless_line(void **state)
{
    static const char *const CASES[] = {
        "{\"a\":\"\033[2J\x7f\"}",
        "\033]0;title\007",
        "{\"a\":\"\xc2\x9b"
        "31m\"}",
        "\xc2\x9b"
        "31m",
        "{\xff}",
        "[[[[[[[[",
        "\x7b",
        "\x0a\x0a",
        "\r\n\r\n",
        "\x08",
        "{}\n\n\n",
    };
    uint64_t seed = 88172645463325252u;
    uint8_t at[300];

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++)
        look_at(bytes_str(CASES[i]));
    for (int round = 0; round < 20000; round++) {
        size_t len = seed % sizeof(at);

        for (size_t i = 0; i < len; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            at[i] = (uint8_t)(round % 2 ? seed : seed & 0x1f);
        }
        seed += 1;
        look_at(bytes_of(at, len));
    }
}

/* Bytes of a real message, each changed once and cut everywhere. */
static void broken_messages_make_one_harmless_line(void **state)
{
    struct ticket ticket = {.run    = RUN,
                            .tenant = "acme",
                            .flow   = "hello",
                            .pool   = "default",
                            .lane   = LANE_BULK,
                            .wake   = 1};
    struct buf body;

    (void)state;
    buf_init(&body, 4096);
    wire_write_ticket(&ticket, &body);
    for (size_t i = 0; i < body.len; i++) {
        look_at(bytes_of(body.at, i));
        for (int bit = 0; bit < 8; bit++) {
            body.at[i] = (char)(body.at[i] ^ (1 << bit));
            look_at(buf_bytes(&body));
            body.at[i] = (char)(body.at[i] ^ (1 << bit));
        }
    }
    buf_deinit(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_says_that_it_is_one),
        cmocka_unit_test(an_entry_is_shown_with_its_body),
        cmocka_unit_test(json_passes_on_one_line),
        cmocka_unit_test(what_only_begins_like_json_is_text),
        cmocka_unit_test(text_and_other_bytes_are_shown_too),
        cmocka_unit_test(hostile_bytes_make_one_harmless_line),
        cmocka_unit_test(broken_messages_make_one_harmless_line),
    };
    return cmocka_run_group_tests_name("cli_decode", tests, NULL, NULL);
}
