/* gateway - the door: clients in, answers out. */
#include "gw.h"

int main(int argc, char **argv)
{
    static struct gw_config config;
    const struct svc_about about = {
        .name    = "sluice-gateway",
        .summary = "validates, journals and enqueues runs; answers what became of them",
        .keys    = gw_config_keys,
        .config  = &config};

    struct svc *svc =
        svc_new(&about, argc, argv); /* configuration, log, loop, bus; or one line and exit */
    struct gw *gw = gw_new(svc, &config);

    svc_on_ready(svc, gw_ready, gw);
    int status = svc_run(svc);

    gw_stop(gw);
    svc_free(&svc);
    gw_free(&gw);
    return status;
}
