/* Each message of proto/ by both libraries: what protobuf-c writes, nanopb reads and writes again to the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pb_decode.h>
#include <pb_encode.h>

#include "base/must.h"
#include "sample.h"
#include "sluice/v1/journal.pb.h"
#include "sluice/v1/permit.pb.h"
#include "sluice/v1/run.pb.h"
#include "sluice/v1/ticket.pb.h"
#include "sluice/v1/worker.pb.h"
#include "wire/wire_json.h"

struct other {
    const char *name;
    const pb_msgdesc_t *fields;
    size_t size;
};

#define OTHER(name) \
    { \
#name, sluice_v1_##name##_fields, sizeof(sluice_v1_##name) \
    }

static const struct other OTHERS[] = {
    OTHER(Entry),         OTHER(Plan),        OTHER(Lease),       OTHER(Session),
    OTHER(Step),          OTHER(Waiting),     OTHER(End),         OTHER(Mail),
    OTHER(PermitKey),     OTHER(PermitAsk),   OTHER(PermitGrant), OTHER(PermitReport),
    OTHER(PermitRequest), OTHER(GrantRecord), OTHER(Submit),      OTHER(SubmitAnswer),
    OTHER(Which),         OTHER(Cancel),      OTHER(Accepted),    OTHER(Run),
    OTHER(FieldError),    OTHER(Problem),     OTHER(Ticket),      OTHER(Job),
    OTHER(WorkerStatus),  OTHER(HoldsAsk),    OTHER(HoldsAnswer),
    /* GrantBatch has a callback: test_wire_permit.c */
};

enum { OTHER_COUNT = sizeof(OTHERS) / sizeof(*OTHERS) };

static union {
    sluice_v1_Entry entry;
    sluice_v1_Run run;
    max_align_t align;
} message;

static void assert_both_agree(const struct other *o, struct bytes body)
{
    uint8_t again[16384];

    assert_true(o->size <= sizeof(message));
    memset(&message, 0, sizeof(message));
    pb_istream_t in = pb_istream_from_buffer(body.at, body.len);

    assert_true(pb_decode(&in, o->fields, &message));
    pb_ostream_t out = pb_ostream_from_buffer(again, sizeof(again));

    assert_true(pb_encode(&out, o->fields, &message));
    assert_int_equal(out.bytes_written, body.len);
    assert_memory_equal(again, body.at, body.len);
}

static void the_libraries_agree_on_every_field(void **state)
{
    char why[200];

    (void)state;
    for (size_t i = 0; i < OTHER_COUNT; i++) {
        struct buf json, body;

        buf_init(&json, 1 << 16);
        buf_init(&body, 1 << 16);
        sample_message(wire_message_find(OTHERS[i].name), &json);
        assert_false(failed(
            wire_protobuf_of(OTHERS[i].name, buf_bytes(&json), &body, why, sizeof(why))));
        assert_true(body.len > 0);
        assert_both_agree(&OTHERS[i], buf_bytes(&body));
        buf_deinit(&json);
        buf_deinit(&body);
    }
}

static void the_libraries_agree_on_each_field_alone(void **state)
{
    char why[200];

    (void)state;
    for (size_t i = 0; i < OTHER_COUNT; i++) {
        const ProtobufCMessageDescriptor *d = wire_message_find(OTHERS[i].name);

        for (unsigned n = 0; n < d->n_fields; n++) {
            ProtobufCFieldDescriptor alone = d->fields[n];
            ProtobufCMessageDescriptor one = *d;
            struct buf json, body;

            one.n_fields = 1;
            one.fields   = &alone;
            buf_init(&json, 1 << 16);
            buf_init(&body, 1 << 16);
            sample_message(&one, &json);
            assert_false(failed(
                wire_protobuf_of(OTHERS[i].name, buf_bytes(&json), &body, why, sizeof(why))));
            assert_both_agree(&OTHERS[i], buf_bytes(&body));
            buf_deinit(&json);
            buf_deinit(&body);
        }
    }
}

static void the_libraries_agree_on_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < OTHER_COUNT; i++)
        assert_both_agree(&OTHERS[i], bytes_str(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_libraries_agree_on_every_field),
        cmocka_unit_test(the_libraries_agree_on_each_field_alone),
        cmocka_unit_test(the_libraries_agree_on_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
