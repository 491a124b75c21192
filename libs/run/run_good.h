/*
 * run_good - the last good value of each key of a bucket, as it was written: what holds while the bucket holds a
 * broken one, and what an operator's patch goes into then.  Pure.
 */
#ifndef RUN_RUN_GOOD_H
#define RUN_RUN_GOOD_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "json/json.h"
#include "problem/problem.h"

struct run_good;

struct run_good *run_good_new(void);
void run_good_free(struct run_good **good);

/* What a follower of the bucket hears: a value that was checked, or that there is none any more. */
void run_good_put(struct run_good *good, const char *key, struct bytes value);
void run_good_remove(struct run_good *good, const char *key);

/* Would this value do?  REJECT: why says what is wrong. */
typedef struct err run_good_check_fn(void *self, const struct json *value, struct problem *why);

struct run_good_change {
    const char *key;
    const struct bytes *stored; /* what the bucket holds; NULL: nothing */
    bool heard;                 /* all that was stored up to this was put and removed above */
    const struct json *patch;   /* RFC 7396 */
    run_good_check_fn *check;
    void *self;
};

/* What a patch makes of a value. */
struct run_good_changed {
    struct json *value;
    bool anew;             /* no good value was below it: it is as if there had been none */
    bool mended;           /* but what is stored was, and the patch made it good */
    struct problem broken; /* what is wrong with what is stored; code NONE: nothing */
};

/* The patch goes into what is stored if that is good, else into the last good value.  Where there was none it may mend
   what is stored, or be a whole value by itself.  REJECT: no good value comes of it, and why says what is wrong.  RETRY:
   what is stored is broken, and what was good before may not be known yet. */
MUST_USE struct err run_good_patch(const struct run_good *good,
                                   const struct run_good_change *change,
                                   struct run_good_changed *ret, struct problem *why);

#endif
