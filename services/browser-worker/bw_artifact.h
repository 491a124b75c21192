/*
 * bw_artifact - screenshots, large rows and large results go to the object store sluice_artifacts.
 *
 * Named <tenant>/<run>/<n>-<name>; the journal holds the name only.
 */
#ifndef BW_ARTIFACT_H
#define BW_ARTIFACT_H

#include "bw_run.h"

/* Copies what a driver lends, until bw_artifact_store. */
void bw_artifact_keep(struct bw_run *run, const struct bw_shot *shots, size_t count);

/* Stores what was kept, and rows above 64 KiB; names them in the outcome; then. */
void bw_artifact_store(struct bw_run *run, bw_then_fn *then);

/* A result above 256 KiB: stored, and the END that is being made names it; then. */
void bw_artifact_result(struct bw_run *run, struct bytes text, bw_then_fn *then);

#endif
