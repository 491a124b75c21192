#include "cli_dev_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/str.h"
#include "cli_dev_show.h"

#define DISK_NEEDED (UINT64_C(4) << 30) /* max_file_store */

static const char HELLO[] =
    "{\"name\":\"hello\",\n"
    " \"input\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"default\":"
    "\"world\"}}},\n"
    " \"steps\":[\n"
    "  {\"id\":\"greet\",\"set\":{\"text\":\"hello ${.input.name}\"}},\n"
    "  "
    "{\"id\":\"good\",\"end\":{\"status\":\"done\",\"result\":{\"text\":\"${.vars.text}\"}}}]}"
    "\n";

#define REFUSE(...) (fprintf(stderr, "sluice dev: " __VA_ARGS__), fputc('\n', stderr), false)

static bool write_hello(const struct cli_dev *dev)
{
    char path[PATH_MAX + 32];
    FILE *file;

    str_format(path, sizeof(path), "%s/hello.json", dev->store);
    if (access(path, F_OK) == 0)
        return true;
    file = fopen(path, "we");
    if (!file)
        return false;
    bool written = fputs(HELLO, file) >= 0;
    return fclose(file) == 0 && written;
}

/* Two nats-servers on one store would ruin it. */
static bool lock_store(struct cli_dev *dev)
{
    char path[PATH_MAX + 32];

    str_format(path, sizeof(path), "%s/lock", dev->store);
    dev->lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (dev->lock < 0)
        return REFUSE("cannot write into %s: %s; name another folder with --store", dev->store,
                      strerror(errno));
    if (flock(dev->lock, LOCK_EX | LOCK_NB) != 0)
        return REFUSE("another sluice dev uses %s; end it, or name another folder with --store",
                      dev->store);
    return true;
}

bool cli_dev_store_open(struct cli_dev *dev, const char *given)
{
    const char *folder = given ? given : "./.sluice";
    struct statvfs disk;

    if (strlen(folder) > PATH_MAX - 64)
        return REFUSE("--store is too long");
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return REFUSE("cannot make the folder %s: %s", folder, strerror(errno));
    str_copy(dev->store, sizeof(dev->store), folder);
    if (!lock_store(dev) || !write_hello(dev))
        return false;
    if (!dev->no_nats && statvfs(folder, &disk) == 0 &&
        (uint64_t)disk.f_bavail * disk.f_frsize < DISK_NEEDED)
        cli_dev_show(dev, "warning: less than 4 GB of disk are free at %s", folder);
    return true;
}
