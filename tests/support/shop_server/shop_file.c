#include "shop_server/shop_file.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *type_of(const char *path)
{
    static const struct {
        const char *end, *type;
    } TYPES[]       = {{".html", "text/html; charset=utf-8"},
                       {".css", "text/css"},
                       {".js", "text/javascript"},
                       {".svg", "image/svg+xml"},
                       {".json", "application/json"}};
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof TYPES / sizeof *TYPES; i++)
        if (strcmp(dot, TYPES[i].end) == 0)
            return TYPES[i].type;
    return "application/octet-stream";
}

static bool name_file(const char *root, const char *path, char *ret, size_t size)
{
    const char *last = strrchr(path, '/');
    const char *page = strchr(last ? last : path, '.') ? ""
                       : last && last[1] ? ".html"
                                         : "index.html";
    int len          = snprintf(ret, size, "%s%s%s", root, path, page);

    return path[0] == '/' && !strstr(path, "..") && len > 0 && (size_t)len < size;
}

struct MHD_Response *shop_file_answer(const char *root, const char *path)
{
    char name[1024];
    struct stat info;
    int fd = name_file(root, path, name, sizeof name) ? open(name, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return NULL;
    }
    struct MHD_Response *answer = MHD_create_response_from_fd64((uint64_t)info.st_size, fd);
    MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, type_of(name));
    return answer;
}
