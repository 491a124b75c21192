/* The first byte says which message; the rest is tried as its JSON, and as its protobuf. */
#include "base/mem.h"
#include "base/str.h"
#include "planted.h"
#include "wire/wire_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const MESSAGES[] = {
        "Entry",     "Submit",       "Run",      "Which",      "Ticket",       "Job",
        "PermitAsk", "PermitReport", "HoldsAsk", "GrantBatch", "WorkerStatus", "Problem"};
    AUTO(buf_deinit) struct buf there = {0}, back = {0};
    char why[128];

    buf_init(&there, 1 << 22);
    buf_init(&back, 1 << 22);
    if (len == 0)
        return 0;
    const char *name   = MESSAGES[data[0] % (sizeof(MESSAGES) / sizeof(*MESSAGES))];
    struct bytes input = bytes_of(data + 1, len - 1);

    if (!failed(wire_protobuf_of(name, input, &there, why, sizeof(why)))) {
        PLANT(str_equal(name, "Which") && there.len > 8);
        must(!failed(wire_json_of(name, buf_bytes(&there), &back, why, sizeof(why))));
    }
    buf_clear(&back);
    if (!failed(wire_json_of(name, input, &back, why, sizeof(why))))
        must(wire_is_json(buf_bytes(&back)));
    wire_guess(input);
    return 0;
}
