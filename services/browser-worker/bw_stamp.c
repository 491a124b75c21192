#include "bw_stamp.h"

#include "base/must.h"

static const char TAIL[] = ".sluice.invalid"; /* RFC 2606: no host is ever called so */

void bw_stamp_write(const struct bw_stamp *stamp, char ret[BW_STAMP_SIZE])
{
    must(str_format(ret, BW_STAMP_SIZE, "%s.%s.%s.%s%s", stamp->upstream, stamp->tenant,
                    stamp->run, stamp->session, TAIL));
}

bool bw_stamp_read(const char *text, struct bw_stamp *ret)
{
    struct bw_stamp s = {0};
    char again[BW_STAMP_SIZE];

    if (!text || !str_token(text, 0, s.upstream, sizeof s.upstream) ||
        !str_token(text, 1, s.tenant, sizeof s.tenant) ||
        !str_token(text, 2, s.run, sizeof s.run) ||
        !str_token(text, 3, s.session, sizeof s.session))
        return false;
    bw_stamp_write(&s, again);
    if (!str_equal(again, text) || !str_is_name(s.upstream) || !str_is_name(s.tenant) ||
        !id_valid(s.run) || s.session[0] != 's' || !id_valid(s.session + 1))
        return false;
    *ret = s;
    return true;
}
