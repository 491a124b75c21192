/*
 * sim_rig - an agent_sim as a child, steered and read through its control API
 * (tests/support/agent_sim/README.md).
 */
#ifndef TESTS_SIM_RIG_H
#define TESTS_SIM_RIG_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"

struct sim_rig {
    pid_t pid;
    unsigned port;
    char url[64]; /* of the API */
};

static inline void sim_rig_start(struct sim_rig *sim, const char *config)
{
    const char *folder = getenv("SLUICE_TEST_BIN");
    char program[512], line[256];
    int out[2];

    str_format(program, sizeof program, "%s/agent_sim",
               folder ? folder : "build/debug/tests/bin");
    assert_int_equal(pipe(out), 0);
    sim->pid = fork();
    if (sim->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], 1);
        close(out[0]);
        execl(program, "agent_sim", "--port", "0", "--config", config, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *from = fdopen(out[0], "r");
    if (!fgets(line, sizeof line, from) ||
        sscanf(line, "agent_sim listening on http://127.0.0.1:%u", &sim->port) != 1)
        fail_msg("%s did not start", program);
    fclose(from);
    str_format(sim->url, sizeof sim->url, "http://127.0.0.1:%u/v1/web", sim->port);
}

static inline void sim_rig_end(struct sim_rig *sim)
{
    kill(sim->pid, SIGKILL);
    waitpid(sim->pid, NULL, 0);
}

/* The body of the answer, a new value; NULL: none that is JSON. */
static inline struct json *sim_rig_call(const struct sim_rig *sim, const char *method,
                                        const char *path, const char *body)
{
    struct sockaddr_in at = {.sin_family      = AF_INET,
                             .sin_port        = htons((uint16_t)sim->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct json *doc      = NULL;
    char why[JSON_WHY_SIZE], piece[4096];
    struct buf text;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    buf_init(&text, 16 << 20);
    buf_printf(
        &text,
        "%s %s HTTP/1.1\r\nHost: sim\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
        method, path, strlen(body), body);
    assert_int_equal(write(fd, text.at, text.len), (ssize_t)text.len);
    buf_clear(&text);
    for (ssize_t n; (n = read(fd, piece, sizeof piece)) > 0;)
        buf_add(&text, piece, (size_t)n);
    close(fd);
    if (strncmp(text.at, "HTTP/1.1 2", 10) != 0)
        fail_msg("%s %s %s: %s", method, path, body, text.at);
    const char *begin = strstr(text.at, "\r\n\r\n");
    if (begin && failed(json_parse(&doc, bytes_str(begin + 4), why, sizeof why)))
        doc = NULL;
    buf_deinit(&text);
    return doc;
}

static inline void sim_rig_say(const struct sim_rig *sim, const char *method, const char *path,
                               const char *body)
{
    struct json *answer = sim_rig_call(sim, method, path, body);

    json_free(&answer);
}

/* A number of the record: "calls" "browse" "arrived"; the last may be NULL. */
static inline int64_t sim_rig_number(const struct sim_rig *sim, const char *a, const char *b,
                                     const char *c)
{
    struct json *record   = sim_rig_call(sim, "GET", "/_sim/record", "");
    const struct json *at = json_get(json_get(record, a), b);
    int64_t n             = json_int(c ? json_get(at, c) : at);

    json_free(&record);
    return n;
}

#endif
