#include "wire/wire_nanopb.h"

#include <pb_decode.h>
#include <pb_encode.h>

#include "base/must.h"

struct err wire_nanopb_read(const pb_msgdesc_t *fields, void *message, struct bytes body,
                            const char *what)
{
    pb_istream_t from = pb_istream_from_buffer(body.at, body.len);

    return pb_decode_ex(&from, fields, message, PB_DECODE_NOINIT) ? OK
                                                                  : err_of(ERR_REJECT, what);
}

/* A full buf says so itself; to nanopb the write went well. */
static bool add_to_buf(pb_ostream_t *stream, const pb_byte_t *at, size_t len)
{
    buf_add(stream->state, at, len);
    return true;
}

void wire_nanopb_write(const pb_msgdesc_t *fields, const void *message, struct buf *to)
{
    pb_ostream_t stream = {.callback = add_to_buf, .state = to, .max_size = SIZE_MAX};

    must(pb_encode(&stream, fields, message));
}
