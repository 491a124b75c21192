/*
 * cli_port - whether a TCP port of the loopback is free, and one that is.
 */
#ifndef CLI_PORT_H
#define CLI_PORT_H

#include <stdbool.h>
#include <stdint.h>

bool cli_port_free(uint16_t port);

/* 0 if there is none.  Nobody keeps it: it should be taken soon. */
uint16_t cli_port_find(void);

#endif
