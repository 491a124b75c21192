#include "bus/bus_pull.h"

#include "base/id.h"
#include "base/str.h"
#include "bus/bus_meta.h"

void bus_pull_init(struct bus_pull *p, struct bus *bus, bus_msg_fn *fn, void *self)
{
    char id[17], subject[BUS_REPLY_SIZE];

    *p = (struct bus_pull){.bus = bus};
    must(str_format(p->inbox, sizeof(p->inbox), "%s.%s", bus_nats_inbox(bus->nats),
                    str_hex64(id_random64(), id)));
    must(str_format(subject, sizeof(subject), "%s.*.*", p->inbox));
    p->sub = bus_nats_subscribe(bus->nats, subject, NULL, fn, self);
}

void bus_pull_deinit(struct bus_pull *p)
{
    bus_nats_unsubscribe(&p->sub);
}

void bus_pull_reset(struct bus_pull *p)
{
    p->era++;
    p->outstanding = 0;
    memset(p->open_until, 0, sizeof(p->open_until));
}

/* A request that was filled ends without a word, so all that is known is when it must have ended; and
   that there are no more open ones than messages outstanding. */
static uint64_t *free_place(struct bus_pull *p, uint64_t now)
{
    uint64_t *place = NULL;

    for (int n = 0; n < BUS_PULL_OPEN_MAX; n++) {
        if (p->open_until[n] <= now)
            p->open_until[n] = 0;
        if (p->open_until[n] == 0)
            place = &p->open_until[n];
    }
    if (!place && p->outstanding < BUS_PULL_OPEN_MAX)
        place = &p->open_until[0];
    return place;
}

bool bus_pull_ask(struct bus_pull *p, const char *stream, const char *consumer, uint32_t count,
                  uint32_t expires_ms)
{
    char subject[BUS_SUBJECT_SIZE], reply[BUS_REPLY_SIZE], body[128];
    uint64_t now    = bus_now(p->bus);
    uint64_t *place = free_place(p, now);

    if (!place || !bus_connected(p->bus))
        return false;
    must(str_format(reply, sizeof(reply), "%s.%llu.%td", p->inbox, (unsigned long long)p->era,
                    place - p->open_until));
    must(str_format(body, sizeof(body),
                    "{\"batch\":%u,\"expires\":%u000000,\"idle_heartbeat\":%d000000}", count,
                    expires_ms, BUS_PULL_BEAT_MS));
    struct bus_out out = {
        .subject = bus_api_name(subject, "$JS.API.CONSUMER.MSG.NEXT.%s.%s", stream, consumer),
        .body    = bytes_str(body)};
    if (!bus_send_from(p->bus, &out, reply))
        return false;
    if (p->outstanding == 0)
        p->heard_at = now;
    *place = now + expires_ms + 1000;
    p->outstanding += count;
    return true;
}

/* "<inbox>.<era>.<place>" */
static bool is_current(struct bus_pull *p, const struct bus_msg *msg, uint64_t *ret_place)
{
    size_t len = strlen(p->inbox);
    uint64_t era;

    if (strncmp(msg->subject, p->inbox, len) != 0 || msg->subject[len] != '.')
        return false;
    const char *at = msg->subject + len + 1;
    size_t digits  = strcspn(at, ".");
    return at[digits] == '.' && bus_meta_u64(bytes_of(at, digits), &era) && era == p->era &&
           bus_meta_u64(bytes_str(at + digits + 1), ret_place) &&
           *ret_place < BUS_PULL_OPEN_MAX;
}

static uint64_t number(const struct bus_msg *msg, const char *name)
{
    const char *text = bus_msg_header(msg, name);
    uint64_t n       = 0;

    if (text)
        (void)bus_meta_u64(bytes_str(text), &n);
    return n;
}

static struct bus_pull_news read_status(struct bus_pull *p, const struct bus_msg *msg,
                                        const char *status, uint64_t place)
{
    const char *text = bus_msg_header(msg, "Description");
    uint64_t left    = number(msg, "Nats-Pending-Messages");

    if (strcmp(status, "100") == 0)
        return (struct bus_pull_news){.kind = BUS_PULL_BEAT,
                                      .last = number(msg, "Nats-Last-Consumer")};
    p->open_until[place] = 0;
    if (strcmp(status, "404") == 0 || strcmp(status, "408") == 0) {
        p->outstanding -= left < p->outstanding ? (uint32_t)left : p->outstanding;
        return (struct bus_pull_news){.kind = BUS_PULL_OVER};
    }
    if (strcmp(status, "503") == 0)
        return (struct bus_pull_news){.kind = BUS_PULL_GONE, .why = "nobody listens"};
    if (text && strcmp(text, "Consumer Deleted") == 0)
        return (struct bus_pull_news){.kind = BUS_PULL_GONE, .why = "consumer deleted"};
    return (struct bus_pull_news){.kind = BUS_PULL_BROKEN, .why = "requests dropped"};
}

struct bus_pull_news bus_pull_read(struct bus_pull *p, const struct bus_msg *msg)
{
    const char *status;
    uint64_t place;

    if (msg->consumer_seq > 0) {
        p->heard_at = bus_now(p->bus);
        p->outstanding -= p->outstanding > 0;
        return (struct bus_pull_news){.kind = BUS_PULL_MSG};
    }
    if (!is_current(p, msg, &place) || !(status = bus_nats_status(msg)))
        return (struct bus_pull_news){.kind = BUS_PULL_STALE};
    p->heard_at = bus_now(p->bus);
    return read_status(p, msg, status, place);
}

bool bus_pull_dead(const struct bus_pull *p)
{
    return p->outstanding > 0 && bus_now(p->bus) - p->heard_at > BUS_PULL_DEAD_MS;
}
