#include "shop_server/shop_visit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { PATHS_MAX = 256, PATH_SIZE = 64 };

struct visits {
    char path[PATH_SIZE];
    unsigned count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards both */
static struct visits all[PATHS_MAX];
static unsigned path_count;

static struct visits *find(const char *path)
{
    for (unsigned i = 0; i < path_count; i++)
        if (strncmp(all[i].path, path, PATH_SIZE - 1) == 0)
            return &all[i];
    return NULL;
}

void shop_visit_count(const char *path)
{
    pthread_mutex_lock(&lock);
    struct visits *of = find(path);
    if (!of && path_count < PATHS_MAX) {
        of = &all[path_count++];
        snprintf(of->path, sizeof of->path, "%s", path);
    }
    if (of)
        of->count++;
    pthread_mutex_unlock(&lock);
}

unsigned shop_visit_number(const char *path)
{
    pthread_mutex_lock(&lock);
    const struct visits *of = find(path);
    unsigned count          = of ? of->count : 0;
    pthread_mutex_unlock(&lock);
    return count;
}
