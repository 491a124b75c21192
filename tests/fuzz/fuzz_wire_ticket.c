/* Any bytes as each of the closed, frequent messages; what was read can be written again (must). */
#include "base/mem.h"
#include "planted.h"
#include "wire/wire_permit.h"
#include "wire/wire_ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define TRY(type, noun) \
    do { \
        struct type it; \
        if (!failed(wire_read_##noun(&it, bytes_of(data, len)))) \
            wire_write_##noun(&it, &to); \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    AUTO(arena_free) struct arena *arena = arena_new();
    AUTO(buf_deinit) struct buf to       = {0};
    struct permit_request request;
    struct grant_batch batch;

    buf_init(&to, 1 << 20);
    TRY(ticket, ticket);
    TRY(job, job);
    TRY(worker_status, worker_status);
    TRY(holds_ask, holds_ask);
    TRY(permit_grant, permit_grant);
    if (!failed(wire_read_permit_request(&request, bytes_of(data, len)))) {
        if (request.what == PERMIT_ASK)
            wire_write_permit_ask(&request.ask, &to);
        else
            wire_write_permit_report(&request.report, &to);
    }
    if (!failed(wire_read_grant_batch(&batch, bytes_of(data, len), arena))) {
        PLANT(batch.count == 5);
        wire_write_grant_batch(&batch, &to);
    }
    return 0;
}
