/*
 * wire_name - what a decoded string may be before it goes into a subject or a key.  Of this room only.
 * Pure:
 */
#ifndef WIRE_NAME_H
#define WIRE_NAME_H

#include <stdbool.h>

/* NULL counts as empty. */
bool wire_name_or_empty(const char *s);
bool wire_id_or_empty(const char *s);
bool wire_lane_or_empty(const char *s);
bool wire_flow_or_empty(const char *s); /* "name" or "name@3" */

#endif
