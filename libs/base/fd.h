/*
 * fd - the descriptors 0, 1 and 2 belong to somebody, whatever our parent left us.
 *
 * Else the next file that is opened becomes one of them: what is meant for stderr is written into it,
 * and libuv, which never closes these three, aborts when it should.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

/* The first thing that a program does: which of the three is closed becomes /dev/null. */
void fd_take_standard(void);

#endif
