#include "shop_server/shop_stream.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BLOCK    = 32 * 1024,
    PAUSE_MS = 2
}; /* some 16 MB/s: more than anybody wants, and it leaves a test's machine alive */

static const uint64_t HUGE_SIZE = UINT64_C(2) << 30;

static ssize_t next_block(void *self, uint64_t at, char *to, size_t room)
{
    static const char LINE[]    = "<p>There is always one more line of it.</p>\n";
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

    (void)self;
    nanosleep(&pause, NULL);
    for (size_t i = 0; i < room; i++)
        to[i] = LINE[(at + i) % (sizeof LINE - 1)];
    return (ssize_t)room;
}

static struct MHD_Response *stream(uint64_t size, const char *type)
{
    struct MHD_Response *answer =
        MHD_create_response_from_callback(size, BLOCK, next_block, NULL, NULL);

    if (!answer)
        abort();
    MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    return answer;
}

struct MHD_Response *shop_stream_endless(const char *type)
{
    return stream(MHD_SIZE_UNKNOWN, type);
}

struct MHD_Response *shop_stream_huge(const char *type)
{
    return stream(HUGE_SIZE, type);
}
