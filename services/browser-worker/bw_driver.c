#include "bw_driver.h"

#include "base/str.h"

const struct bw_driver *bw_driver_find(const char *name)
{
    static const struct bw_driver *const DRIVERS[] = {&bw_agent, &bw_webdriver};

    for (size_t i = 0; i < sizeof DRIVERS / sizeof *DRIVERS; i++)
        if (str_equal(DRIVERS[i]->name, name))
            return DRIVERS[i];
    return NULL;
}
