/*
 * shop_route - what the shop answers to a request.
 *
 *   GET  /…              a file of the folder; ?delay=MS waits that long first
 *   GET  /redirect?to=U  302 to U, whatever it is
 *   GET  /endless /endless.bin /huge /huge.bin
 *                        bodies without an end, and of 2 GB; as a page, and as a download
 *   POST /login          user and pass: ada and secret get a cookie and go to /account, others back to /login?wrong=1
 *   GET  /account        the page, for those with the cookie
 *   POST /order          key and sku: one more order of that key; goes to /thanks
 *   GET  /orders         all orders: a page for browsers, JSON for everybody else
 *   GET  /visits?of=PATH how often that path was asked for so far
 *
 * As a proxy it answers for every host: "GET http://any.example/cart" is "GET /cart".
 */
#ifndef SHOP_ROUTE_H
#define SHOP_ROUTE_H

#include <microhttpd.h>

struct shop_route {
    const char *root;       /* folder of the files */
    unsigned long delay_ms; /* before each answer */
};

/* For MHD_start_daemon; self is a struct shop_route. */
enum MHD_Result shop_route_on(void *self, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *body,
                              size_t *body_len, void **form);
void shop_route_over(void *self, struct MHD_Connection *connection, void **form,
                     enum MHD_RequestTerminationCode why);

#endif
