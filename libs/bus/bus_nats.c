#include "bus/bus_nats.h"

#include <nats/nats.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "bus/bus_meta.h"

enum {
    NATS_C_MIN = 0x030e00, /* before 3.14 a publish in a broken connection could land later */
    INBOX_SIZE = 48,
    RECONNECT_MS =
        100, /* and as much again of jitter: a cluster must not be met by all at once */
    PING_MS    = 5000,
    PINGS      = 2,
    CONNECT_MS = 2000,
    WRITE_MS =
        250, /* a stopped server blocks the writer that long, once (measured: 6 s without) */
    FLUSH_US    = 50,    /* the library's 1000 halves the rate of 16 in flight (decision 2) */
    SUBJECT_MAX = 1024,  /* the server hangs up on a line of more than 4096 */
    DRAIN_MS    = 2000,  /* for the server to say that it sends no more */
    GOODBYE_MS  = 15000, /* more than a connection attempt, which holds the library's lock */
};

enum letter_kind {
    LETTER_MSG,
    LETTER_SUB_DONE,
    LETTER_CONNECTED,
    LETTER_LOST,
    LETTER_DENIED,
    LETTER_CLOSED,
    LETTER_ERROR
};

/* What crosses the inbox: a message, or news about a subscription or the connection.  The message
   comes first, so that both are freed alike. */
struct letter {
    struct bus_msg msg;
    struct bus_nats_sub *sub;
    int64_t number; /* CONNECTED: the largest payload; ERROR: the library's */
    uint8_t kind;
};

enum { MSG_MAGIC = 0x6d736721 };

struct bus_nats {
    struct bus_inbox inbox;
    natsConnection *nc;
    struct list subs;
    struct bus_nats_counts counts;
    bus_nats_state_fn *on_state;
    void *self;
    bus_inbox_burst_fn *on_burst;
    int64_t max_payload;
    unsigned losses; /* those that the loop has heard of */
    bool refused;    /* the library lost the connection; its letter is on the way */
    unsigned known;  /* subscriptions that the library knows */
    bool connected, denied, closed, freeing;
    char prefix[INBOX_SIZE];
};

struct bus_nats_sub {
    struct list link;
    struct bus_nats *nats;
    natsSubscription *raw; /* NULL: not told to the library yet */
    char *subject, *queue;
    bus_msg_fn *fn;
    void *self;
    bool gone;   /* nobody wants it any more */
    bool drains; /* nobody wants more than was sent already */
    bool done;   /* the library has said its last word about it */
};

/* ---- errors -------------------------------------------------------------------------------- */

/* Only what certainly was not sent may be RETRY. */
static struct err err_nats(natsStatus s, const char *what)
{
    enum err_kind kind = ERR_UNKNOWN;

    switch ((int)s) {
    case NATS_OK:
        return OK;
    case NATS_INSUFFICIENT_BUFFER: /* reconnecting */
    case NATS_CONNECTION_CLOSED:
    case NATS_CONNECTION_DISCONNECTED:
    case NATS_DRAINING:
    case NATS_NO_SERVER:
    case NATS_NO_SERVER_SUPPORT:
        kind = ERR_RETRY;
        break;
    case NATS_MAX_PAYLOAD:
    case NATS_INVALID_SUBJECT:
    case NATS_INVALID_ARG:
        kind = ERR_REJECT;
        break;
    case NATS_NO_MEMORY:
        kind = ERR_FATAL;
        break;
    }
    return err_from(kind, what, ERR_FROM_NATS, (int32_t)s);
}

static void must_nats(natsStatus s)
{
    must(s == NATS_OK);
}

/* ---- messages ------------------------------------------------------------------------------ */

static struct letter *letter_new(enum letter_kind kind)
{
    struct letter *l = mem_new(struct letter);

    l->msg.magic = MSG_MAGIC;
    l->kind      = kind;
    return l;
}

/* Any thread: the library's message becomes ours. */
static void wrap(struct bus_msg *msg, natsMsg *raw)
{
    struct bus_meta meta;

    msg->raw     = raw;
    msg->subject = natsMsg_GetSubject(raw);
    msg->reply   = natsMsg_GetReply(raw);
    if (!msg->reply)
        msg->reply = "";
    msg->body = bytes_of(natsMsg_GetData(raw), (size_t)natsMsg_GetDataLength(raw));
    if (bus_meta_read(msg->reply, &meta)) {
        msg->seq          = meta.seq;
        msg->consumer_seq = meta.consumer_seq;
        msg->pending      = meta.pending;
        msg->deliveries   = meta.deliveries;
        msg->stored_ms    = meta.stored_ms;
    }
}

const char *bus_msg_header(const struct bus_msg *msg, const char *name)
{
    const char *value = NULL;

    must(msg->magic == MSG_MAGIC);
    if (!msg->raw || natsMsgHeader_Get(msg->raw, name, &value) != NATS_OK)
        return NULL;
    return value ? value : "";
}

void bus_msg_free(struct bus_msg **slot)
{
    struct bus_msg *msg = take(slot);

    if (!msg)
        return;
    must(msg->magic == MSG_MAGIC);
    msg->magic = 0;
    natsMsg_Destroy(msg->raw);
    mem_free(&msg);
}

const char *bus_nats_status(const struct bus_msg *msg)
{
    return msg->body.len == 0 ? bus_msg_header(msg, "Status") : NULL;
}

/* Adds the lines after the first, whose values may hold colons. */
static void add_headers(natsMsg *raw, struct bytes block)
{
    AUTO(mem_free) char *text = mem_strndup((const char *)block.at, block.len);
    char *rest                = text;

    (void)strsep(&rest, "\n");
    while (rest && *rest) {
        char *line  = strsep(&rest, "\n");
        char *colon = strchr(line, ':');

        line[strcspn(line, "\r")] = '\0';
        if (!colon)
            continue;
        *colon = '\0';
        must_nats(natsMsgHeader_Add(raw, line, colon + 1 + strspn(colon + 1, " ")));
    }
}

struct bus_msg *bus_nats_msg(const char *subject, struct bytes headers, struct bytes body)
{
    struct letter *l = letter_new(LETTER_MSG);
    natsMsg *raw     = NULL;

    must_nats(natsMsg_Create(&raw, subject, NULL, (const char *)body.at, (int)body.len));
    if (headers.len > 0)
        add_headers(raw, headers);
    wrap(&l->msg, raw);
    return &l->msg;
}

/* ---- what the library's threads call --------------------------------------------------------- */

static void tell(struct bus_nats *n, enum letter_kind kind, struct bus_nats_sub *sub,
                 int64_t number)
{
    struct letter *l = letter_new(kind);

    l->sub    = sub;
    l->number = number;
    bus_inbox_post(&n->inbox, &l->msg);
}

static void thread_msg(natsConnection *nc, natsSubscription *raw_sub, natsMsg *raw,
                       void *closure)
{
    struct bus_nats_sub *sub = closure;
    struct letter *l         = letter_new(LETTER_MSG);

    (void)nc;
    (void)raw_sub;
    l->sub = sub;
    wrap(&l->msg, raw);
    bus_inbox_post(&sub->nats->inbox, &l->msg);
}

/* The last word about a subscription, after its last message and from the same thread. */
static void thread_sub_done(void *closure)
{
    struct bus_nats_sub *sub = closure;

    tell(sub->nats, LETTER_SUB_DONE, sub, 0);
}

static void thread_connected(natsConnection *nc, void *closure)
{
    tell(closure, LETTER_CONNECTED, NULL, natsConnection_GetMaxPayload(nc));
}

static void thread_lost(natsConnection *nc, void *closure)
{
    struct bus_nats *n = closure;

    (void)nc;
    bus_inbox_lost(&n->inbox);
    tell(n, LETTER_LOST, NULL, 0);
}

/* Asked before each attempt: the only moment at which the library tells how the last one ended. */
static int64_t thread_waits(natsConnection *nc, int attempts, void *closure)
{
    const char *text;

    (void)attempts;
    if (natsConnection_GetLastError(nc, &text) == NATS_CONNECTION_AUTH_FAILED)
        tell(closure, LETTER_DENIED, NULL, 0);
    return RECONNECT_MS + (int64_t)(id_random64() % RECONNECT_MS);
}

static void thread_closed(natsConnection *nc, void *closure)
{
    (void)nc;
    tell(closure, LETTER_CLOSED, NULL, 0);
}

/* Mostly permissions: the library has no caller to tell. */
static void thread_error(natsConnection *nc, natsSubscription *raw, natsStatus s, void *closure)
{
    (void)nc;
    (void)raw;
    tell(closure, LETTER_ERROR, NULL, s);
}

/* ---- subscriptions ------------------------------------------------------------------------- */

bool bus_nats_subject_valid(const char *subject, bool wild)
{
    const char *at = subject;

    if (!subject || strlen(subject) > SUBJECT_MAX)
        return false;
    for (;;) {
        size_t len = strcspn(at, ".");

        if (len == 0)
            return false;
        for (size_t i = 0; i < len; i++) {
            if ((unsigned char)at[i] <= ' ' || at[i] == 0x7f)
                return false;
            if ((at[i] == '*' || at[i] == '>') && len == 1 && !wild)
                return false;
        }
        if (len == 1 && at[0] == '>' && at[1] != '\0')
            return false;
        if (at[len] == '\0')
            return true;
        at += len + 1;
    }
}

/* Only while connected: else it may wait for the library's lock. */
static void sub_arrive(struct bus_nats_sub *sub)
{
    struct bus_nats *n = sub->nats;
    natsStatus s =
        sub->queue ? natsConnection_QueueSubscribe(&sub->raw, n->nc, sub->subject, sub->queue,
                                                   thread_msg, sub)
                   : natsConnection_Subscribe(&sub->raw, n->nc, sub->subject, thread_msg, sub);

    if (s != NATS_OK) {
        log_debug("subscription waits", KV("subject", sub->subject),
                  KV("err", err_nats(s, "subscribe")));
        sub->raw = NULL;
        return;
    }
    must_nats(natsSubscription_SetOnCompleteCB(sub->raw, thread_sub_done, sub));
    must_nats(natsSubscription_SetPendingLimits(sub->raw, -1, -1));
    n->known++;
}

static void sub_leave(struct bus_nats_sub *sub)
{
    natsSubscription_Destroy(take(&sub->raw));
}

/* The library says UNSUB, waits on a thread of its own until the server has heard it, and hands over all that came
   before; SUB_DONE is behind it.  Said again it does nothing. */
static void sub_dry(struct bus_nats_sub *sub)
{
    natsStatus s = natsSubscription_DrainTimeout(sub->raw, DRAIN_MS);

    if (s != NATS_OK)
        log_debug("subscription cannot be drained", KV("subject", sub->subject),
                  KV("err", err_nats(s, "drain")));
}

static void sub_free(struct bus_nats_sub *sub)
{
    list_remove(&sub->link);
    natsSubscription_Destroy(take(&sub->raw)); /* done by now: nobody is asked */
    mem_free(&sub->subject);
    mem_free(&sub->queue);
    mem_free(&sub);
}

struct bus_nats_sub *bus_nats_subscribe(struct bus_nats *n, const char *subject,
                                        const char *queue, bus_msg_fn *fn, void *self)
{
    struct bus_nats_sub *sub = mem_new(struct bus_nats_sub);

    must(bus_nats_subject_valid(subject, true));
    sub->nats    = n;
    sub->subject = mem_strdup(subject);
    sub->queue   = mem_strdup(queue);
    sub->fn      = fn;
    sub->self    = self;
    list_push(&n->subs, &sub->link);
    if (bus_nats_connected(n))
        sub_arrive(sub);
    return sub;
}

void bus_nats_unsubscribe(struct bus_nats_sub **slot)
{
    struct bus_nats_sub *sub = take(slot);

    if (!sub)
        return;
    sub->gone = true;
    sub->fn   = NULL;
    if (!sub->raw || sub->done)
        sub_free(sub);
    else if (bus_nats_connected(sub->nats))
        sub_leave(sub);
}

void bus_nats_sub_drain(struct bus_nats_sub *sub)
{
    sub->drains = true;
    if (sub->raw && bus_nats_connected(sub->nats))
        sub_dry(sub);
}

bool bus_nats_sub_drained(const struct bus_nats_sub *sub)
{
    return sub->drains && (!sub->raw || sub->done || !bus_nats_connected(sub->nats));
}

/* The connection stands: say what could not be said without it. */
static void subs_catch_up(struct bus_nats *n)
{
    LIST_EACH_SAFE(&n->subs, it)
    {
        struct bus_nats_sub *sub = LIST_OWNER(it, struct bus_nats_sub, link);

        if (sub->gone && sub->raw)
            sub_leave(sub);
        else if (sub->drains && sub->raw && !sub->done)
            sub_dry(sub);
        else if (!sub->gone && !sub->drains && !sub->raw)
            sub_arrive(sub);
    }
}

/* ---- what comes through the inbox ------------------------------------------------------------ */

static void on_connected(struct bus_nats *n, int64_t max_payload)
{
    if (n->freeing || n->connected || bus_inbox_losses(&n->inbox) != n->losses)
        return;
    n->connected   = true;
    n->denied      = false;
    n->max_payload = max_payload;
    subs_catch_up(n);
    n->on_state(n->self, true);
}

static void on_lost(struct bus_nats *n)
{
    bool was = n->connected;

    n->losses++;
    n->connected = n->refused = false;
    if (was && !n->freeing)
        n->on_state(n->self, false);
}

/* Once: it is tried again for ever, and either side may be put right. */
static void on_denied(struct bus_nats *n)
{
    if (!n->denied && !n->connected)
        log_warn("nats refuses the credentials, trying on",
                 KV("see", "NATS_URL, NATS_CREDS, NATS_USER_FILE"));
    n->denied = !n->connected;
}

static void on_letter(void *self, struct bus_msg *msg)
{
    struct bus_nats *n       = self;
    struct letter *l         = (struct letter *)(void *)msg;
    struct bus_nats_sub *sub = l->sub;

    switch ((enum letter_kind)l->kind) {
    case LETTER_MSG:
        n->counts.received++;
        if (sub->fn)
            sub->fn(sub->self, &msg);
        break;
    case LETTER_SUB_DONE:
        must(n->known > 0);
        n->known--;
        sub->done = true;
        if (sub->gone)
            sub_free(sub);
        break;
    case LETTER_CONNECTED:
        on_connected(n, l->number);
        break;
    case LETTER_LOST:
        on_lost(n);
        break;
    case LETTER_DENIED:
        on_denied(n);
        break;
    case LETTER_CLOSED:
        if (!n->freeing)
            log_error("connection closed for good", KV("why", "the library gave up"));
        n->closed = true;
        break;
    case LETTER_ERROR:
        log_debug("nats", KV("err", err_nats((natsStatus)l->number, "asynchronous")));
        break;
    }
    bus_msg_free(&msg);
}

static void on_burst(void *self)
{
    struct bus_nats *n = self;

    if (!n->freeing)
        n->on_burst(n->self);
}

void bus_nats_drain(struct bus_nats *n)
{
    bus_inbox_drain(&n->inbox);
}

/* ---- sending ------------------------------------------------------------------------------- */

bool bus_nats_connected(const struct bus_nats *n)
{
    struct bus_nats *m = (struct bus_nats *)(uintptr_t)n;

    return n->connected && !n->refused && bus_inbox_losses(&m->inbox) == n->losses;
}

bool bus_nats_denied(const struct bus_nats *n)
{
    return n->denied;
}

static natsStatus send_plain(struct bus_nats *n, const struct bus_out *out, const char *reply)
{
    const void *at = out->body.at;
    int len        = (int)out->body.len;

    return reply ? natsConnection_PublishRequest(n->nc, out->subject, reply, at, len)
                 : natsConnection_Publish(n->nc, out->subject, at, len);
}

static void set_headers(natsMsg *raw, const struct bus_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        must_nats(natsMsgHeader_Set(raw, headers[i].name, headers[i].value));
}

static natsStatus send_with_headers(struct bus_nats *n, const struct bus_out *out,
                                    const char *reply, const struct bus_header *more,
                                    size_t more_count)
{
    natsMsg *raw = NULL;

    must_nats(natsMsg_Create(&raw, out->subject, reply, (const char *)out->body.at,
                             (int)out->body.len));
    set_headers(raw, out->headers, out->header_count);
    set_headers(raw, more, more_count);
    natsStatus s = natsConnection_PublishMsg(n->nc, raw);
    natsMsg_Destroy(raw);
    return s;
}

struct err bus_nats_send(struct bus_nats *n, const struct bus_out *out, const char *reply,
                         const struct bus_header *more, size_t more_count)
{
    FAULT(err_of(ERR_RETRY, "send"));

    /* Of all that is sent only an API call may hold wildcards: the filter of a consumer that is to be made. */
    if (!bus_nats_subject_valid(out->subject, str_starts(out->subject, "$JS.API.")))
        return err_of(ERR_REJECT, "send to a subject");
    if (!bus_nats_connected(n))
        return err_of(ERR_RETRY, "send while not connected");
    if (out->body.len > (size_t)n->max_payload)
        return err_from(ERR_REJECT, "send: too large", ERR_FROM_NATS, NATS_MAX_PAYLOAD);

    natsStatus s = out->header_count + more_count > 0
                       ? send_with_headers(n, out, reply, more, more_count)
                       : send_plain(n, out, reply);
    if (s == NATS_OK)
        n->counts.sent++;
    if (s == NATS_INSUFFICIENT_BUFFER)
        n->refused = true;
    return err_nats(s, "send");
}

/* ---- life ---------------------------------------------------------------------------------- */

const char *bus_nats_inbox(const struct bus_nats *n)
{
    return n->prefix;
}

struct bus_nats_counts bus_nats_counts(const struct bus_nats *n)
{
    return n->counts;
}

static natsStatus set_user_file(natsOptions *opts, const char *path)
{
    char line[512] = "";
    FILE *f        = fopen(path, "re");

    if (!f)
        return NATS_INVALID_ARG;
    bool got = fgets(line, sizeof(line), f) != NULL;
    (void)fclose(f);
    line[strcspn(line, "\r\n")] = '\0';
    char *colon                 = strchr(line, ':');
    if (!got || !colon)
        return NATS_INVALID_ARG;
    *colon       = '\0';
    natsStatus s = natsOptions_SetUserInfo(opts, line, colon + 1);
    explicit_bzero(line, sizeof(line));
    return s;
}

static natsStatus set_servers(natsOptions *opts, const char *urls)
{
    enum { SERVERS_MAX = 64 };
    const char *servers[SERVERS_MAX];
    AUTO(mem_free) char *copy = mem_strdup(urls);
    int count                 = 0;

    for (char *rest = copy, *url; (url = strsep(&rest, ", ")) && count < SERVERS_MAX;) {
        if (*url)
            servers[count++] = url;
    }
    return count > 0 ? natsOptions_SetServers(opts, servers, count) : NATS_INVALID_ARG;
}

bool bus_is_denied(struct err e)
{
    return e.from == ERR_FROM_NATS && e.code == NATS_CONNECTION_AUTH_FAILED;
}

static struct err set_options(struct bus_nats *n, natsOptions *o, const struct bus_config *c)
{
    natsStatus s = set_servers(o, c->url);
    if (s != NATS_OK)
        return err_from(ERR_REJECT, "read the NATS url", ERR_FROM_NATS, (int32_t)s);
    s = c->creds ? natsOptions_SetUserCredentialsFromFiles(o, c->creds, NULL) : NATS_OK;
    if (s != NATS_OK ||
        (c->creds && access(c->creds, R_OK) != 0)) /* the library reads it when it connects */
        return err_from(ERR_REJECT, "read the NATS credentials", ERR_FROM_NATS, (int32_t)s);
    s = c->user_file ? set_user_file(o, c->user_file) : NATS_OK;
    if (s != NATS_OK)
        return err_from(ERR_REJECT, "read the NATS user file", ERR_FROM_NATS, (int32_t)s);
    s = c->ca ? natsOptions_LoadCATrustedCertificates(o, c->ca) : NATS_OK;
    if (s != NATS_OK)
        return err_from(ERR_REJECT, "read the NATS authority", ERR_FROM_NATS, (int32_t)s);
    if (c->ca)
        must_nats(natsOptions_SetSecure(o, true));
    if (c->name)
        must_nats(natsOptions_SetName(o, c->name));

    must_nats(natsOptions_SetReconnectBufSize(o, 0)); /* refuse, do not keep for later */
    must_nats(natsOptions_SetWriteDeadline(o, WRITE_MS));
    must_nats(natsOptions_SetFlusherWaitMicros(o, FLUSH_US));
    must_nats(natsOptions_SetMaxReconnect(o, -1));
    must_nats(natsOptions_SetCustomReconnectDelay(o, thread_waits, n));
    must_nats(natsOptions_SetReconnectOnProtocolError(o, true));
    must_nats(natsOptions_SetIgnoreAuthErrorAbort(o, true));
    must_nats(natsOptions_SetTimeout(o, CONNECT_MS));
    must_nats(natsOptions_SetPingInterval(o, PING_MS));
    must_nats(natsOptions_SetMaxPingsOut(o, PINGS));
    must_nats(natsOptions_UseGlobalMessageDelivery(o, true)); /* one thread: order is kept */
    must_nats(natsOptions_SetRetryOnFailedConnect(o, !c->once, thread_connected, n));
    must_nats(natsOptions_SetReconnectedCB(o, thread_connected, n));
    must_nats(natsOptions_SetDisconnectedCB(o, thread_lost, n));
    must_nats(natsOptions_SetClosedCB(o, thread_closed, n));
    must_nats(natsOptions_SetErrorHandler(o, thread_error, n));
    return OK;
}

static void forget(uv_handle_t *wake)
{
    struct bus_inbox *in = wake->data;
    struct bus_nats *n   = in->self;

    mem_free(&n);
}

struct err bus_nats_open(struct bus_nats **ret, uv_loop_t *loop,
                         const struct bus_config *config, bus_nats_state_fn *on_state_fn,
                         bus_inbox_burst_fn *on_burst_fn, void *self)
{
    if (nats_GetVersionNumber() < NATS_C_MIN)
        return err_of(ERR_FATAL, "use a nats.c older than 3.14");

    struct bus_nats *n = mem_new(struct bus_nats);
    natsOptions *opts  = NULL;
    natsInbox *inbox   = NULL;

    list_init(&n->subs);
    n->on_state = on_state_fn;
    n->on_burst = on_burst_fn;
    n->self     = self;
    int r       = bus_inbox_init(&n->inbox, loop, on_letter, on_burst, n);
    if (r != 0) {
        mem_free(&n);
        return err_from(ERR_FATAL, "open the inbox", ERR_FROM_UV, r);
    }
    must_nats(natsInbox_Create(&inbox));
    must(str_copy(n->prefix, sizeof(n->prefix), inbox));
    natsInbox_Destroy(inbox);

    must_nats(natsOptions_Create(&opts));
    struct err e = set_options(n, opts, config);
    natsStatus s = failed(e) ? NATS_OK : natsConnection_Connect(&n->nc, opts);
    natsOptions_Destroy(opts);
    if (!failed(e) && s != NATS_OK && s != NATS_NOT_YET_CONNECTED)
        e = err_from(config->once && s != NATS_INVALID_ARG ? ERR_RETRY : ERR_REJECT, "connect",
                     ERR_FROM_NATS, (int32_t)s);
    if (failed(e)) {
        bus_inbox_deinit(&n->inbox);
        uv_close((uv_handle_t *)&n->inbox.wake, forget);
        return e;
    }
    if (s == NATS_OK && bus_inbox_losses(&n->inbox) == 0)
        thread_connected(n->nc, n);
    *ret = n;
    return OK;
}

/* nats.c may call back after its own Destroy (nats.c issue 735), so its last words are waited for. */
static void wait_for_goodbyes(struct bus_nats *n)
{
    uint64_t until = uv_hrtime() / 1000000 + GOODBYE_MS;

    bus_inbox_drain(&n->inbox);
    while (!n->closed || n->known > 0) {
        must(uv_hrtime() / 1000000 < until);
        bus_inbox_wait(&n->inbox, 100);
        bus_inbox_drain(&n->inbox);
    }
}

void bus_nats_free(struct bus_nats **slot)
{
    struct bus_nats *n = take(slot);

    if (!n)
        return;
    n->freeing   = true;
    n->connected = false;
    LIST_EACH(&n->subs, it)
    LIST_OWNER(it, struct bus_nats_sub, link)->fn = NULL;
    natsConnection_Close(n->nc); /* flushes, at most 500 ms */
    wait_for_goodbyes(n);
    LIST_EACH_SAFE(&n->subs, it)
    {
        sub_free(LIST_OWNER(it, struct bus_nats_sub, link));
    }
    natsConnection_Destroy(n->nc);
    bus_inbox_deinit(&n->inbox);
    uv_close((uv_handle_t *)&n->inbox.wake, forget);
}
