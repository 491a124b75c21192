/*
 * shop_stream - bodies that nobody should read to their end.
 */
#ifndef SHOP_STREAM_H
#define SHOP_STREAM_H

#include <microhttpd.h>

struct MHD_Response *shop_stream_endless(const char *type); /* paragraphs, for ever */
struct MHD_Response *shop_stream_huge(const char *type); /* 2 GB, announced by Content-Length */

#endif
