/*
 * bw_agent - the driver of HTTP agent APIs: one synchronous request a step, by the upstream's
 * profile.
 *
 * A step is one request, but for a command that the agent asks to go on with (then the same
 * again, in the same session, bounded) and a screenshot (its address, then the picture, which
 * is fetched without the key). Nothing is repeated in here, whatever becomes of a request.
 *
 * How the API is spoken is bw_profile, what an answer means bw_agent_judge and bw_agent_read.
 */
#ifndef BW_AGENT_H
#define BW_AGENT_H

#include "bw_driver.h" /* declares bw_agent */

#endif
