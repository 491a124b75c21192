#include "base/base64.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/sha256.h"
#include "base/str.h"
#include "bus/bus_internal.h"

/* ADR-20: chunks of this size under $O.<bucket>.C.<id>, then a description under $O.<bucket>.M.<name>, which
   replaces the one before it.  The older chunks of a name stay until the bucket's age limit: names here
   are written once. */
enum { CHUNK = 128 * 1024, WINDOW = 8, META_MAX = 16 * 1024, NAME_MAX_LEN = 180 };

struct object_part {
    struct bus_part part;
    struct bytes body; /* the caller's */
    char *bucket, *name, *description;
    char id[ID_SIZE];
    char reply[BUS_REPLY_SIZE];
    size_t sent, acked, chunks; /* of chunks */
};

static void part_free(struct bus_part *part)
{
    struct object_part *p = (struct object_part *)(void *)part;

    mem_free(&p->bucket);
    mem_free(&p->name);
    mem_free(&p->description);
    mem_free(&p);
}

static struct object_part *part_of(struct bus_op *op)
{
    return (struct object_part *)(void *)op->part;
}

/* ---- the description ---------------------------------------------------------------------------- */

static void add_json_text(struct buf *to, const char *text)
{
    buf_char(to, '"');
    for (; *text; text++) {
        if ((unsigned char)*text < ' ')
            buf_printf(to, "\\u%04x", (unsigned char)*text);
        else if (*text == '"' || *text == '\\')
            buf_printf(to, "\\%c", *text);
        else
            buf_char(to, *text);
    }
    buf_char(to, '"');
}

static void add_digest(struct buf *to, struct bytes body)
{
    struct sha256 *sha = sha256_new();
    uint8_t digest[32];
    char text[48];

    sha256_add(sha, body.at, body.len);
    sha256_end(&sha, digest);
    base64_encode_url(bytes_of(digest, sizeof(digest)), text);
    buf_printf(to, "SHA-256=%s", text);
}

static void describe(struct buf *to, const struct object_part *p)
{
    buf_str(to, "{\"name\":");
    add_json_text(to, p->name);
    if (p->description) {
        buf_str(to, ",\"description\":");
        add_json_text(to, p->description);
    }
    buf_printf(
        to,
        ",\"options\":{\"max_chunk_size\":%d},\"bucket\":\"%s\",\"nuid\":\"%s\",\"size\":%zu",
        CHUNK, p->bucket, p->id, p->body.len);
    buf_printf(to, ",\"mtime\":\"0001-01-01T00:00:00Z\",\"chunks\":%zu,\"digest\":\"",
               p->chunks);
    add_digest(to, p->body);
    buf_str(to, "\"}");
}

static void send_description(struct bus_op *op)
{
    const struct object_part *p = part_of(op);
    struct bus_header rollup    = {"Nats-Rollup", "sub"};
    char subject[BUS_SUBJECT_SIZE], name[NAME_MAX_LEN * 4 / 3 + 8];
    struct buf meta;

    buf_init(&meta, META_MAX);
    describe(&meta, p);
    base64_encode_url(bytes_str(p->name), name);
    struct bus_out out = {.subject      = bus_api_name(subject, "$O.%s.M.%s", p->bucket, name),
                          .body         = buf_bytes(&meta),
                          .headers      = &rollup,
                          .header_count = 1};
    if (meta.full)
        (void)bus_op_later(op, err_of(ERR_REJECT, "describe an object"));
    else
        (void)bus_hop(op, &out, NULL, 0, 0, bus_publish_answer);
    buf_deinit(&meta);
}

/* ---- chunks ------------------------------------------------------------------------------------ */

static struct err send_chunks(struct bus_op *op)
{
    struct object_part *p = part_of(op);
    char subject[BUS_SUBJECT_SIZE];
    struct bus_out out = {.subject = bus_api_name(subject, "$O.%s.C.%s", p->bucket, p->id)};

    while (p->sent < p->chunks && p->sent - p->acked < WINDOW) {
        size_t at   = p->sent * CHUNK;
        size_t left = p->body.len - at;

        out.body     = bytes_of(p->body.at + at, left < CHUNK ? left : CHUNK);
        struct err e = bus_nats_send(op->bus->nats, &out, p->reply, NULL, 0);
        if (failed(e))
            return e;
        p->sent++;
    }
    return OK;
}

static void on_chunk(struct bus_op *op, struct bus_msg **msg)
{
    struct object_part *p = part_of(op);
    struct bus_reply ack  = {0};
    char text[BUS_TEXT_SIZE];

    struct err e = bus_publish_read(*msg, &ack, text);
    if (failed(e)) {
        struct bus_reply reply = {.err = e, .text = text};
        bus_op_reply(op, &reply);
        return;
    }
    p->acked++;
    bus_hop_extend(op, 0);
    if (p->acked == p->chunks) {
        send_description(op);
        return;
    }
    e = send_chunks(op);
    if (failed(e))
        bus_op_reply_err(op, e);
}

struct err bus_object_put(struct bus_op *op, const char *bucket, const char *name,
                          struct bytes body, const char *description, bus_next_fn *next)
{
    bus_op_call(op, next);
    if (!str_is_name(bucket) || !name || name[0] == '\0' || strlen(name) > NAME_MAX_LEN)
        return bus_op_later(op, err_of(ERR_REJECT, "put an object"));

    struct object_part *p = mem_new(struct object_part);
    p->part.free          = part_free;
    p->body               = body;
    p->bucket             = mem_strdup(bucket);
    p->name               = mem_strdup(name);
    p->description        = mem_strdup(description);
    p->chunks             = (body.len + CHUNK - 1) / CHUNK;
    op->part              = &p->part;
    id_new(0, p->id);
    if (p->chunks == 0) {
        send_description(op);
        return OK;
    }
    struct err e = bus_hop_open(op, 0, on_chunk, p->reply);
    if (!failed(e))
        e = send_chunks(op);
    return failed(e) ? bus_op_later(op, e) : OK;
}
