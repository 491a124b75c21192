#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "http/http_guard.h"

enum { WHY = 256 };

static bool passes(enum http_guard_mode mode, const char *url, char why[WHY])
{
    why[0] = '\0';
    return !failed(http_guard_url(mode, url, why, WHY));
}

static void refuses_all(enum http_guard_mode mode, const char *const *urls)
{
    char why[WHY];

    for (; *urls; urls++) {
        if (passes(mode, *urls, why))
            fail_msg("%s passed", *urls);
        if (!why[0])
            fail_msg("%s is refused without a word", *urls);
    }
}

static void passes_all(enum http_guard_mode mode, const char *const *urls)
{
    char why[WHY];

    for (; *urls; urls++)
        if (!passes(mode, *urls, why))
            fail_msg("%s is refused: %s", *urls, why);
}

static bool reaches(enum http_guard_mode mode, const char *text, char why[WHY])
{
    struct sockaddr_in v4  = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    why[0] = '\0';
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return http_guard_address(mode, (struct sockaddr *)&v4, why, WHY);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return http_guard_address(mode, (struct sockaddr *)&v6, why, WHY);
}

/* ---- addresses ------------------------------------------------------------------------------ */

static const char *const INSIDE[] = {"127.0.0.1",
                                     "127.255.255.254",
                                     "10.0.0.1",
                                     "172.16.0.1",
                                     "172.31.255.255",
                                     "192.168.1.1",
                                     "100.64.0.1",
                                     "100.127.255.255",
                                     "198.18.0.1",
                                     "::1",
                                     "fc00::1",
                                     "fd12:3456::1",
                                     "::ffff:127.0.0.1",
                                     "::ffff:10.1.2.3",
                                     "64:ff9b::7f00:1",
                                     "64:ff9b::a00:1",
                                     "2002:7f00:1::",
                                     "2002:c0a8:101::",
                                     "::10.0.0.1",
                                     "::ffff:0:10.0.0.1",
                                     "2a00::5efe:10.0.0.1",
                                     "2a00::200:5efe:a00:1",
                                     NULL};

static const char *const NOBODYS[] = {"169.254.169.254",
                                      "169.254.169.253",
                                      "169.254.170.2",
                                      "169.254.1.1",
                                      "100.100.100.200",
                                      "168.63.129.16",
                                      "192.0.0.192",
                                      "0.0.0.0",
                                      "0.1.2.3",
                                      "224.0.0.1",
                                      "239.255.255.250",
                                      "240.0.0.1",
                                      "255.255.255.255",
                                      "192.0.2.1",
                                      "198.51.100.7",
                                      "203.0.113.7",
                                      "::",
                                      "fd00:ec2::254",
                                      "fd00:ec2::23",
                                      "fe80::1",
                                      "fe80::a9fe:a9fe",
                                      "fec0::1",
                                      "ff02::1",
                                      "2001:db8::1",
                                      "2001::1",
                                      "100::1",
                                      "64:ff9b:1::1",
                                      "::ffff:169.254.169.254",
                                      "64:ff9b::a9fe:a9fe",
                                      "2002:a9fe:a9fe::",
                                      "::ffff:0.0.0.0",
                                      "::ffff:0:169.254.169.254",
                                      "fd20:ce::254",
                                      NULL};

static const char *const OUTSIDE[] = {
    "1.1.1.1",        "8.8.8.8",          "172.15.255.255",  "172.32.0.1",
    "100.63.255.255", "100.128.0.1",      "11.0.0.1",        "126.255.255.255",
    "128.0.0.1",      "223.255.255.255",  "192.167.255.255", "198.17.255.255",
    "198.20.0.1",     "169.253.0.1",      "2606:4700::1111", "2001:4860:4860::8888",
    "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::",  NULL};

static void private_addresses_are_reached_only_by_those_who_may(void **state)
{
    char why[WHY];

    (void)state;
    for (const char *const *at = INSIDE; *at; at++) {
        if (reaches(HTTP_GUARD_PUBLIC, *at, why))
            fail_msg("%s is reached", *at);
        if (!reaches(HTTP_GUARD_PRIVATE, *at, why))
            fail_msg("%s is not reached: %s", *at, why);
        assert_true(reaches(HTTP_GUARD_OPERATOR, *at, why));
    }
}

static void metadata_and_nonsense_are_reached_by_no_tenant(void **state)
{
    char why[WHY];

    (void)state;
    for (const char *const *at = NOBODYS; *at; at++) {
        if (reaches(HTTP_GUARD_PUBLIC, *at, why) || reaches(HTTP_GUARD_PRIVATE, *at, why))
            fail_msg("%s is reached", *at);
        assert_true(reaches(HTTP_GUARD_OPERATOR, *at, why));
    }
}

static void public_addresses_are_reached_by_all(void **state)
{
    char why[WHY];

    (void)state;
    for (const char *const *at = OUTSIDE; *at; at++)
        if (!reaches(HTTP_GUARD_PUBLIC, *at, why) || !reaches(HTTP_GUARD_PRIVATE, *at, why))
            fail_msg("%s is not reached: %s", *at, why);
}

static void refusal_says_which_address_and_why(void **state)
{
    char why[WHY];

    (void)state;
    assert_false(reaches(HTTP_GUARD_PUBLIC, "127.0.0.1", why));
    assert_string_equal(why, "127.0.0.1 is loopback");
    assert_false(reaches(HTTP_GUARD_PRIVATE, "169.254.169.254", why));
    assert_string_equal(why, "169.254.169.254 is a metadata address");
    assert_false(passes(HTTP_GUARD_PUBLIC, "http://0x7f.1/", why));
    assert_string_equal(why, "127.0.0.1 is loopback");
    assert_false(passes(HTTP_GUARD_PUBLIC, "http://db.internal/", why));
    assert_string_equal(why, "db.internal is a local name");
}

static void other_kinds_of_sockets_are_never_reached(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char why[WHY]         = "";

    (void)state;
    assert_false(http_guard_address(HTTP_GUARD_PRIVATE, (struct sockaddr *)&un, why, WHY));
    assert_string_not_equal(why, "");
}

/* ---- URLs ----------------------------------------------------------------------------------- */

static void every_spelling_of_an_inner_address_is_refused(void **state)
{
    static const char *const URLS[] = {"http://127.0.0.1/",
                                       "http://127.1/",
                                       "http://127.0.1/",
                                       "http://2130706433/",
                                       "http://0x7f000001/",
                                       "http://0x7f.1/",
                                       "http://0X7F.0x0.0.1/",
                                       "http://017700000001/",
                                       "http://0177.0.0.1/",
                                       "http://0177.0.0.01/",
                                       "http://127.0.0.1./",
                                       "http://0/",
                                       "http://0.0.0.0/",
                                       "http://0x0/",
                                       "http://00/",
                                       "http://10.1/",
                                       "http://3232235777/",
                                       "http://192.168.257/",
                                       "http://[::1]/",
                                       "http://[::]/",
                                       "http://[0:0:0:0:0:0:0:1]/",
                                       "http://[::ffff:127.0.0.1]/",
                                       "http://[::ffff:7f00:1]/",
                                       "http://[::FFFF:7F00:1]:80/",
                                       "http://[64:ff9b::10.0.0.1]/",
                                       "http://[2002:7f00:1::]/",
                                       "http://[fe80::1]/",
                                       "http://[fd00:ec2::254]/",
                                       "http://[::127.0.0.1]/",
                                       "http://169.254.169.254/latest/meta-data/",
                                       "http://2852039166/",
                                       "http://0xa9fea9fe/",
                                       "http://0251.0376.0251.0376/",
                                       "http://169.254.43518/",
                                       "http://100.100.100.200/",
                                       "http://168.63.129.16/",
                                       "HTTP://127.0.0.1/",
                                       "https://127.0.0.1:8443/x?y#z",
                                       "http://127.0.0.1?a",
                                       "http://127.0.0.1#a",
                                       NULL};

    (void)state;
    refuses_all(HTTP_GUARD_PUBLIC, URLS);
}

static void every_spelling_of_a_local_name_is_refused(void **state)
{
    static const char *const URLS[] = {"http://localhost/",
                                       "http://LOCALHOST/",
                                       "http://localhost./",
                                       "http://LocalHost:8080/",
                                       "http://a.localhost/",
                                       "http://localhost.localdomain/",
                                       "http://printer.local/",
                                       "http://Printer.LOCAL./",
                                       "http://x.internal/",
                                       "http://metadata.google.internal/",
                                       "http://METADATA.Google.Internal./computeMetadata/v1/",
                                       "http://metadata/",
                                       "http://metadata.goog/",
                                       "http://instance-data/",
                                       "http://kubernetes/",
                                       "http://nats:8222/",
                                       "http://kubernetes.default.svc/",
                                       "http://kubernetes.default.svc.cluster.local/",
                                       "http://router.home.arpa/",
                                       "http://wiki.corp/",
                                       NULL};

    (void)state;
    refuses_all(HTTP_GUARD_PUBLIC, URLS);
}

static void where_readers_differ_the_url_is_refused(void **state)
{
    static const char *const URLS[] = {
        "",
        "http://",
        "http:///",
        "http:///etc/passwd",
        "http:/example.com/",
        "http:example.com",
        "//example.com/",
        "example.com",
        "/path",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "data:text/html,x",
        "dict://example.com:11211/",
        "ht tp://example.com/",
        " http://example.com/",
        "http://example.com /",
        "http://exa\tmple.com/",
        "http://example.com/\r\nHost: localhost",
        "http://example.com/a\nb",
        "http://example.com/a b",
        "http://exam\x7fple.com/",
        "http://a@example.com/",
        "http://a:b@example.com/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1@example.com/",
        "http://@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://127.0.0.1\\@example.com/",
        "http://example.com\\.evil.com/",
        "http:\\\\example.com/",
        "http://example.com%2f@127.0.0.1/",
        "http://127.0.0.1%00.example.com/",
        "http://%31%32%37.0.0.1/",
        "http://ex%61mple.com/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://::1/",
        "http://[]/",
        "http://[127.0.0.1]/",
        "http://[::1]x/",
        "http://[example.com]/",
        "http://example.com:/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:80:80/",
        "http://example.com:8a/",
        "http://example.com:-1/",
        "http://example.com:80@127.0.0.1/",
        "http://.example.com/",
        "http://example..com/",
        "http://example.com../",
        "http://./",
        "http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/", /* ①②⑦.0.0.1 */
        "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", /* full-width digits */
        "http://127\xe3\x80\x82"
        "0\xe3\x80\x82"
        "0\xe3\x80\x82"
        "1/", /* ideographic stops */
        "http://loc\xc3\xa4lhost.example/",
        "http://exam<ple.com/",
        "http://exam;ple.com/",
        "http://exam,ple.com/",
        "http://256.1.1.1/",
        "http://1.2.3.4.5/",
        "http://0x100000000/",
        "http://4294967296/",
        "http://08.8.8.8/",
        "http://example.1/",
        "http://example.0x1/",
        NULL};
    char label[128], url[400];
    char why[WHY];

    (void)state;
    refuses_all(HTTP_GUARD_PUBLIC, URLS);
    memset(label, 'a', 64);
    label[64] = '\0';
    snprintf(url, sizeof(url), "http://%s.example/", label);
    assert_false(passes(HTTP_GUARD_PUBLIC, url, why));
    memset(url, 'a', sizeof(url));
    memcpy(url, "http://", 7);
    url[sizeof(url) - 1] = '\0';
    assert_false(passes(HTTP_GUARD_PUBLIC, url, why));
}

static void ordinary_urls_pass(void **state)
{
    static const char *const URLS[] = {"http://example.com",
                                       "https://example.com/",
                                       "HTTPS://Example.COM:8443/a/b?c=d#e",
                                       "http://example.com./",
                                       "http://xn--bcher-kva.example/",
                                       "http://a_b.example.com/",
                                       "http://1.1.1.1/",
                                       "http://134744072/", /* 8.8.8.8 */
                                       "http://[2606:4700::1111]/",
                                       "http://[2606:4700::1111]:443/x",
                                       "http://3com.com/",
                                       "http://localhost.example.com/",
                                       "http://internal.example.com/",
                                       "http://mylocal.com/",
                                       "http://example.com/@user",
                                       "http://example.com/%7Euser?q=%0A",
                                       "http://example.com?x=a@b",
                                       "http://example.com/a\\b",
                                       "http://example.com/b\xc3\xbc"
                                       "cher",
                                       "http://example.com:65535/",
                                       NULL};

    (void)state;
    passes_all(HTTP_GUARD_PUBLIC, URLS);
    passes_all(HTTP_GUARD_PRIVATE, URLS);
}

static void those_who_may_reach_inside_still_reach_no_metadata(void **state)
{
    static const char *const PASS[] = {
        "http://localhost:3000/", "http://127.0.0.1/",    "http://10.0.0.1/",   "http://[::1]/",
        "http://wiki.corp/",      "http://service:8080/", "http://x.internal/", NULL};
    static const char *const REFUSED[] = {"http://169.254.169.254/",
                                          "http://2852039166/",
                                          "http://metadata.google.internal/",
                                          "http://metadata/",
                                          "http://[fd00:ec2::254]/",
                                          "http://[::ffff:169.254.169.254]/",
                                          "http://0.0.0.0/",
                                          "http://u@localhost/",
                                          "ftp://localhost/",
                                          "http://100.100.100.200/",
                                          NULL};

    (void)state;
    passes_all(HTTP_GUARD_PRIVATE, PASS);
    refuses_all(HTTP_GUARD_PRIVATE, REFUSED);
}

static void operators_may_name_anything_that_is_http(void **state)
{
    static const char *const PASS[]    = {"http://127.0.0.1:9515", "http://169.254.169.254/",
                                          "http://user:secret@browser:4444/wd/hub",
                                          "http://localhost/", NULL};
    static const char *const REFUSED[] = {"ftp://x/", "http://", "browser:4444", "http://a b/",
                                          NULL};

    (void)state;
    passes_all(HTTP_GUARD_OPERATOR, PASS);
    refuses_all(HTTP_GUARD_OPERATOR, REFUSED);
}

/* ---- the operator's own nets -------------------------------------------------------------------- */

static void denied_nets_hold_for_every_tenant(void **state)
{
    char why[WHY] = "";

    (void)state;
    assert_false(
        failed(http_guard_deny("8.8.8.0/24,10.1.0.0/16,2606:4700::/32,1.1.1.1", why, WHY)));
    assert_false(reaches(HTTP_GUARD_PUBLIC, "8.8.8.8", why));
    assert_string_equal(why, "8.8.8.8 is denied by the operator");
    assert_false(reaches(HTTP_GUARD_PUBLIC, "1.1.1.1", why));
    assert_false(reaches(HTTP_GUARD_PUBLIC, "::ffff:8.8.8.8", why));
    assert_false(reaches(HTTP_GUARD_PUBLIC, "64:ff9b::808:808", why));
    assert_false(reaches(HTTP_GUARD_PRIVATE, "10.1.2.3", why));
    assert_false(reaches(HTTP_GUARD_PRIVATE, "2606:4700::1", why));
    assert_false(passes(HTTP_GUARD_PRIVATE, "http://10.1/", why) &&
                 passes(HTTP_GUARD_PRIVATE, "http://10.65793/", why)); /* 10.1.1.1 */
    assert_true(reaches(HTTP_GUARD_PUBLIC, "8.8.9.8", why));
    assert_true(reaches(HTTP_GUARD_PRIVATE, "10.2.2.3", why));
    assert_true(reaches(HTTP_GUARD_OPERATOR, "8.8.8.8", why));

    assert_false(failed(http_guard_deny("", why, WHY)));
    assert_true(reaches(HTTP_GUARD_PUBLIC, "8.8.8.8", why));
}

static void bad_nets_are_refused_and_change_nothing(void **state)
{
    static const char *const BAD[] = {
        "10.0.0.0/33",          "10.0.0/8",    "fd00::/129", "x",           "10.0.0.0/8;", ",",
        "10.0.0.0/8,,fd00::/8", "10.0.0.0/-1", "10.0.0.0/",  "10.0.0.0 /8", NULL};
    char why[WHY];

    (void)state;
    assert_false(failed(http_guard_deny("9.9.9.9/32", why, WHY)));
    for (const char *const *bad = BAD; *bad; bad++) {
        why[0] = '\0';
        if (!failed(http_guard_deny(*bad, why, WHY)) || !why[0])
            fail_msg("%s", *bad);
    }
    assert_false(reaches(HTTP_GUARD_PUBLIC, "9.9.9.9", why));
    assert_false(failed(http_guard_deny(NULL, why, WHY)));
}

/* ---- the key of a site -------------------------------------------------------------------------- */

static void one_site_has_one_name(void **state)
{
    static const struct {
        const char *url, *host;
    } CASES[] = {
        {"http://Shop.Example/", "shop.example"},
        {"https://shop.example.:443/x", "shop.example"},
        {"https://a:b@shop.example", "shop.example"},
        {"http://0x7f.1:80/", "127.0.0.1"},
        {"http://[2606:4700:0:0::1111]/", "2606:4700::1111"},
    };
    char host[64];

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
        assert_true(http_guard_host(CASES[i].url, host, sizeof(host)));
        assert_string_equal(host, CASES[i].host);
    }
    assert_false(http_guard_host("about:blank", host, sizeof(host)));
    assert_false(http_guard_host("http://", host, sizeof(host)));
    assert_false(http_guard_host("http://shop.example/", host, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(private_addresses_are_reached_only_by_those_who_may),
        cmocka_unit_test(metadata_and_nonsense_are_reached_by_no_tenant),
        cmocka_unit_test(public_addresses_are_reached_by_all),
        cmocka_unit_test(refusal_says_which_address_and_why),
        cmocka_unit_test(other_kinds_of_sockets_are_never_reached),
        cmocka_unit_test(every_spelling_of_an_inner_address_is_refused),
        cmocka_unit_test(every_spelling_of_a_local_name_is_refused),
        cmocka_unit_test(where_readers_differ_the_url_is_refused),
        cmocka_unit_test(ordinary_urls_pass),
        cmocka_unit_test(those_who_may_reach_inside_still_reach_no_metadata),
        cmocka_unit_test(operators_may_name_anything_that_is_http),
        cmocka_unit_test(denied_nets_hold_for_every_tenant),
        cmocka_unit_test(bad_nets_are_refused_and_change_nothing),
        cmocka_unit_test(one_site_has_one_name),
    };

    return cmocka_run_group_tests_name("http_guard", tests, NULL, NULL);
}
