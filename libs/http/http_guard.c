#include "http/http_guard.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/must.h"
#include "base/str.h"

enum {
    HOST_SIZE  = 256, /* 253 by DNS, and a zero */
    LABEL_MAX  = 63,
    DENY_MAX   = 64,
    PREFIX_V4  = 96, /* bits before an IPv4 address in its mapped form */
    PREFIX_ALL = 128,
};

/* Every address is judged in 16 bytes, IPv4 as ::ffff:a.b.c.d. */
struct ip {
    uint8_t at[16];
};

struct net {
    struct ip ip;
    unsigned bits;
};

enum reach {
    NEVER,   /* not even for those who may reach private nets */
    PRIVATE, /* for them only */
};

struct range {
    const char *net;
    enum reach reach;
    const char *what;
};

/* IANA's special-purpose registries (RFC 6890 and its successors), and where clouds answer what
   only the machine itself should know.  The first that fits is said. */
static const struct range V4[] = {
    {"169.254.169.0/24", NEVER, "a metadata address"},   /* all clouds */
    {"169.254.170.0/24", NEVER, "a metadata address"},   /* AWS containers */
    {"100.100.100.200/32", NEVER, "a metadata address"}, /* Alibaba */
    {"168.63.129.16/32", NEVER, "a metadata address"},   /* Azure, in a public range */
    {"192.0.0.192/32", NEVER, "a metadata address"},     /* Oracle */
    {"0.0.0.0/8", NEVER, "this host"},
    {"127.0.0.0/8", PRIVATE, "loopback"},
    {"10.0.0.0/8", PRIVATE, "private"},
    {"172.16.0.0/12", PRIVATE, "private"},
    {"192.168.0.0/16", PRIVATE, "private"},
    {"100.64.0.0/10", PRIVATE, "shared address space"},
    {"169.254.0.0/16", NEVER, "link-local"},
    {"192.0.0.0/24", NEVER, "reserved"},
    {"192.0.2.0/24", NEVER, "for documentation"},
    {"198.51.100.0/24", NEVER, "for documentation"},
    {"203.0.113.0/24", NEVER, "for documentation"},
    {"192.88.99.0/24", NEVER, "a 6to4 relay"},
    {"198.18.0.0/15", PRIVATE, "for benchmarks"},
    {"224.0.0.0/4", NEVER, "multicast"},
    {"240.0.0.0/4", NEVER, "reserved"},
};

static const struct range V6[] = {
    {"fd00:ec2::/32", NEVER, "a metadata address"},       /* AWS */
    {"fd20:ce::254/128", NEVER, "a metadata address"},    /* Google */
    {"fe80::a9fe:a9fe/128", NEVER, "a metadata address"}, /* OpenStack */
    {"fd00:42::42/128", NEVER, "a metadata address"},     /* Scaleway */
    {"::/128", NEVER, "this host"},
    {"::1/128", PRIVATE, "loopback"},
    {"fc00::/7", PRIVATE, "private"},
    {"fe80::/10", NEVER, "link-local"},
    {"fec0::/10", NEVER, "site-local"},
    {"ff00::/8", NEVER, "multicast"},
    {"64:ff9b:1::/48", NEVER, "a translator's"},
    {"100::/64", NEVER, "discarded"},
    {"2001::/23", NEVER, "reserved"}, /* Teredo (2001::/32) is in it */
    {"2001:db8::/32", NEVER, "for documentation"},
    {"3fff::/20", NEVER, "for documentation"},
    {"5f00::/16", NEVER, "reserved"},
};

/* IPv6 addresses that lead to the IPv4 address inside them, and where in them it is. */
static const struct {
    const char *net;
    unsigned at;
} CARRIERS[] = {
    {"64:ff9b::/96", 12},    /* NAT64 */
    {"2002::/16", 2},        /* 6to4 */
    {"::ffff:0:0:0/96", 12}, /* SIIT */
    {"::/96", 12},           /* IPv4-compatible; :: and ::1 are looked up before */
};

static struct net denied[DENY_MAX];
static size_t denied_count;

/* ---- addresses ------------------------------------------------------------------------------ */

static struct ip ip_of_v4(const uint8_t at[4])
{
    struct ip ip = {{0}};

    ip.at[10] = ip.at[11] = 0xff;
    memcpy(ip.at + 12, at, 4);
    return ip;
}

static bool is_v4(const struct ip *ip)
{
    static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    return memcmp(ip->at, MAPPED, sizeof(MAPPED)) == 0;
}

static bool within(const struct ip *ip, const struct net *net)
{
    unsigned bytes = net->bits / 8, rest = net->bits % 8;

    if (memcmp(ip->at, net->ip.at, bytes) != 0)
        return false;
    return rest == 0 || (ip->at[bytes] ^ net->ip.at[bytes]) >> (8 - rest) == 0;
}

/* "10.0.0.0/8"; without a slash one address.  Bits below the prefix are ignored. */
static bool read_net(const char *text, struct net *ret)
{
    char address[INET6_ADDRSTRLEN];
    size_t len     = strcspn(text, "/");
    uint64_t bits  = PREFIX_ALL;
    uint8_t v4[4]  = {0};
    struct net net = {.bits = 0};

    if (!str_copy_n(address, sizeof(address), text, len) ||
        (text[len] && failed(str_u64(text + len + 1, &bits))))
        return false;
    if (inet_pton(AF_INET, address, v4) == 1) {
        net.ip = ip_of_v4(v4);
        bits   = text[len] ? bits + PREFIX_V4 : PREFIX_ALL;
    } else if (inet_pton(AF_INET6, address, net.ip.at) != 1) {
        return false;
    }
    if (bits > PREFIX_ALL)
        return false;
    net.bits = (unsigned)bits;
    *ret     = net;
    return true;
}

static struct net net_of(const char *text)
{
    struct net net = {.bits = 0};

    must(read_net(text, &net));
    return net;
}

static const struct range *find_range(const struct range *ranges, size_t count,
                                      const struct ip *ip)
{
    for (size_t i = 0; i < count; i++) {
        struct net net = net_of(ranges[i].net);

        if (within(ip, &net))
            return &ranges[i];
    }
    return NULL;
}

static bool carried(const struct ip *ip, struct ip *ret)
{
    static const uint8_t ISATAP[3] = {0x00, 0x5e, 0xfe}; /* 0000:5efe or 0200:5efe */

    for (size_t i = 0; i < sizeof(CARRIERS) / sizeof(*CARRIERS); i++) {
        struct net net = net_of(CARRIERS[i].net);

        if (within(ip, &net)) {
            *ret = ip_of_v4(ip->at + CARRIERS[i].at);
            return true;
        }
    }
    if ((ip->at[8] & 0xfd) == 0 && memcmp(ip->at + 9, ISATAP, sizeof(ISATAP)) == 0) {
        *ret = ip_of_v4(ip->at + 12);
        return true;
    }
    return false;
}

static bool forbids(enum http_guard_mode mode, const struct range *range)
{
    return range && (mode == HTTP_GUARD_PUBLIC || range->reach == NEVER);
}

/* What is wrong with it; NULL: nothing. */
static const char *judge(enum http_guard_mode mode, const struct ip *ip)
{
    static const struct net GLOBAL = {.ip = {{0x20}}, .bits = 3};
    const struct range *range;
    struct ip inner;

    for (size_t i = 0; i < denied_count; i++)
        if (within(ip, &denied[i]))
            return "denied by the operator";
    if (is_v4(ip)) {
        range = find_range(V4, sizeof(V4) / sizeof(*V4), ip);
        return forbids(mode, range) ? range->what : NULL;
    }
    range = find_range(V6, sizeof(V6) / sizeof(*V6), ip);
    if (range)
        return forbids(mode, range) ? range->what : NULL;
    if (carried(ip, &inner))
        return judge(mode, &inner);
    return within(ip, &GLOBAL) ? NULL : "not a public address";
}

static bool judge_ip(enum http_guard_mode mode, const struct ip *ip, char *why, size_t why_size)
{
    char text[INET6_ADDRSTRLEN] = "";
    const char *what            = mode == HTTP_GUARD_OPERATOR ? NULL : judge(mode, ip);

    if (!what)
        return true;
    if (is_v4(ip))
        inet_ntop(AF_INET, ip->at + 12, text, sizeof(text));
    else
        inet_ntop(AF_INET6, ip->at, text, sizeof(text));
    str_format(why, why_size, "%s is %s", text, what);
    return false;
}

bool http_guard_address(enum http_guard_mode mode, const struct sockaddr *address, char *why,
                        size_t why_size)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct ip ip;

    if (mode == HTTP_GUARD_OPERATOR)
        return true;
    switch (address->sa_family) {
    case AF_INET:
        memcpy(&v4, address, sizeof(v4));
        ip = ip_of_v4((const uint8_t *)&v4.sin_addr);
        break;
    case AF_INET6:
        memcpy(&v6, address, sizeof(v6));
        memcpy(ip.at, &v6.sin6_addr, sizeof(ip.at));
        break;
    default:
        str_format(why, why_size, "not an internet address");
        return false;
    }
    return judge_ip(mode, &ip, why, why_size);
}

struct err http_guard_deny(const char *nets, char *why, size_t why_size)
{
    struct net list[DENY_MAX];
    size_t count = 0;
    char text[64];

    for (const char *at = nets ? nets : ""; *at;) {
        size_t len = strcspn(at, ",");

        if (count == DENY_MAX) {
            str_format(why, why_size, "more than %d nets", DENY_MAX);
            return err_of(ERR_REJECT, "read nets");
        }
        if (!str_copy_n(text, sizeof(text), at, len) || !read_net(text, &list[count++])) {
            str_format(why, why_size, "\"%.*s\" is not a net such as 10.0.0.0/8 or fd00::/8",
                       (int)(len < 64 ? len : 64), at);
            return err_of(ERR_REJECT, "read nets");
        }
        at += len + (at[len] == ',');
    }
    memcpy(denied, list, count * sizeof(*list));
    denied_count = count;
    return OK;
}

/* ---- URLs ----------------------------------------------------------------------------------- */

enum host_kind { HOST_NAME, HOST_ADDRESS };

struct host {
    enum host_kind kind;
    char name[HOST_SIZE]; /* lower case, without a closing dot */
    struct ip ip;
};

/* One part of an IPv4 address as inet_aton reads it: 10, 012, 0xa.  False if it is no number. */
static bool read_part(const char *text, size_t len, uint64_t *ret)
{
    unsigned base = 10;
    uint64_t n    = 0;

    if (len == 0)
        return false;
    if (len > 1 && text[0] == '0') {
        bool hex = text[1] == 'x';

        base = hex ? 16 : 8;
        text += hex ? 2 : 1;
        len -= hex ? 2 : 1;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned digit = isdigit((unsigned char)text[i])    ? (unsigned)(text[i] - '0')
                         : text[i] >= 'a' && text[i] <= 'f' ? (unsigned)(text[i] - 'a' + 10)
                                                            : 99;

        if (digit >= base)
            return false;
        n = n * base + digit;
        if (n > UINT32_MAX)
            return false;
    }
    *ret = n;
    return true;
}

/* A host whose last label is a number is an address or nothing (WHATWG URL, "ends in a
   number"). */
static bool ends_in_number(const char *name)
{
    const char *dot  = strrchr(name, '.');
    const char *last = dot ? dot + 1 : name;
    uint64_t n;

    return last[0] && (strspn(last, "0123456789") == strlen(last) ||
                       (str_starts(last, "0x") && read_part(last, strlen(last), &n)));
}

/* In any of the spellings that inet_aton takes: 127.1, 2130706433, 0x7f.1, 017700000001. */
static bool read_v4(const char *name, struct ip *ret)
{
    uint64_t parts[4], address = 0;
    unsigned count = 0;

    for (const char *at = name; at; count++) {
        size_t len = strcspn(at, ".");

        if (count == 4 || !read_part(at, len, &parts[count]))
            return false;
        at = at[len] ? at + len + 1 : NULL;
    }
    for (unsigned i = 0; i + 1 < count; i++) {
        if (parts[i] > 255)
            return false;
        address |= parts[i] << (24 - 8 * i);
    }
    if (parts[count - 1] >= UINT64_C(1) << (8 * (5 - count)))
        return false;
    address |= parts[count - 1];

    uint8_t at[4] = {(uint8_t)(address >> 24), (uint8_t)(address >> 16),
                     (uint8_t)(address >> 8), (uint8_t)address};

    *ret = ip_of_v4(at);
    return true;
}

/* Letters, digits, - and _, in labels; other alphabets come as xn--. */
static const char *check_name(const char *name)
{
    size_t label = 0;

    for (const char *c = name;; c++) {
        if (*c == '.' || *c == '\0') {
            if (label == 0 || label > LABEL_MAX)
                return "has an empty or too long label";
            label = 0;
            if (*c == '\0')
                return NULL;
            continue;
        }
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
            return (unsigned char)*c >= 0x80 ? "has letters outside ASCII; write it as xn--…"
                                             : "has a character that no host has";
        label++;
    }
}

/* What is between :// and the path, without user info.  Says what is wrong, NULL: nothing. */
static const char *read_host(const char *at, size_t len, struct host *ret)
{
    const char *wrong;

    if (len == 0)
        return "has no host";
    if (at[0] == '[') {
        if (at[len - 1] != ']' || !str_copy_n(ret->name, HOST_SIZE, at + 1, len - 2) ||
            inet_pton(AF_INET6, ret->name, ret->ip.at) != 1)
            return "has no IPv6 address in its brackets";
        ret->kind = HOST_ADDRESS;
        return inet_ntop(AF_INET6, ret->ip.at, ret->name, HOST_SIZE) ? NULL : "has no host";
    }
    if (at[len - 1] == '.')
        len--;
    if (!str_copy_n(ret->name, HOST_SIZE, at, len))
        return "has a host longer than 255 characters";
    for (char *c = ret->name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    wrong = check_name(ret->name);
    if (wrong)
        return wrong;
    ret->kind = HOST_NAME;
    if (!ends_in_number(ret->name))
        return NULL;
    if (!read_v4(ret->name, &ret->ip))
        return "ends in a number, but is no address";
    ret->kind = HOST_ADDRESS;
    return inet_ntop(AF_INET, ret->ip.at + 12, ret->name, HOST_SIZE) ? NULL : "has no host";
}

struct url {
    struct host host;
    bool user_info;
};

static bool good_port(const char *at, size_t len)
{
    char text[6];
    uint64_t port;

    return str_copy_n(text, sizeof(text), at, len) && !failed(str_u64(text, &port)) &&
           port > 0 && port <= UINT16_MAX;
}

/* What is wrong, for a sentence that begins with the URL; NULL: nothing. */
static const char *read_url(const char *url, struct url *ret)
{
    size_t scheme;

    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return "has a blank or a control character";
    if (strncasecmp(url, "http://", 7) == 0)
        scheme = 7;
    else if (strncasecmp(url, "https://", 8) == 0)
        scheme = 8;
    else
        return "is not http:// or https://";

    const char *at = url + scheme;
    size_t len     = strcspn(at, "/?#");

    if (memchr(at, '\\', len))
        return "has a back slash in its host";
    for (size_t i = len; i > 0; i--) /* the last @: what is behind it is the host */
        if (at[i - 1] == '@') {
            ret->user_info = true;
            at += i;
            len -= i;
            break;
        }
    if (memchr(at, '%', len))
        return "has a percent sign in its host";

    const char *close = at[0] == '[' ? memchr(at, ']', len) : at;
    const char *colon = close ? memchr(close, ':', len - (size_t)(close - at)) : NULL;

    if (colon && !good_port(colon + 1, len - (size_t)(colon + 1 - at)))
        return "has no port from 1 to 65535 after its colon";
    return read_host(at, colon ? (size_t)(colon - at) : len, &ret->host);
}

static bool name_or_below(const char *host, const char *name)
{
    size_t h = strlen(host), n = strlen(name);

    return str_equal(host, name) ||
           (h > n && host[h - n - 1] == '.' && str_equal(host + h - n, name));
}

static bool any_of(const char *host, const char *const *names)
{
    for (; *names; names++)
        if (name_or_below(host, *names))
            return true;
    return false;
}

/* What is wrong with a name; NULL: nothing that shows before it is resolved. */
static const char *judge_name(enum http_guard_mode mode, const char *host)
{
    static const char *const METADATA[] = {
        "metadata.google.internal",
        "metadata.goog",
        "metadata",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.tencentyun.com",
        "metadata.azure.internal",
        NULL,
    };
    static const char *const LOCAL[] = {
        "localhost", "local",    "internal", "localdomain", "localhost6", "home.arpa", "svc",
        "lan",       "intranet", "private",  "corp",        "home",       NULL,
    };

    if (any_of(host, METADATA))
        return "a metadata name";
    if (mode == HTTP_GUARD_PRIVATE)
        return NULL;
    if (any_of(host, LOCAL) || !strchr(host, '.'))
        return "a local name";
    return NULL;
}

/* Somebody's text in a sentence of ours: cut, and printable. */
static const char *shown(const char *url, char at[81])
{
    size_t n = 0;

    for (; url[n] && n < 80; n++)
        at[n] = isprint((unsigned char)url[n]) && (unsigned char)url[n] < 0x80 ? url[n] : '?';
    at[n] = '\0';
    return at;
}

struct err http_guard_url(enum http_guard_mode mode, const char *url, char *why,
                          size_t why_size)
{
    struct url u      = {.user_info = false};
    const char *wrong = read_url(url, &u);
    struct err no     = err_of(ERR_REJECT, "url");
    char text[81];

    if (wrong) {
        str_format(why, why_size, "\"%s\" %s", shown(url, text), wrong);
        return no;
    }
    if (mode == HTTP_GUARD_OPERATOR)
        return OK;
    if (u.user_info) {
        str_format(why, why_size, "the URL has a user or password before @%s", u.host.name);
        return no;
    }
    if (u.host.kind == HOST_ADDRESS)
        return judge_ip(mode, &u.host.ip, why, why_size) ? OK : no;
    wrong = judge_name(mode, u.host.name);
    if (!wrong)
        return OK;
    str_format(why, why_size, "%s is %s", u.host.name, wrong);
    return no;
}

bool http_guard_host(const char *url, char *ret, size_t size)
{
    struct url u = {.user_info = false};

    return !read_url(url, &u) && str_copy(ret, size, u.host.name);
}
