#include "shop_server/shop_record.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* one thread a connection */
static FILE *record;

bool shop_record_open(const char *path)
{
    record = fopen(path, "ae");
    return record != NULL;
}

void shop_record_note(const char *method, const char *host, const char *url)
{
    if (!record)
        return;
    pthread_mutex_lock(&lock);
    fprintf(record, "%s %s %s\n", method, host, url);
    fflush(record);
    pthread_mutex_unlock(&lock);
}
