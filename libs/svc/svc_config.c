#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "httpd/httpd.h"
#include "svc/svc_internal.h"
#include "svc/svc_resource.h"

#define FIELD(field) CONFIG_FIELD(struct svc_config, field)

const struct config_key svc_config_keys[] = {
    {"NATS_URL", CONFIG_STRING, FIELD(nats_url), "nats://127.0.0.1:4222", NULL, NULL,
     "where NATS is; several addresses with commas between"},
    {"NATS_CREDS", CONFIG_STRING, FIELD(nats_creds), NULL, NULL, NULL,
     "a credentials file for NATS (JWT and seed)"},
    {"NATS_USER_FILE", CONFIG_STRING, FIELD(nats_user_file), NULL, NULL, NULL,
     "a file with user:password for NATS in its first line"},
    {"NATS_CA", CONFIG_STRING, FIELD(nats_ca), NULL, NULL, NULL,
     "a PEM file with the certificate authority of NATS, for tls:// addresses"},
    {"LOG_LEVEL", CONFIG_CHOICE, FIELD(log_level), "info", "debug|info|warn|error", NULL,
     "the least important line that is written"},
    {"LOG_FORMAT", CONFIG_CHOICE, FIELD(log_format), "logfmt", "logfmt|json", NULL,
     "how a line is written"},
    {"SLUICE_HTTP", CONFIG_STRING, FIELD(http), SVC_HTTP_DEFAULT, NULL, NULL,
     "host:port of /livez, /readyz and /metrics; off: none"},
    {"SLUICE_STREAMS", CONFIG_CHOICE, FIELD(streams), "self", "self|verify|none", NULL,
     "who makes the streams: self makes what is missing, verify waits for them, none trusts"},
    {"SLUICE_REPLICAS", CONFIG_UINT, FIELD(replicas), "1", "1", "5",
     "copies of each stream that is made, on as many servers"},
    {"SLUICE_RETENTION", CONFIG_DURATION, FIELD(retention_ms), "7d", "1h", "365d",
     "how long journals, results, alerts and dead letters are kept"},
    {"SLUICE_DRAIN", CONFIG_DURATION, FIELD(drain_ms), "25s", "1s", "1h",
     "how long the first SIGTERM may take to finish what is in hand"},
    {"SLUICE_CELL", CONFIG_STRING, FIELD(cell), "local", NULL, NULL,
     "the name of this installation, in metrics and in `nats micro info`"},
    {"SLUICE_TENANTS", CONFIG_CHOICE, FIELD(tenants), "listed", "listed|open", NULL,
     "a tenant that nobody has configured: refused (listed) or of tier free (open)"},
    {"OTEL_RESOURCE_ATTRIBUTES", CONFIG_STRING, FIELD(otel), NULL, NULL, NULL,
     "k=v,… which describe this process: the labels of the metric target_info"},
    {NULL, CONFIG_STRING, 0, NULL, NULL, NULL, NULL},
};

static bool readable(const char *name, const char *path, char *why, size_t why_size)
{
    if (!path || access(path, R_OK) == 0)
        return true;
    str_format(why, why_size, "%s: the file %s cannot be read", name, path);
    return false;
}

/* [SCHEME://][USER[:PASSWORD]@]HOST[:PORT]; what nats.c would say of another comes late and in numbers. */
static bool is_nats_url(const char *at, size_t len)
{
    const char *end = at + len, *scheme = memmem(at, len, "://", 3), *user = NULL;

    if (scheme)
        at = scheme + 3;
    while (at < end && *at == ' ') /* blanks around commas mean nothing */
        at++;
    while (at < end && end[-1] == ' ')
        end--;
    user = memrchr(at, '@', (size_t)(end - at));
    if (user)
        at = user + 1;
    if (at < end && *at == '[')
        at += strcspn(at, "],"); /* an address of IPv6 */
    size_t host = strcspn(at, ":, \t");
    at += host;
    if (host == 0 || at > end)
        return false;
    return at == end || (*at == ':' && end - at > 1 &&
                         strspn(at + 1, "0123456789") == (size_t)(end - at - 1));
}

static bool are_nats_urls(const char *list)
{
    size_t len = strcspn(list, ",");

    return is_nats_url(list, len) && (!list[len] || are_nats_urls(list + len + 1));
}

struct err svc_config_check(const struct svc_config *config, char *why, size_t why_size)
{
    struct err no = err_of(ERR_REJECT, "configuration");

    if (!readable("NATS_CREDS", config->nats_creds, why, why_size) ||
        !readable("NATS_USER_FILE", config->nats_user_file, why, why_size) ||
        !readable("NATS_CA", config->nats_ca, why, why_size))
        return no;
    if (!are_nats_urls(config->nats_url)) {
        str_format(why, why_size,
                   "NATS_URL: \"%.100s\" is no address; write nats://host:4222, several with "
                   "commas between them",
                   str_url_place(config->nats_url));
        return no;
    }
    if (svc_config_listens(config) && !httpd_at_valid(config->http)) {
        str_format(why, why_size,
                   "SLUICE_HTTP: \"%.100s\" is not an address; write host:port such as "
                   "0.0.0.0:9090, or off",
                   config->http);
        return no;
    }
    if (!str_is_name(config->cell)) {
        str_format(why, why_size,
                   "SLUICE_CELL: \"%.100s\" is not a name of letters, digits, _ and -",
                   config->cell);
        return no;
    }
    if (!svc_resource_valid(config->otel)) {
        str_format(why, why_size,
                   "OTEL_RESOURCE_ATTRIBUTES: \"%.100s\" is not a list; write k=v,k=v, with "
                   "%%2C for a comma in a value",
                   config->otel);
        return no;
    }
    return OK;
}

bool svc_config_listens(const struct svc_config *config)
{
    return config->http && config->http[0] && !str_equal(config->http, "off");
}

const struct svc_config *svc_config(const struct svc *svc)
{
    return &svc->config;
}
