#include "cli_watch.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli_entry.h"
#include "cli_link.h"
#include "cli_print.h"
#include "wire/subject.h"

enum { LINE_SIZE_MAX = 64 * 1024 };

struct watching {
    const struct cli *cli;
    int status;
};

static const char *header_of(const void *self, const char *name)
{
    return bus_msg_header(self, name);
}

static bool on_entry(void *self, const struct bus_msg *msg)
{
    struct watching *w               = self;
    const struct cli_entry entry     = {msg->seq, msg->stored_ms, header_of, msg};
    AUTO(buf_deinit) struct buf text = {0};

    buf_init(&text, LINE_SIZE_MAX);
    if (w->cli->json)
        cli_entry_json(&entry, &text);
    else
        cli_entry_line(&entry, &text);
    fwrite(text.at, 1, text.len, stdout);
    fflush(stdout);
    if (!str_equal(bus_msg_header(msg, "Sluice-Kind"), "END"))
        return ferror(stdout) != 0;
    w->status = str_equal(bus_msg_header(msg, "Sluice-Result"), "done") ? CLI_OK : CLI_FAILED;
    return true;
}

int cli_watch(struct cli *cli, const char *run)
{
    struct watching w = {cli, CLI_FAILED};
    char subject[SUBJECT_SIZE];
    const char *words[] = {
        "sub", "--stream", STREAM_JOURNAL, "--all", subject, "--headers-only", NULL};

    subject_journal(subject, cli->tenant, run);
    cli_print_nats(cli, words);

    struct err e = cli_link_follow(cli->link, STREAM_JOURNAL, subject, on_entry, &w);

    return failed(e) ? cli_print_error(cli, e, subject) : w.status;
}
