#include "cli_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* The port that could be bound; 0: none. */
static uint16_t try_bind(uint16_t port)
{
    struct sockaddr_in at = {.sin_family      = AF_INET,
                             .sin_port        = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size        = sizeof(at);
    int one               = 1;
    int fd                = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t bound        = 0;

    if (fd < 0)
        return 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)); /* as those who will listen */
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1) == 0 &&
        getsockname(fd, (struct sockaddr *)&at, &size) == 0)
        bound = ntohs(at.sin_port);
    close(fd);
    return bound;
}

bool cli_port_free(uint16_t port)
{
    return port != 0 && try_bind(port) == port;
}

uint16_t cli_port_find(void)
{
    return try_bind(0);
}
