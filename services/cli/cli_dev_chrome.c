#include "cli_dev_chrome.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "bus/bus.h"
#include "cli_dev_show.h"
#include "cli_link.h"
#include "json/json.h"
#include "wire/subject.h"

enum { CHROME_MAGIC = 0x6368726d, AGAIN_MS = 300, VALUE_MAX = 64 * 1024 };

struct cli_dev_chrome {
    struct bus_op op;
    struct cli_dev *dev;
    struct bus *bus;
};

static bus_next_fn read_it;

static struct err written(struct bus_op *op, const struct bus_reply *reply)
{
    return failed(reply->err) ? bus_wait(op, AGAIN_MS, read_it) : bus_op_done(op);
}

/* What an operator has set stays; the driver and where it is are ours. */
static struct err found(struct bus_op *op, const struct bus_reply *reply)
{
    struct cli_dev_chrome *c           = SELF(struct cli_dev_chrome, CHROME_MAGIC, op);
    struct bus_expect expect           = {.seq = reply->seq};
    AUTO(json_free) struct json *value = NULL;
    AUTO(buf_deinit) struct buf text;
    char url[32], why[JSON_WHY_SIZE];

    buf_init(&text, VALUE_MAX);
    if (failed(reply->err) && reply->err.kind != ERR_ABSENT)
        return bus_wait(op, AGAIN_MS, read_it);
    if (failed(reply->err) || failed(json_parse(&value, reply->body, why, sizeof(why))) ||
        json_type(value) != JSON_OBJECT) {
        json_free(&value);
        value = json_new_object();
    }
    str_format(url, sizeof(url), "http://127.0.0.1:%u", c->dev->chrome_port);
    json_set(value, "driver", json_new_str("webdriver"));
    json_set(value, "url", json_new_str(url));
    json_print(value, &text);
    return bus_kv_put(op, BUCKET_UPSTREAMS, "chrome", buf_bytes(&text), &expect, written);
}

static struct err read_it(struct bus_op *op, const struct bus_reply *reply)
{
    (void)reply;
    return bus_kv_get(op, BUCKET_UPSTREAMS, "chrome", found);
}

static void ended(struct bus_op *op, struct err e)
{
    struct cli_dev_chrome *c = SELF(struct cli_dev_chrome, CHROME_MAGIC, op);

    if (!failed(e))
        cli_dev_show(c->dev, "upstream chrome is http://127.0.0.1:%u", c->dev->chrome_port);
}

void cli_dev_chrome_define(struct cli_dev_chrome **ret, struct cli_dev *dev)
{
    struct cli_dev_chrome *c = mem_new(struct cli_dev_chrome);
    struct bus_config config = cli_link_config(dev->cli, "sluice dev");

    config.url = dev->url;
    c->dev     = dev;
    if (failed(bus_open(&c->bus, &dev->loop, &config))) {
        cli_dev_show(dev, "the upstream chrome could not be defined: %s is no address",
                     dev->url);
        mem_free(&c);
        return;
    }
    bus_op_start(c->bus, &c->op, CHROME_MAGIC, "define chrome", 0, ended);
    bus_wait(&c->op, 0, read_it);
    *ret = c;
}

void cli_dev_chrome_free(struct cli_dev_chrome **slot)
{
    struct cli_dev_chrome *c = take(slot);

    if (!c)
        return;
    bus_free(&c->bus);
    mem_free(&c);
}
