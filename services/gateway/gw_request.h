/*
 * gw_request - one request in hand: who asks, what, in which language; answered exactly once.
 *
 * JSON and protobuf on the same subjects: protobuf is turned into JSON at the door and the answer back
 * at the end, so that everything between knows JSON only.
 */
#ifndef GW_REQUEST_H
#define GW_REQUEST_H

#include "base/id.h"
#include "base/str.h"
#include "gw.h"
#include "json/json.h"
#include "problem/problem.h"

struct gw_request {
    struct gw *gw;
    struct bus_msg *msg;
    const char *endpoint;
    char tenant[STR_NAME_SIZE];
    bool protobuf;
    struct json *body; /* NULL: the payload was empty */
    uint64_t since_us;
};

/* Reads tenant and body.  message: the protobuf name of the request ("Submit").  REJECT: why; answer it.
   Takes *msg over in any case. */
MUST_USE struct err gw_request_read(struct gw_request *ret, struct gw *gw, struct bus_msg **msg,
                                    const char *endpoint, const char *message,
                                    struct problem *why);

/* Answers and frees; answer is taken over; message: its protobuf name ("SubmitAnswer"). */
void gw_request_answer(struct gw_request *r, struct json *answer, const char *message);
void gw_request_problem(struct gw_request *r, const struct problem *why);

/* The run a request names: {"run_id"}, {"key"}, or the bare id as the payload.  REJECT: why. */
MUST_USE struct err gw_request_run(const struct gw_request *r, char ret_run[ID_SIZE],
                                   struct problem *why);

/* Every field must be one of these (NULL-terminated); REJECT names the wrong one and the nearest. */
MUST_USE struct err gw_request_fields(const struct json *body, const char *const *allowed,
                                      struct problem *why);

/* "unavailable": nothing was done, or nobody knows. */
void gw_request_unavailable(struct problem *why, const char *detail);

#endif
