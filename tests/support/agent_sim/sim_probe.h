/*
 * sim_probe - a client that shows how the bytes come: on a bare socket, one
 * request, and then what was answered and how it ended.
 *
 * For the simulator's own tests, and for whoever wants to see an upstream
 * without an HTTP library in between.  Blocking, with a deadline.
 */
#ifndef SIM_PROBE_H
#define SIM_PROBE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum sim_probe_end {
    SIM_PROBE_WHOLE,   /* as many bytes as Content-Length promised */
    SIM_PROBE_CLOSED,  /* FIN before that                          */
    SIM_PROBE_RESET,   /* RST before that                          */
    SIM_PROBE_TIMEOUT, /* the deadline, or more than was asked for */
};

struct sim_probe_reply {
    enum sim_probe_end end;
    int status; /* 0: no head came */
    char *text; /* all that came, ended by a NUL */
    size_t len;
    const char *body; /* lent by text; "" if there is none */
    size_t body_len;
    size_t body_promised;
};

/* A connected socket; dies if there is nobody. */
int sim_probe_connect(int port);

/* Sends one request with the header X_MULTION_API_KEY: probe; json may be NULL. */
void sim_probe_send(int fd, const char *method, const char *path, const char *json);

/* Reads one answer.  `len_max` bytes at most, 0 = any. */
struct sim_probe_reply sim_probe_read(int fd, int timeout_ms, size_t len_max);

/* The three above and close, 10 s. */
struct sim_probe_reply sim_probe_ask(int port, const char *method, const char *path,
                                     const char *json);

/* The status alone, 0 if no whole answer came. */
int sim_probe_status(int port, const char *method, const char *path, const char *json);

/* Opens a session (POST /v1/web/session); the caller frees the id.  NULL: it was refused. */
char *sim_probe_open(int port, const char *url);

/* The same for a path below a session: "/v1/web/session/<id>"; ret has room for 160. */
void sim_probe_path(char *ret, const char *door, const char *session);

/* The value of a header, trimmed; false: it is not there. */
bool sim_probe_header(const struct sim_probe_reply *reply, const char *name, char ret[128]);

/* The body, parsed; NULL if it is no JSON.  A new reference. */
json_t *sim_probe_json(const struct sim_probe_reply *reply);

void sim_probe_deinit(struct sim_probe_reply *reply);

#endif
