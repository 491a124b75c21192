/*
 * sim_client - starts an agent_sim as a child, steers it, reads its record.
 *
 * For tests; blocking, one thread at a time per client.  Self-contained: libc,
 * jansson and libcurl, none of the project's headers.
 */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sim_client;
struct sim_judge;

struct sim_client_start {
    const char *program; /* NULL: agent_sim in $SLUICE_TEST_BIN             */
    const char *config;  /* JSON text, NULL: the defaults                   */
    const char *record;  /* file to append events to, NULL: none            */
    int port;            /* 0: a free one                                   */
};

/* Returns when the simulator is ready; NULL if it does not get so, which stderr explains.  The
   child dies with the thread that started it. */
struct sim_client *sim_client_start(const struct sim_client_start *how);

/* A simulator that somebody else started, at http://127.0.0.1:PORT. */
struct sim_client *sim_client_attach(int port);

/* SIGTERM, and SIGKILL if that does not help; waits for the end.  An attached one is only let
   go.  false: it did not end with 0 (a sanitizer found something); stderr says so. */
bool sim_client_stop(struct sim_client **slot);

/* kill -9 and wait: what was recorded stays in the record file. */
void sim_client_kill(struct sim_client **slot);

pid_t sim_client_pid(const struct sim_client *c); /* 0: attached          */
int sim_client_port(const struct sim_client *c);
const char *sim_client_url(const struct sim_client *c); /* of the API: …/v1/web */

/* JSON texts as in README.md; false: refused, stderr says why. */
bool sim_client_configure(struct sim_client *c, const char *json);
bool sim_client_fault(struct sim_client *c, const char *json);
bool sim_client_reset(struct sim_client *c);

/* Any door of the control API; the body may be NULL.  New reference, NULL if it failed. */
json_t *sim_client_call(struct sim_client *c, const char *method, const char *path,
                        const char *json);

/* GET /_sim/record, a new reference. */
json_t *sim_client_record(struct sim_client *c);

/* A number inside such a record: "in_flight.max"; -1 if there is none. */
int64_t sim_client_number(const json_t *record, const char *path);

/* Waits until a number of GET /_sim/now (in_flight, sessions, calls) is at least (or, with
   at_most, at most) so much; false: the time is over. */
bool sim_client_wait_at_least(struct sim_client *c, const char *name, int64_t wanted,
                              int timeout_ms);
bool sim_client_wait_at_most(struct sim_client *c, const char *name, int64_t wanted,
                             int timeout_ms);

/* A judge that has been told all events since the last reset; the caller frees it. */
struct sim_judge *sim_client_judge(struct sim_client *c);

/* The same from a record file, also of several simulators one after the other. */
struct sim_judge *sim_client_judge_file(const char *path);

#endif
