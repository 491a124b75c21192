/*
 * sim_words - the magic words in a command or a URL, by which a test tells one
 * call how to go: "buy it sim:order=K1 sim:tenant=acme sim:latency=800".
 *
 * Pure.  A word is sim:NAME=VALUE; it begins at the start of the text or
 * behind white space or one of & ? # ; , and ends at white space or one of
 * & # ; and the end.  README.md lists the names.  A word that is not one of
 * them is an error: a test with a typing mistake must not pass.
 */
#ifndef SIM_WORDS_H
#define SIM_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_sim/sim_plan.h"

enum { SIM_WORDS_LABEL_MAX = 128 };

struct sim_words {
    char order[SIM_WORDS_LABEL_MAX];
    char tenant[SIM_WORDS_LABEL_MAX];
    char statuses[256]; /* CONTINUE*2,DONE */
    char message[256];
    double latency_min_ms; /* < 0: not said */
    double latency_max_ms;
    long rows; /* < 0: not said */
    bool faulty;
    uint32_t fault_times; /* the first n calls with this text; 0 = each */
    struct sim_plan fault;
};

struct sim_words sim_words_none(void);

/* Adds the words of `text` to *words.  false: `ret_wrong` (lent by text) begins the wrong
   word. */
bool sim_words_read(struct sim_words *words, const char *text, const char **ret_wrong);

/* The status for the n-th call (from 0) of a sequence like "CONTINUE*2,DONE"; the last one
   holds for ever.  '+' stands for a space, and NOT_SURE for what is spelt with one. */
void sim_words_status(char *ret, size_t room, const char *statuses, uint64_t n);

#endif
