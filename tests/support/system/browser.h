/*
 * browser - a real chromedriver beside the services of a world, in a container of its own, and the shop its browsers visit.
 *
 * What is open is asked of chromedriver, what was ordered and visited of the shop: nothing is ever asked of Sluice.  All HTTP
 * of the browsers but that to loopback goes to the shop, as a proxy.
 */
#ifndef SUPPORT_SYSTEM_BROWSER_H
#define SUPPORT_SYSTEM_BROWSER_H

#include <stddef.h>
#include <sys/types.h>

struct proc;
struct world;

struct browser {
    struct world *world;
    struct proc *container, *shop;
    unsigned port, shop_port;
};

/* nats-server, and then gateway, scheduler, limiter (both decide) and so many workers that reap each second; the tenant dev
   may go to loopback, acme may not. */
struct world *browser_world(void **state, const char *name, unsigned workers);

/* Both processes are the world's. */
struct browser *browser_start(struct world *w);
void browser_free(struct browser **slot);

/* The upstream "chrome" with these fields, {"driver":"webdriver"} among them; the door and the limiter know it when it
   returns.  In fields, CHROME is where chromedriver is, and SHOP where the shop is in what is submitted. */
void browser_put(struct browser *b, const char *fields);
void browser_submit(struct browser *b, const char *tenant, const char *body, char ret_run[27]);

/* Sessions as chromedriver lists them; -1: it does not answer. */
int browser_sessions(struct browser *b);
/* Processes of browsers that run now. */
unsigned browser_processes(struct browser *b);
/* kill -9 of chromedriver; its container starts another. */
void browser_kill(struct browser *b);

/* How often the shop was asked for a path; how often a key was ordered. */
unsigned browser_visits(struct browser *b, const char *path);
unsigned browser_orders(struct browser *b, const char *key);

#endif
