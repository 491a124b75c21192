/*
 * sim_record - writes down each event the moment it happens.
 *
 * Every event becomes one line, written to the file before the caller goes on
 * (so before any byte of an answer leaves): a kill -9 loses nothing that a
 * client has seen.  Memory keeps only where the lines begin, and the judge.
 */
#ifndef SIM_RECORD_H
#define SIM_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent_sim/sim_buf.h"
#include "agent_sim/sim_event.h"

struct sim_judge;

struct sim_record {
    int fd;
    off_t end;
    off_t *begins; /* begins[i]: where the line of event first + i begins */
    size_t count;
    size_t room;
    uint64_t first; /* number of the first event since the last reset */
    struct sim_judge *judge;
};

/* Appends to the file at `path`; NULL: to one without a name.  Dies if it cannot. */
void sim_record_init(struct sim_record *record, const char *path);
void sim_record_deinit(struct sim_record *record);

/* Numbers and stamps the event (ns and wall_ms only where they are 0), writes it, tells the
   judge. */
void sim_record_put(struct sim_record *record, struct sim_event *event);

/* Appends at most `limit` lines from event number `from` on; returns the number to go on
   with. */
uint64_t sim_record_lines(const struct sim_record *record, uint64_t from, size_t limit,
                          struct sim_buf *ret);

#endif
