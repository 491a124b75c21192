#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shop_server/shop_record.h"
#include "shop_server/shop_route.h"

/*
 * shop_server - a web shop on loopback: the pages of tests/support/shop, and what pages alone cannot do (shop_route.h).
 */

static const char USAGE[] =
    "shop_server [--port N] [--root FOLDER] [--delay MS] [--record FILE]\n"
    "  a web shop on 127.0.0.1; --delay is waited before each answer, --record gets a "
    "line for each request\n";

struct options {
    unsigned long port;
    struct shop_route shop;
};

static void __attribute__((noreturn)) usage(FILE *to, int status)
{
    fputs(USAGE, to);
    exit(status);
}

static struct options read_options(int argc, char **argv)
{
    static const struct option LONG[] = {
        {"port", required_argument, NULL, 'p'},  {"root", required_argument, NULL, 'r'},
        {"delay", required_argument, NULL, 'd'}, {"record", required_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
    };
    struct options options = {.shop.root = "tests/support/shop"};
    int option             = 0;

    while ((option = getopt_long(argc, argv, "", LONG, NULL)) != -1) {
        if (option == 'p')
            options.port = strtoul(optarg, NULL, 10);
        else if (option == 'r')
            options.shop.root = optarg;
        else if (option == 'd')
            options.shop.delay_ms = strtoul(optarg, NULL, 10);
        else if (option != 'w' || !shop_record_open(optarg))
            usage(option == 'h' ? stdout : stderr, option == 'h' ? 0 : 2);
    }
    if (optind < argc || options.port > 65535)
        usage(stderr, 2);
    return options;
}

static struct MHD_Daemon *serve(struct options *options)
{
    struct sockaddr_in at = {.sin_family      = AF_INET,
                             .sin_port        = htons((uint16_t)options->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0,
                            NULL, NULL, shop_route_on, &options->shop, MHD_OPTION_SOCK_ADDR,
                            (struct sockaddr *)&at, MHD_OPTION_NOTIFY_COMPLETED,
                            shop_route_over, NULL, MHD_OPTION_END);
}

int main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    sigset_t ends;
    int which;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* before any thread is there: they inherit it */
    signal(SIGPIPE, SIG_IGN);

    struct MHD_Daemon *daemon = serve(&options);
    if (!daemon) {
        fprintf(stderr, "shop_server: cannot listen on 127.0.0.1:%lu\n", options.port);
        return 1;
    }
    printf("shop listening on http://127.0.0.1:%u\n",
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);

    sigwait(&ends, &which);
    _exit(0); /* to stop the daemon would be to wait for the endless answers */
}
