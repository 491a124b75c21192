/*
 * cli_guard - between `sluice dev` and a program whose own children may outlive it (chromedriver).
 *
 * A process that has one child, adopts what the child leaves behind, and ends with all of it:
 * when the child ends, when it is told to, or when `sluice dev` dies, however.
 */
#ifndef CLI_GUARD_H
#define CLI_GUARD_H

#define CLI_GUARD_WORD "--guard" /* sluice --guard PATH [ARGUMENT...]; in no help */

/* argv: the program's path and its arguments.  Returns the exit status. */
int cli_guard(char **argv);

#endif
