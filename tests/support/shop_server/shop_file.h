/*
 * shop_file - the static files of a folder, as answers.
 */
#ifndef SHOP_FILE_H
#define SHOP_FILE_H

#include <microhttpd.h>

/* A path without a dot in its last part is a page: "/cart" is cart.html, "/" is index.html.  NULL: there is no such file. */
struct MHD_Response *shop_file_answer(const char *root, const char *path);

#endif
