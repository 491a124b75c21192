#include "bw.h"
#include "bw_place.h"
#include "http/http_guard.h"

#define FIELD(name) CONFIG_FIELD(struct bw_config, name)

const struct config_key bw_config_keys[] = {
    {"SLUICE_POOL", CONFIG_STRING, FIELD(pool), "default", NULL, NULL,
     "pool whose runs this worker takes"},
    {"SLUICE_SLOTS", CONFIG_UINT, FIELD(slots), "500", "1", "10000",
     "runs at once: 500 for agents, the number of browsers for webdriver"},
    {"SLUICE_SHARDS", CONFIG_UINT, FIELD(shards), "1", "1", "1024",
     "into how many parts tenants are divided; the same for all services"},
    {"SLUICE_WEBDRIVER", CONFIG_STRING, FIELD(webdriver), "dns+http://browser:9515", NULL, NULL,
     "where upstreams without a url have their browsers: http://HOST:PORT, or "
     "dns+http://NAME:PORT for each address of NAME"},
    {"SLUICE_SESSIONS_PER_BROWSER", CONFIG_UINT, FIELD(sessions_per_browser), "4", "1", "1000",
     "sessions at each address of SLUICE_WEBDRIVER"},
    {"SLUICE_RESPONSE_MAX", CONFIG_SIZE, FIELD(response_max), "16MiB", "64KiB", "256MiB",
     "largest answer of an upstream; a larger one fails the step"},
    {"SLUICE_PAGE_MAX", CONFIG_SIZE, FIELD(page_max), "32MiB", "64KiB", "512MiB",
     "largest page or screenshot read from a browser"},
    {"SLUICE_EGRESS_PROXY", CONFIG_STRING, FIELD(egress_proxy), NULL, NULL, NULL,
     "HTTP proxy for everything that is called"},
    {"SLUICE_DENY_NETS", CONFIG_STRING, FIELD(deny_nets), NULL, NULL, NULL,
     "nets that may never be called: 10.0.0.0/8,fd00::/8"},
    {"SLUICE_EVAL_MS", CONFIG_UINT, FIELD(eval_ms), "100", "10", "10000",
     "longest evaluation of an expression, in milliseconds"},
    {"SLUICE_REAP", CONFIG_DURATION, FIELD(reap_ms), "60s", "1s", "1h",
     "how often sessions are compared with what the upstream lists"},
    {"SLUICE_DELIVERIES", CONFIG_UINT, FIELD(deliveries), "20", "1", "1000",
     "lost workers that end a run as worker_lost"},
    {0},
};

struct err bw_config_check(void *config, char *why, unsigned long why_size)
{
    const struct bw_config *c = config;
    struct bw_place_name name;
    char wrong[256];

    if (!str_is_name(c->pool)) {
        str_format(why, why_size,
                   "SLUICE_POOL \"%.70s\" is not a name: 1 to 64 of A-Z a-z 0-9 _ -", c->pool);
        return err_of(ERR_REJECT, "check configuration");
    }
    if (failed(bw_place_read(&name, c->webdriver, wrong, sizeof wrong))) {
        str_format(why, why_size, "SLUICE_WEBDRIVER: %s", wrong);
        return err_of(ERR_REJECT, "check configuration");
    }
    return c->deny_nets ? http_guard_deny(c->deny_nets, why, why_size) : OK;
}
