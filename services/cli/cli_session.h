/*
 * cli_session - `sluice session list|show`: the session table, without what opens a session.
 *
 * `endpoint` and `remote_id` are capabilities: whoever has them has the browser.  They stand in
 * the record and are never printed.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli.h"

cli_fn cli_session_list, cli_session_show;

#endif
