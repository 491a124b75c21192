/* browser-worker - runs jobs in browsers and against agent APIs, and cleans up. */
#include "bw.h"

int main(int argc, char **argv)
{
    static struct bw_config config;
    const struct svc_about about = {
        .name    = "sluice-browser-worker",
        .summary = "does the steps of runs: in browsers, at agent APIs, by your own services",
        .keys    = bw_config_keys,
        .config  = &config,
        .check   = bw_config_check};

    struct svc *svc =
        svc_new(&about, argc, argv); /* configuration, log, loop, bus; or one line and exit */
    struct bw *bw = bw_new(svc, &config);

    svc_on_ready(svc, bw_ready, bw);
    svc_tick(svc, bw_tick, bw);
    svc_on_drain(svc, bw_drain_begin, bw_drained, bw);
    int status = svc_run(svc);

    bw_stop(bw);
    svc_free(&svc);
    bw_free(&bw);
    return status;
}
