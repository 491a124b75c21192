/*
 * sim_latency - how long things take: seeded chance and its distributions.
 *
 * Pure.  The same seed and the same order of draws give the same times.
 */
#ifndef SIM_LATENCY_H
#define SIM_LATENCY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct sim_latency_random {
    uint64_t state;
};

struct sim_latency_random sim_latency_seed(uint64_t seed);
uint64_t sim_latency_bits(struct sim_latency_random *r);

/* At least 0, less than 1. */
double sim_latency_chance(struct sim_latency_random *r);

enum sim_latency_shape {
    SIM_LATENCY_UNIFORM,     /* between min and max                            */
    SIM_LATENCY_EXPONENTIAL, /* around mean, cut at min and max: a long tail   */
};

struct sim_latency {
    enum sim_latency_shape shape;
    double min_ms;
    double max_ms;
    double mean_ms;
};

/* 800, {"min":20,"max":60} or {"mean":200,"min":50,"max":5000}; false: none of these. */
bool sim_latency_read(struct sim_latency *ret, const json_t *from);

double sim_latency_draw(const struct sim_latency *l, struct sim_latency_random *r);

#endif
