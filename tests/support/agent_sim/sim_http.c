#include "agent_sim/sim_http.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent_sim/sim_base.h"

struct slice {
    const char *at;
    size_t len;
};

static enum sim_http_state bad(struct sim_http *ret, int status)
{
    ret->status = status;
    return SIM_HTTP_BAD;
}

static bool slice_is(struct slice s, const char *text)
{
    return s.len == strlen(text) && strncasecmp(s.at, text, s.len) == 0;
}

static bool slice_copy(char *ret, size_t room, struct slice s)
{
    if (s.len >= room || memchr(s.at, '\0', s.len))
        return false;
    memcpy(ret, s.at, s.len);
    ret[s.len] = '\0';
    return true;
}

static struct slice trimmed(struct slice s)
{
    while (s.len && isspace((unsigned char)s.at[0])) {
        s.at++;
        s.len--;
    }
    while (s.len && isspace((unsigned char)s.at[s.len - 1]))
        s.len--;
    return s;
}

/* The slice up to `mark`; the rest, behind the mark, stays in *from. */
static bool cut(struct slice *from, char mark, struct slice *ret)
{
    const char *end = from->len ? memchr(from->at, mark, from->len) : NULL;

    if (!end)
        return false;
    *ret = (struct slice){from->at, (size_t)(end - from->at)};
    from->len -= ret->len + 1;
    from->at = end + 1;
    return true;
}

static bool read_request_line(struct sim_http *ret, struct slice line)
{
    struct slice method, target, path;

    if (!cut(&line, ' ', &method) || !cut(&line, ' ', &target))
        return false;

    bool http_1_0 = slice_is(trimmed(line), "HTTP/1.0");

    if (!http_1_0 && !slice_is(trimmed(line), "HTTP/1.1"))
        return false;
    ret->keep_alive = !http_1_0;
    if (!cut(&target, '?', &path)) {
        path       = target;
        target.len = 0;
    }
    return slice_copy(ret->method, sizeof ret->method, method) &&
           slice_copy(ret->path, sizeof ret->path, path) &&
           slice_copy(ret->query, sizeof ret->query, target);
}

static bool read_length(struct slice value, size_t *ret)
{
    size_t length = 0;

    if (value.len == 0 || value.len > 15)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (!isdigit((unsigned char)value.at[i]))
            return false;
        length = length * 10 + (size_t)(value.at[i] - '0');
    }
    *ret = length;
    return true;
}

/* 0, or the status that refuses the request. */
static int read_header(struct sim_http *ret, struct slice line)
{
    struct slice name;

    if (!cut(&line, ':', &name))
        return 400;

    struct slice value = trimmed(line);

    if (slice_is(name, "content-length"))
        return read_length(value, &ret->body_len) ? 0 : 400;
    if (slice_is(name, "transfer-encoding"))
        return 411;
    if (slice_is(name, "connection")) {
        if (slice_is(value, "close"))
            ret->keep_alive = false;
        if (slice_is(value, "keep-alive"))
            ret->keep_alive = true;
    }
    if (slice_is(name, "expect") && slice_is(value, "100-continue"))
        ret->expects_continue = true;
    if (slice_is(name, "x_multion_api_key") && !slice_copy(ret->key, sizeof ret->key, value))
        return 431;
    return 0;
}

enum sim_http_state sim_http_read(struct sim_http *ret, const char *data, size_t len)
{
    const char *end = len ? memmem(data, len, "\r\n\r\n", 4) : NULL;

    *ret = (struct sim_http){0};
    if (!end)
        return len > SIM_HTTP_HEAD_MAX ? bad(ret, 431) : SIM_HTTP_MORE;

    size_t head_len   = (size_t)(end - data) + 4;
    struct slice head = {data, head_len - 2};
    struct slice line;

    if (head_len > SIM_HTTP_HEAD_MAX)
        return bad(ret, 431);
    if (!cut(&head, '\n', &line) || !read_request_line(ret, line))
        return bad(ret, 400);
    while (cut(&head, '\n', &line)) {
        int refused = read_header(ret, line);

        if (refused)
            return bad(ret, refused);
    }
    if (ret->body_len > SIM_HTTP_BODY_MAX)
        return bad(ret, 413);

    ret->body = data + head_len;
    ret->size = head_len + ret->body_len;
    return len < ret->size ? SIM_HTTP_MORE : SIM_HTTP_READY;
}

unsigned long long sim_http_query_number(const struct sim_http *http, const char *name,
                                         unsigned long long otherwise)
{
    size_t len = strlen(name);

    for (const char *p = http->query; p && *p; p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL)
        if (strncmp(p, name, len) == 0 && p[len] == '=')
            return strtoull(p + len + 1, NULL, 10);
    return otherwise;
}
