/*
 * svc_resource - what OTEL_RESOURCE_ATTRIBUTES says of this process: "k=v,k=v", values percent-encoded
 * (OpenTelemetry's resource SDK).  Pure.
 */
#ifndef SVC_SVC_RESOURCE_H
#define SVC_SVC_RESOURCE_H

#include <stdbool.h>

#include "base/buf.h"

/* NULL and an empty one name nothing. */
bool svc_resource_valid(const char *text);
/* As labels of a metric, k="v",k="v": a sign that no label may have becomes _, and of two keys that
   become the same label the first counts.  Of a valid text that names something. */
void svc_resource_labels(const char *text, struct buf *to);

#endif
