/* Any bytes as a journal entry; what was read has headers and can be written again. */
#include "base/mem.h"
#include "planted.h"
#include "wire/wire_journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    AUTO(arena_free) struct arena *arena = arena_new();
    AUTO(buf_deinit) struct buf body     = {0};
    struct entry_header headers[ENTRY_HEADERS_MAX];
    struct entry e, again;

    buf_init(&body, 2 * ENTRY_BODY_MAX);
    if (failed(wire_read_entry(&e, bytes_of(data, len), arena)) || e.kind == ENTRY_NONE)
        return 0;
    PLANT(e.kind == ENTRY_WAITING && e.waiting.on == ON_LOCK && e.wake > 7);
    wire_entry_headers(&e, arena, headers);
    must(!failed(wire_write_entry(&e, &body)));
    must(!failed(wire_read_entry(&again, buf_bytes(&body), arena)));
    return 0;
}
