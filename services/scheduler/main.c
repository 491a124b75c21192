/* sluice-scheduler - decides which run goes next, and looks after all that wait. */
#include "sch.h"
#include "sch_config.h"
#include "sch_on.h"
#include "svc/svc.h"

int main(int argc, char **argv)
{
    struct sch_config config     = {0};
    const struct svc_about about = {
        .name    = "sluice-scheduler",
        .summary = "decides which run goes next: fairly, within caps, and no faster than the "
                   "workers take them",
        .keys    = sch_config_keys,
        .config  = &config,
        .check   = sch_config_check,
    };

    struct svc *svc = svc_new(&about, argc, argv);
    struct sch *sch = sch_new(svc, &config);

    svc_serve(svc, sch_on_routes, sch); /* what I answer                */
    svc_tick(svc, sch_tick, sch);       /* what I do by myself          */
    int status = svc_run(svc);          /* until drained                */

    sch_free(&sch);
    svc_free(&svc);
    return status;
}
