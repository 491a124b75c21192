/*
 * must - "this cannot be false, or we have a bug"; die - "this process cannot even start".
 *
 * must() is always compiled in: it logs and aborts.  A test may define its own
 * must_fail (a weak symbol) to see a broken promise without dying.
 */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#define must(x) ((x) ? (void)0 : must_fail(#x, __FILE__, __LINE__))

void must_fail(const char *what, const char *file, int line);

/* One line on stderr, exit with `status` (1: cannot run, 2: configuration).  Only in main,
   config, svc_new. */
void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

#endif
