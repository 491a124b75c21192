#include "agent_sim/sim_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent_sim/sim_base.h"

enum { ASK_TIMEOUT_MS = 10000, READ_SIZE = 64 * 1024 };

int sim_probe_connect(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd                = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        sim_base_die("probe", strerror(errno));
    return fd;
}

void sim_probe_send(int fd, const char *method, const char *path, const char *json)
{
    size_t body_len = json ? strlen(json) : 0;
    size_t room     = body_len + strlen(path) + 256;
    char *request   = sim_base_zero(room);
    int len         = snprintf(request, room,
                               "%s %s HTTP/1.1\r\nHost: sim\r\nX_MULTION_API_KEY: probe\r\n"
                                       "Content-Type: application/json\r\n"
                                       "Content-Length: %zu\r\n\r\n%s",
                               method, path, body_len, json ? json : "");

    for (int sent = 0; sent < len;) {
        ssize_t put = send(fd, request + sent, (size_t)(len - sent), MSG_NOSIGNAL);

        if (put < 0)
            break; /* what became of the connection is seen when it is read */
        sent += (int)put;
    }
    sim_base_free(request);
}

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void find_body(struct sim_probe_reply *r)
{
    char *end = r->text ? strstr(r->text, "\r\n\r\n") : NULL;
    char length[128];

    r->body = "";
    if (!end)
        return;
    r->status        = (int)strtol(r->text + strlen("HTTP/1.1 "), NULL, 10);
    r->body          = end + 4;
    r->body_len      = r->len - (size_t)(r->body - r->text);
    r->body_promised = sim_probe_header(r, "Content-Length", length)
                           ? (size_t)strtoull(length, NULL, 10)
                           : SIZE_MAX;
}

static bool whole(struct sim_probe_reply *r)
{
    find_body(r);
    return r->status && r->body_len >= r->body_promised;
}

struct sim_probe_reply sim_probe_read(int fd, int timeout_ms, size_t len_max)
{
    struct sim_probe_reply r = {.end = SIM_PROBE_TIMEOUT};
    long long until          = now_ms() + timeout_ms;

    while (!len_max || r.len < len_max) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        long long left     = until - now_ms();

        if (left <= 0 || poll(&wait, 1, (int)left) <= 0)
            break;
        r.text      = sim_base_resize(r.text, r.len + READ_SIZE + 1);
        ssize_t got = recv(fd, r.text + r.len, READ_SIZE, 0);

        if (got <= 0) {
            r.end         = got == 0 ? SIM_PROBE_CLOSED : SIM_PROBE_RESET;
            r.text[r.len] = '\0';
            break;
        }
        r.len += (size_t)got;
        r.text[r.len] = '\0';
        if (whole(&r)) {
            r.end = SIM_PROBE_WHOLE;
            break;
        }
    }
    find_body(&r);
    return r;
}

struct sim_probe_reply sim_probe_ask(int port, const char *method, const char *path,
                                     const char *json)
{
    int fd = sim_probe_connect(port);

    sim_probe_send(fd, method, path, json);

    struct sim_probe_reply reply = sim_probe_read(fd, ASK_TIMEOUT_MS, 0);

    (void)close(fd);
    return reply;
}

int sim_probe_status(int port, const char *method, const char *path, const char *json)
{
    struct sim_probe_reply reply = sim_probe_ask(port, method, path, json);
    int status                   = reply.end == SIM_PROBE_WHOLE ? reply.status : 0;

    sim_probe_deinit(&reply);
    return status;
}

char *sim_probe_open(int port, const char *url)
{
    char body[512];

    (void)snprintf(body, sizeof body, "{\"url\":\"%s\"}", url);

    struct sim_probe_reply reply = sim_probe_ask(port, "POST", "/v1/web/session", body);
    json_t *answer               = sim_probe_json(&reply);
    char *id = sim_base_text(json_string_value(json_object_get(answer, "session_id")));

    json_decref(answer);
    sim_probe_deinit(&reply);
    return id;
}

void sim_probe_path(char *ret, const char *door, const char *session)
{
    (void)snprintf(ret, 160, "/v1/web/%s/%s", door, session);
}

bool sim_probe_header(const struct sim_probe_reply *reply, const char *name, char ret[128])
{
    size_t len       = strlen(name);
    const char *line = reply->text;

    while (line && (line = strstr(line, "\r\n")) && strncmp(line, "\r\n\r\n", 4) != 0) {
        line += 2;
        if (strncasecmp(line, name, len) != 0 || line[len] != ':')
            continue;
        line += len + 1;
        line += strspn(line, " ");

        size_t value = strcspn(line, "\r");

        sim_base_copy(ret, value < 127 ? value + 1 : 128, line);
        return true;
    }
    return false;
}

json_t *sim_probe_json(const struct sim_probe_reply *reply)
{
    return json_loadb(reply->body, reply->body_len, JSON_DECODE_ANY, NULL);
}

void sim_probe_deinit(struct sim_probe_reply *reply)
{
    sim_base_free(reply->text);
    *reply = (struct sim_probe_reply){0};
}
