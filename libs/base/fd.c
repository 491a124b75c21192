#include "base/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/must.h"

void fd_take_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", O_RDWR) != fd) /* the lowest that is free */
            die(1, "cannot open /dev/null");
}
