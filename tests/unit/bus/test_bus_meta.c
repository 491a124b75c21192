#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus/bus_meta.h"

static void check(const struct bus_meta *m)
{
    assert_true(bytes_equal(m->stream, bytes_str("JOBS")));
    assert_true(bytes_equal(m->consumer, bytes_str("pool")));
    assert_int_equal(m->deliveries, 2);
    assert_int_equal(m->seq, 1234);
    assert_int_equal(m->consumer_seq, 77);
    assert_int_equal(m->stored_ms, 1700000000123);
    assert_int_equal(m->pending, 5);
}

static void both_forms_of_a_delivery_are_read(void **state)
{
    struct bus_meta m;
    (void)state;

    assert_true(bus_meta_read("$JS.ACK.JOBS.pool.2.1234.77.1700000000123456789.5", &m));
    check(&m);
    assert_true(bus_meta_read("$JS.ACK._.acc12.JOBS.pool.2.1234.77.1700000000123456789.5", &m));
    check(&m);
    assert_true(
        bus_meta_read("$JS.ACK.hub.acc12.JOBS.pool.2.1234.77.1700000000123456789.5.rnd", &m));
    check(&m);
}

static void anything_else_is_no_delivery(void **state)
{
    static const char *const texts[] = {"",
                                        "_INBOX.x.1",
                                        "$JS.ACK.",
                                        "$JS.ACK.S.c.1.2.3.4",
                                        "$JS.ACK.S.c.1.2.3.4.5.6",
                                        "$JS.ACK.S.c.one.2.3.4.5",
                                        "$JS.ACK.S.c.1..3.4.5",
                                        "$JS.ACK.S.c.1.2.3.4.99999999999999999999999",
                                        "$JS.ACK.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p",
                                        "$JS.FC.S.c.1.2.3.4.5"};
    struct bus_meta m                = {.seq = 7};
    (void)state;

    for (size_t n = 0; n < sizeof(texts) / sizeof(*texts); n++)
        assert_false(bus_meta_read(texts[n], &m));
    assert_false(bus_meta_read(NULL, &m));
    assert_int_equal(m.seq, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_of_a_delivery_are_read),
        cmocka_unit_test(anything_else_is_no_delivery),
    };
    return cmocka_run_group_tests_name("bus_meta", tests, NULL, NULL);
}
