#include "gw.h"

#define FIELD(name) CONFIG_FIELD(struct gw_config, name)

const struct config_key gw_config_keys[] = {
    {"SLUICE_INPUT_MAX", CONFIG_SIZE, FIELD(input_max), "256KiB", "1KiB", "512KiB",
     "largest input of a run"},
    {"SLUICE_BODY_MAX", CONFIG_SIZE, FIELD(body_max), "1MiB", "4KiB", "8MiB",
     "largest request"},
    {"SLUICE_WAIT_MAX", CONFIG_DURATION, FIELD(wait_max_ms), "55s", "1s", "10m",
     "longest wait for a run's end"},
    {"SLUICE_SHARDS", CONFIG_UINT, FIELD(shards), "1", "1", "1024",
     "into how many parts tenants are divided; the same for all services"},
    {0},
};
