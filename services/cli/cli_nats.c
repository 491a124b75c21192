#include "cli_nats.h"

#include <string.h>

static void add_word(struct buf *to, const char *word)
{
    static const char PLAIN[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,";

    buf_char(to, ' ');
    if (*word && word[strspn(word, PLAIN)] == '\0') {
        buf_str(to, word);
        return;
    }
    buf_char(to, '\'');
    for (; *word; word++)
        if (*word == '\'')
            buf_str(to, "'\\''");
        else
            buf_char(to, *word);
    buf_char(to, '\'');
}

static void add_option(struct buf *to, const char *option, const char *value)
{
    if (!value)
        return;
    add_word(to, option);
    add_word(to, value);
}

/* The shell reads the file, so that its password is not shown.  Like us it takes the first line, up to
   the first colon and what follows it; with = the nats CLI takes a value that begins with a dash. */
static void add_user(struct buf *to, const char *file)
{
    if (!file)
        return;
    buf_str(to, " --user=\"$(head -n 1");
    add_word(to, file);
    buf_str(to, " | cut -d: -f1)\" --password=\"$(head -n 1");
    add_word(to, file);
    buf_str(to, " | cut -d: -f2-)\"");
}

void cli_nats_line(const struct cli *cli, const char *const *words, struct buf *to)
{
    buf_str(to, "nats");
    add_option(to, "--server", cli->server);
    add_option(to, "--creds", cli->creds);
    add_user(to, cli->user_file);
    add_option(to, "--tlsca", cli->ca);
    for (; *words; words++)
        add_word(to, *words);
    buf_char(to, '\n');
}
