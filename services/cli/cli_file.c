#include "cli_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static void read_all(FILE *file, struct buf *to)
{
    char at[16384];
    size_t n;

    while (!to->full && (n = fread(at, 1, sizeof(at), file)) > 0)
        buf_add(to, at, n);
}

bool cli_file_read(const char *path, struct buf *to)
{
    bool is_stdin = str_equal(path, "-");
    FILE *file    = is_stdin ? stdin : fopen(path, "re");
    int number    = 0;

    buf_init(to, CLI_FILE_MAX);
    if (file) {
        read_all(file, to);
        number = ferror(file) ? errno : 0;
    } else {
        number = errno;
    }
    if (file && !is_stdin)
        fclose(file);
    if (number)
        fprintf(stderr, "sluice: cannot read %s: %s\n", path, strerror(number));
    else if (to->full)
        fprintf(stderr, "sluice: %s is larger than %d MiB\n", path, CLI_FILE_MAX >> 20);
    return !number && !to->full;
}
