/*
 * cli_file - a whole file or the whole of stdin, up to a limit.
 */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include <stdbool.h>

#include "base/buf.h"

enum { CLI_FILE_MAX = 8 << 20 };

/* path "-": stdin.  False: it was said why.  `to` is initialised here in any case. */
bool cli_file_read(const char *path, struct buf *to);

#endif
