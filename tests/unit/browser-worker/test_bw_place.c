#include "bw_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

static struct bw_place_name read_well(const char *where)
{
    struct bw_place_name name;
    char why[200];

    if (failed(bw_place_read(&name, where, why, sizeof why)))
        fail_msg("%s: %s", where, why);
    return name;
}

static void one_url_is_one_place(void **state)
{
    static const char *const CASES[] = {"http://127.0.0.1:9515", "https://grid.example/wd/hub",
                                        "http://[::1]:9515", "http://browser"};

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_string_equal(read_well(CASES[i]).host, "");
}

static void a_name_stands_for_its_addresses(void **state)
{
    static const struct {
        const char *where, *address, *place;
    } CASES[] = {
        {"dns+http://browser:9515", "10.0.0.7", "http://10.0.0.7:9515"},
        {"dns+http://browser:9515/", "10.0.0.7", "http://10.0.0.7:9515"},
        {"dns+http://browser:9515/wd/hub/", "10.0.0.8", "http://10.0.0.8:9515/wd/hub"},
        {"dns+http://browser.cell.svc:4444", "fd00::7", "http://[fd00::7]:4444"},
        {"dns+http://browser", "10.0.0.7", "http://10.0.0.7:80"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const struct bw_place_name name = read_well(CASES[i].where);
        char place[BW_PLACE_SIZE];
        assert_true(*name.host);
        assert_true(bw_place_write(&name, CASES[i].address, place));
        assert_string_equal(place, CASES[i].place);
    }
}

static void anything_else_is_refused_with_what_was_written(void **state)
{
    static const char *const CASES[] = {
        "browser:9515",
        "ftp://browser",
        "http://",
        "http:///path",
        "dns+https://browser",
        "dns+http://",
        "dns+http://:9515",
        "dns+http://browser:",
        "dns+http://browser:0",
        "dns+http://browser:x",
        "dns+http://[::1]:9515",
        "dns+http://browser:65536",
        "dns+http://a b:9515",
        "http://u:p@browser",
        "http://browser/?q=1",
        "dns+http://browser:99999999",
    };
    struct bw_place_name name;
    char why[200];

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (!failed(bw_place_read(&name, CASES[i], why, sizeof why)))
            fail_msg("taken: %s", CASES[i]);
        assert_non_null(strstr(why, CASES[i]));
        assert_non_null(strstr(why, "dns+http://NAME[:PORT]"));
    }
}

static void sessions_go_where_fewest_are(void **state)
{
    static const size_t TAKEN[] = {2, 1, 3, 1};

    (void)state;
    assert_int_equal(bw_place_choose(TAKEN, 4, 4, 0), 1);
    assert_int_equal(bw_place_choose(TAKEN, 4, 4, 1), 3);
    assert_int_equal(bw_place_choose(TAKEN, 4, 4, 2), 1);
    assert_int_equal(bw_place_choose(TAKEN, 1, 4, 7), 0);
}

static void what_is_full_is_not_chosen(void **state)
{
    static const size_t TAKEN[] = {4, 5, 3};

    (void)state;
    assert_int_equal(bw_place_choose(TAKEN, 3, 4, 9), 2);
    assert_int_equal(bw_place_choose(TAKEN, 2, 4, 9), 2); /* none */
    assert_int_equal(bw_place_choose(TAKEN, 0, 4, 9), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_url_is_one_place),
        cmocka_unit_test(a_name_stands_for_its_addresses),
        cmocka_unit_test(anything_else_is_refused_with_what_was_written),
        cmocka_unit_test(sessions_go_where_fewest_are),
        cmocka_unit_test(what_is_full_is_not_chosen),
    };
    return cmocka_run_group_tests_name("bw_place", tests, NULL, NULL);
}
