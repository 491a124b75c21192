#include <inttypes.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "svc/svc_internal.h"
#include "wire/wire_stream.h"

enum {
    STREAM_MAGIC  = 0x53535431,
    CONFIG_MAX    = 64 << 10, /* of one stream's JSON */
    PASS_MS       = 60000,    /* one look over all streams, making included */
    AGAIN_BASE_MS = 200,
    AGAIN_CAP_MS  = 5000,
    LEADER_MS     = 1000, /* how long others leave the making to a leader, and as much jitter */
    ROUTINE_MS = 10000, /* between two looks while all stand: 3 ms of the server's work each */
    NO_STREAM  = 10059, /* the server knows none of that name; else nobody may have answered */
};

/*
 * A look goes over the table, stream by stream: is it there, whose schema is it, was it made
 * anew?  What is missing is made, if we may: at start everybody may, later the leader at once
 * and the others only when a second has passed and nobody did.
 *
 * While all stand there is a look every ten seconds, so that a stream is missed though nobody who
 * uses it can tell.  Such a look asks only what is gone or another one, and is of no consequence
 * when it fails: a server that is slow has lost nothing.
 */
struct svc_stream {
    struct bus_op op; /* first: SELF() */
    struct svc *svc;
    bool looking;
    bool may_make;
    bool stand;   /* at the end of the last look */
    bool told;    /* on_ready was called */
    bool anew;    /* a stream was missing, or is another one, since it was called */
    bool routine; /* this look, or the one to come: nobody misses anything */
    size_t at;
    unsigned tries;
    uint64_t look_at;  /* monotonic ms; UINT64_MAX: no look is due */
    uint64_t *created; /* by stream: when the server says it was made; 0: not known */
    struct buf config;
    char why[240];
    char logged[240];
};

struct svc_stream *svc_stream_new(struct svc *svc)
{
    struct svc_stream *s = mem_new(struct svc_stream);

    s->svc      = svc;
    s->may_make = true;
    s->look_at  = UINT64_MAX;
    s->created  = mem_array(wire_stream_count(), sizeof(*s->created));
    buf_init(&s->config, CONFIG_MAX);
    str_copy(s->why, sizeof(s->why), "not looked at yet");
    return s;
}

/* The bus is gone by now, and with it the op. */
void svc_stream_free(struct svc_stream **slot)
{
    struct svc_stream *s = take(slot);

    if (!s)
        return;
    buf_deinit(&s->config);
    mem_free(&s->created);
    mem_free(&s);
}

static bool makes(const struct svc_stream *s)
{
    return str_equal(s->svc->config.streams, "self");
}

bool svc_stream_stand(const struct svc_stream *s)
{
    return s->stand && s->told;
}

const char *svc_stream_why(const struct svc_stream *s)
{
    return s->why;
}

static struct err look_on(struct svc_stream *s);

/* ---- reading the server's answer ------------------------------------------------------------ */

/* The value of a member in the server's compact JSON, a string without its quotes: a whole parser is
   another room's, and a quoted name cannot stand unescaped inside a value.  NULL if there is
   none. */
static const char *member(struct bytes json, const char *name, char *at, size_t size)
{
    char key[64];

    must(str_format(key, sizeof(key), "\"%s\":", name));

    const char *end   = (const char *)json.at + json.len;
    const char *found = memmem(json.at, json.len, key, strlen(key));

    if (!found)
        return NULL;
    found += strlen(key);
    while (found < end && (*found == ' ' || *found == '"'))
        found++;

    size_t len = 0;

    while (found + len < end && !strchr("\",}", found[len]))
        len++;
    return str_copy_n(at, size, found, len) ? at : NULL;
}

static bool number(struct bytes json, const char *name, uint64_t *ret)
{
    char text[32];

    return member(json, name, text, sizeof(text)) && !failed(str_u64(text, ret));
}

/* True if this stream was made by a newer Sluice; then the process ends. */
static bool refuse_newer(struct svc_stream *s, struct bytes info)
{
    char why[200];
    uint64_t schema = 0;

    if (!number(info, "sluice.schema", &schema) || schema <= WIRE_SCHEMA)
        return false;
    str_format(why, sizeof(why),
               "stream %s has schema %" PRIu64
               ", ours is %d: this binary refuses a newer schema",
               wire_stream_name(s->at), schema, (int)WIRE_SCHEMA);
    svc_die(s->svc, why);
    return true;
}

/* The same name may be another stream by now. */
static void learn_created(struct svc_stream *s, struct bytes info)
{
    char text[64];

    if (!member(info, "created", text, sizeof(text)))
        return;

    uint64_t now = str_hash(text, strlen(text));

    if (s->created[s->at] && s->created[s->at] != now)
        s->anew = true;
    s->created[s->at] = now;
}

/* ---- the chain ------------------------------------------------------------------------------ */

static void say_why(struct svc_stream *s, struct err e, const char *text)
{
    char number[80];

    str_format(s->why, sizeof(s->why), "%s: %s", wire_stream_name(s->at),
               text && text[0] ? text : err_text(e, number, sizeof(number)));
}

static struct err made(struct bus_op *op, const struct bus_reply *r)
{
    struct svc_stream *s = SELF(struct svc_stream, STREAM_MAGIC, op);

    if (failed(r->err)) {
        say_why(s, r->err, r->text);
        return r->err;
    }
    learn_created(s, r->body);
    s->at++;
    return look_on(s);
}

static void render(struct svc_stream *s,
                   void (*fn)(size_t n, const struct wire_stream_settings *, struct buf *))
{
    const struct svc_config *config      = &s->svc->config;
    struct wire_stream_settings settings = {
        .replicas     = (unsigned)config->replicas,
        .retention_ms = config->retention_ms,
        .wall_us      = clk_wall_ms() * 1000,
    };

    buf_clear(&s->config);
    fn(s->at, &settings, &s->config);
    must(!s->config.full);
}

static struct err make(struct svc_stream *s)
{
    render(s, wire_stream_config);
    return bus_stream_make(&s->op, wire_stream_name(s->at), buf_bytes(&s->config), made);
}

/* Of these two more is wider, and 0 is no limit. */
static bool wider(struct bytes ours, struct bytes theirs, const char *name)
{
    uint64_t a = 0, b = 0;

    return number(ours, name, &a) && number(theirs, name, &b) && b != 0 && (a == 0 || a > b);
}

static bool takes_ttl(struct bytes config)
{
    char value[8];

    return str_equal(member(config, "allow_msg_ttl", value, sizeof(value)), "true");
}

/* An operator's own changes stay: it is touched only when an older Sluice made it, or when our settings
   ask for more copies or a longer retention than it has, or for messages that expire. */
static bool wants_update(struct svc_stream *s, struct bytes info)
{
    uint64_t schema = 0;

    render(s, wire_stream_update);
    return !number(info, "sluice.schema", &schema) || schema < WIRE_SCHEMA ||
           wider(buf_bytes(&s->config), info, "num_replicas") ||
           wider(buf_bytes(&s->config), info, "max_age") ||
           (takes_ttl(buf_bytes(&s->config)) && !takes_ttl(info));
}

/* What cannot be widened stands all the same. */
static struct err widened(struct bus_op *op, const struct bus_reply *r)
{
    struct svc_stream *s = SELF(struct svc_stream, STREAM_MAGIC, op);

    if (r->err.kind == ERR_REJECT || r->err.kind == ERR_FULL)
        log_error("stream cannot be widened", KV("stream", wire_stream_name(s->at)),
                  KV("why", r->text), KV("err", r->err));
    else if (failed(r->err))
        return made(op, r);
    else
        log_info("stream widened", KV("stream", wire_stream_name(s->at)));
    s->at++;
    return look_on(s);
}

static struct err widen(struct svc_stream *s)
{
    char call[128];

    must(str_format(call, sizeof(call), "STREAM.UPDATE.%s", wire_stream_name(s->at)));
    return bus_api(&s->op, call, buf_bytes(&s->config), widened);
}

static struct err missing(struct svc_stream *s, struct err absent)
{
    say_why(s, absent, makes(s) ? "missing" : "missing, and SLUICE_STREAMS=verify makes none");
    s->routine = false;
    s->anew    = s->anew || s->told; /* whoever makes it */
    if (!makes(s) || !s->may_make)
        return absent;
    if (s->told)
        log_warn("stream made anew", KV("stream", wire_stream_name(s->at)));
    return make(s);
}

static struct err informed(struct bus_op *op, const struct bus_reply *r)
{
    struct svc_stream *s = SELF(struct svc_stream, STREAM_MAGIC, op);

    if (r->err.kind == ERR_ABSENT && (!s->routine || r->err.code == NO_STREAM))
        return missing(s, r->err);
    if (failed(r->err)) {
        say_why(s, r->err, r->text);
        return r->err;
    }
    if (!s->routine && refuse_newer(s, r->body))
        return err_of(ERR_FATAL, "schema");
    learn_created(s, r->body);
    if (!s->routine && makes(s) && wants_update(s, r->body))
        return widen(s);
    s->at++;
    return look_on(s);
}

static struct err look_on(struct svc_stream *s)
{
    char call[128];

    if (s->at == wire_stream_count() || str_equal(s->svc->config.streams, "none"))
        return bus_op_done(&s->op);
    must(str_format(call, sizeof(call), "STREAM.INFO.%s", wire_stream_name(s->at)));
    return bus_api(&s->op, call, bytes_str(""), informed);
}

static struct err begin(struct bus_op *op, const struct bus_reply *r)
{
    (void)r;
    return look_on(SELF(struct svc_stream, STREAM_MAGIC, op));
}

/* Not all processes in one instant. */
static void look_later(struct svc_stream *s)
{
    s->routine = true;
    s->look_at = svc_now(s->svc) + ROUTINE_MS + id_random64() % (ROUTINE_MS / 10);
}

static void all_stand(struct svc_stream *s)
{
    struct svc *svc = s->svc;
    bool tell       = !s->told || s->anew;

    s->stand     = true;
    s->may_make  = false;
    s->tries     = 0;
    s->logged[0] = '\0';
    look_later(s);
    if (!tell)
        return;
    s->told = true;
    s->anew = false;
    if (svc->on_ready)
        svc->on_ready(svc->ready_self);
}

/* Said once for each reason, for a look is repeated until it is good. */
static void log_why(struct svc_stream *s)
{
    if (str_equal(s->logged, s->why) || !bus_connected(s->svc->bus))
        return;
    str_copy(s->logged, sizeof(s->logged), s->why);
    log_warn("streams do not stand", KV("why", s->why), KV("try", s->tries + 1));
}

static void look_again(struct svc_stream *s, struct err e)
{
    uint64_t now = svc_now(s->svc);

    s->stand = false;
    if (e.kind == ERR_ABSENT && makes(s) && !s->may_make) {
        s->may_make = true; /* the leader has its chance first */
        s->look_at  = now + LEADER_MS + id_random64() % LEADER_MS;
    } else {
        log_why(s);
        s->look_at =
            now + backoff_half_ms(s->tries, AGAIN_BASE_MS, AGAIN_CAP_MS, id_random64());
    }
    s->tries++;
}

static void looked(struct bus_op *op, struct err e)
{
    struct svc_stream *s = SELF(struct svc_stream, STREAM_MAGIC, op);

    s->looking = false;
    if (e.kind == ERR_FATAL || s->svc->over)
        s->look_at = UINT64_MAX;
    else if (s->look_at != UINT64_MAX)
        log_debug("streams are looked at once more", KV("err", e)); /* asked for meanwhile */
    else if (failed(e) && s->routine)
        look_later(s);
    else if (failed(e))
        look_again(s, e);
    else
        all_stand(s);
    svc_poke(s->svc);
}

static void look(struct svc_stream *s)
{
    s->looking = true;
    s->look_at = UINT64_MAX;
    s->at      = 0;
    if (svc_leader_any(s->svc))
        s->may_make = true;
    bus_op_start(s->svc->bus, &s->op, STREAM_MAGIC, "streams", PASS_MS, looked);
    bus_wait(&s->op, 0, begin);
}

void svc_stream_connected(struct svc_stream *s)
{
    s->tries   = 0;
    s->routine = false;
    s->look_at = svc_now(s->svc);
}

uint64_t svc_stream_tick(struct svc_stream *s, uint64_t now)
{
    if (s->looking)
        return UINT64_MAX;
    if (now >= s->look_at && bus_connected(s->svc->bus) && !s->svc->over)
        look(s);
    return bus_connected(s->svc->bus) ? s->look_at : UINT64_MAX;
}

void svc_streams_missing(struct svc *svc)
{
    struct svc_stream *s = svc->streams;

    if (!s->stand)
        return; /* it is being looked at */
    s->stand   = false;
    s->routine = false;
    str_copy(s->why, sizeof(s->why), "looked for");
    s->look_at = svc_now(svc);
    log_warn("streams missing", KV("why", "refused or unheard; looking"));
    svc_poke(svc);
}
