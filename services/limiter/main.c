/* sluice-limiter - says when, so that nobody asks too much of an upstream. */
#include "lim.h"
#include "lim_config.h"
#include "svc/svc.h"

int main(int argc, char **argv)
{
    struct lim_config config     = {0};
    const struct svc_about about = {
        .name    = "sluice-limiter",
        .summary = "lets calls and sessions through to upstreams within their limits",
        .keys    = lim_config_keys,
        .config  = &config,
        .check   = lim_config_check,
    };

    struct svc *svc = svc_new(&about, argc, argv);
    struct lim *lim = lim_new(svc, &config);

    svc_serve(svc, lim_on, lim);  /* what I answer       */
    svc_tick(svc, lim_tick, lim); /* what I do by myself */
    int status = svc_run(svc);    /* until drained       */

    lim_stop(lim);
    svc_free(&svc);
    lim_free(&lim);
    return status;
}
