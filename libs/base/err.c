#include "base/err.h"

#include <errno.h>
#include <stdio.h>

#include "base/must.h"

struct err err_of(enum err_kind kind, const char *what)
{
    return (struct err){.what = what, .kind = (uint8_t)kind};
}

struct err err_from(enum err_kind kind, const char *what, enum err_from from, int32_t code)
{
    return (struct err){
        .what = what, .code = code, .kind = (uint8_t)kind, .from = (uint8_t)from};
}

/* Numbers that are not here are answers to this one call (EACCES, EINVAL, ENAMETOOLONG): asking
   again would be answered the same. */
static enum err_kind kind_of(int number)
{
    switch (number) {
    case ENOENT:
        return ERR_ABSENT;
    case EAGAIN:
    case EINTR:
    case EBUSY:
        return ERR_RETRY;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
        return ERR_FATAL;
    default:
        return ERR_REJECT;
    }
}

struct err err_errno(int number, const char *what)
{
    return err_from(kind_of(number), what, ERR_FROM_ERRNO, number);
}

const char *err_kind_name(enum err_kind kind)
{
    switch (kind) {
    case ERR_NONE:
        return "none";
    case ERR_RETRY:
        return "retry";
    case ERR_UNKNOWN:
        return "unknown";
    case ERR_REJECT:
        return "reject";
    case ERR_ABSENT:
        return "absent";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_FULL:
        return "full";
    case ERR_LOST:
        return "lost";
    case ERR_FATAL:
        return "fatal";
    }
    must(!"unknown err_kind");
    return "?";
}

static const char *from_name(enum err_from from)
{
    switch (from) {
    case ERR_FROM_US:
        return "";
    case ERR_FROM_ERRNO:
        return "errno";
    case ERR_FROM_NATS:
        return "nats";
    case ERR_FROM_JETSTREAM:
        return "jetstream";
    case ERR_FROM_UV:
        return "uv";
    case ERR_FROM_CURL:
        return "curl";
    case ERR_FROM_HTTP:
        return "http";
    }
    must(!"unknown err_from");
    return "?";
}

const char *err_text(struct err e, char *at, unsigned long size)
{
    const char *what  = e.what ? e.what : "";
    const char *colon = e.what ? ": " : "";
    const char *kind  = err_kind_name((enum err_kind)e.kind);

    if (!failed(e))
        snprintf(at, size, "ok");
    else if (e.from == ERR_FROM_US)
        snprintf(at, size, "%s%s%s", what, colon, kind);
    else
        snprintf(at, size, "%s%s%s (%s %d)", what, colon, kind,
                 from_name((enum err_from)e.from), (int)e.code);
    return at;
}
