#include "shop_server/shop_route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shop_server/shop_file.h"
#include "shop_server/shop_order.h"
#include "shop_server/shop_record.h"
#include "shop_server/shop_stream.h"
#include "shop_server/shop_visit.h"

enum { FIELD_SIZE = 128, DELAY_MAX_MS = 60000 };

/* form - the fields of a POST that anybody here reads. */
struct form {
    struct MHD_PostProcessor *reader;
    char key[FIELD_SIZE], sku[FIELD_SIZE], user[FIELD_SIZE], pass[FIELD_SIZE];
};

/* ---- answers ----------------------------------------------------------------------------------------------- */

static enum MHD_Result give(struct MHD_Connection *connection, unsigned status,
                            struct MHD_Response *answer)
{
    MHD_add_response_header(answer, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result sent = MHD_queue_response(connection, status, answer);
    MHD_destroy_response(answer);
    return sent;
}

static enum MHD_Result give_text(struct MHD_Connection *connection, unsigned status,
                                 const char *type, char *text)
{
    struct MHD_Response *answer =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);

    MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    return give(connection, status, answer);
}

static enum MHD_Result give_words(struct MHD_Connection *connection, unsigned status,
                                  const char *words)
{
    return give_text(connection, status, "text/plain", strdup(words));
}

static enum MHD_Result give_elsewhere(struct MHD_Connection *connection, unsigned status,
                                      const char *to, const char *cookie)
{
    struct MHD_Response *answer =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

    if (cookie)
        MHD_add_response_header(answer, MHD_HTTP_HEADER_SET_COOKIE, cookie);
    if (MHD_add_response_header(answer, MHD_HTTP_HEADER_LOCATION, to) == MHD_YES)
        return give(connection, status, answer);
    MHD_destroy_response(answer);
    return give_words(connection, 400, "no place to go to\n");
}

/* ---- GET ----------------------------------------------------------------------------------------------------- */

static const char *argument(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);

    return value ? value : "";
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);

    return value ? value : "";
}

static enum MHD_Result show_orders(struct MHD_Connection *connection)
{
    if (strstr(header(connection, MHD_HTTP_HEADER_ACCEPT), "text/html"))
        return give_text(connection, 200, "text/html; charset=utf-8", shop_order_page());
    return give_text(connection, 200, "application/json", shop_order_json());
}

static enum MHD_Result show_visits(struct MHD_Connection *connection)
{
    char number[16];

    snprintf(number, sizeof number, "%u", shop_visit_number(argument(connection, "of")));
    return give_words(connection, 200, number);
}

static enum MHD_Result on_get(const struct shop_route *shop, struct MHD_Connection *connection,
                              const char *path)
{
    if (strcmp(path, "/redirect") == 0)
        return give_elsewhere(connection, 302, argument(connection, "to"), NULL);
    if (strcmp(path, "/endless") == 0)
        return give(connection, 200, shop_stream_endless("text/html"));
    if (strcmp(path, "/endless.bin") == 0)
        return give(connection, 200, shop_stream_endless("application/octet-stream"));
    if (strcmp(path, "/huge") == 0)
        return give(connection, 200, shop_stream_huge("text/html"));
    if (strcmp(path, "/huge.bin") == 0)
        return give(connection, 200, shop_stream_huge("application/octet-stream"));
    if (strcmp(path, "/orders") == 0)
        return show_orders(connection);
    if (strcmp(path, "/visits") == 0)
        return show_visits(connection);
    if (strcmp(path, "/account") == 0 &&
        !strstr(header(connection, MHD_HTTP_HEADER_COOKIE), "shop=ada"))
        return give_elsewhere(connection, 303, "/login", NULL);
    struct MHD_Response *file = shop_file_answer(shop->root, path);
    return file ? give(connection, 200, file) : give_words(connection, 404, "no such page\n");
}

/* ---- POST ---------------------------------------------------------------------------------------------------- */

static enum MHD_Result on_field(void *self, enum MHD_ValueKind kind, const char *name,
                                const char *file, const char *type, const char *coding,
                                const char *value, uint64_t at, size_t len)
{
    struct form *form = self;
    const struct {
        const char *name;
        char *to;
    } fields[] = {
        {"key", form->key}, {"sku", form->sku}, {"user", form->user}, {"pass", form->pass}};

    (void)kind, (void)file, (void)type, (void)coding;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(name, fields[i].name) == 0 &&
            at + len < FIELD_SIZE) /* a long one stays cut */
            memcpy(fields[i].to + at, value, len);
    return MHD_YES;
}

static enum MHD_Result on_post(struct MHD_Connection *connection, const char *path,
                               const struct form *form)
{
    char to[2 * FIELD_SIZE];

    if (strcmp(path, "/login") == 0) {
        if (strcmp(form->user, "ada") == 0 && strcmp(form->pass, "secret") == 0)
            return give_elsewhere(connection, 303, "/account", "shop=ada; Path=/; HttpOnly");
        return give_elsewhere(connection, 303, "/login?wrong=1", NULL);
    }
    if (strcmp(path, "/order") != 0)
        return give_words(connection, 404, "nothing takes a POST here\n");
    if (!shop_order_place(form->key, form->sku))
        return give_words(connection, 400, "an order needs a key and a sku\n");
    snprintf(to, sizeof to, "/thanks?key=%s", form->key);
    return give_elsewhere(connection, 303, to, NULL);
}

/* ---- both ---------------------------------------------------------------------------------------------------- */

static void wait_ms(unsigned long ms)
{
    const struct timespec pause = {.tv_sec  = (time_t)(ms / 1000),
                                   .tv_nsec = (long)(ms % 1000) * 1000000L};

    nanosleep(&pause, NULL);
}

static void be_slow(const struct shop_route *shop, struct MHD_Connection *connection)
{
    unsigned long ms = strtoul(argument(connection, "delay"), NULL, 10);

    if (ms > DELAY_MAX_MS)
        ms = DELAY_MAX_MS;
    if (ms + shop->delay_ms > 0)
        wait_ms(ms + shop->delay_ms);
}

/* What a proxy is asked for is a whole URL. */
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://");

    if (url[0] == '/' || !host)
        return url;
    const char *slash = strchr(host + 3, '/');
    return slash ? slash : "/";
}

enum MHD_Result shop_route_on(void *self, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *body,
                              size_t *body_len, void **ret_form)
{
    const struct shop_route *shop = self;
    struct form *form             = *ret_form;

    (void)version;
    if (!form) { /* only the head is here */
        *ret_form = form = calloc(1, sizeof *form);
        if (!form)
            abort();
        if (strcmp(method, "POST") == 0)
            form->reader = MHD_create_post_processor(connection, 4096, on_field, form);
        return MHD_YES;
    }
    if (*body_len > 0) {
        if (form->reader)
            MHD_post_process(form->reader, body, *body_len);
        *body_len = 0;
        return MHD_YES;
    }
    shop_visit_count(path_of(url));
    shop_record_note(method, header(connection, MHD_HTTP_HEADER_HOST), path_of(url));
    be_slow(shop, connection);
    if (strcmp(method, "POST") == 0)
        return on_post(connection, path_of(url), form);
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return on_get(shop, connection, path_of(url));
    return give_words(connection, 405, "GET and POST only\n");
}

void shop_route_over(void *self, struct MHD_Connection *connection, void **form_slot,
                     enum MHD_RequestTerminationCode why)
{
    struct form *form = *form_slot;

    (void)self, (void)connection, (void)why;
    if (!form)
        return;
    if (form->reader)
        MHD_destroy_post_processor(form->reader);
    free(form);
    *form_slot = NULL;
}
