/*
 * shop_record - every request, as it was made: who judges a client by it need not believe the client.
 */
#ifndef SHOP_RECORD_H
#define SHOP_RECORD_H

#include <stdbool.h>

/* Without it nothing is kept.  False: the file cannot be written. */
bool shop_record_open(const char *path);

/* One line, before the answer: "GET public.example /cart".  A url may be whole, as a proxy is asked; host is the header's. */
void shop_record_note(const char *method, const char *host, const char *url);

#endif
