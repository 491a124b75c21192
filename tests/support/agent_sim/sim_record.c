#include "agent_sim/sim_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_sim/sim_base.h"
#include "agent_sim/sim_clock.h"
#include "agent_sim/sim_judge.h"

static int open_file(const char *path)
{
    if (path)
        return open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    char name[] = "/tmp/agent_sim.XXXXXX";
    int fd      = mkostemp(name, O_APPEND | O_CLOEXEC);

    if (fd >= 0)
        (void)unlink(name);
    return fd;
}

static void put_kind(struct sim_record *record, enum sim_event_kind kind)
{
    sim_record_put(record, &(struct sim_event){.kind = kind});
}

/* A simulator killed in mid-write left half a line: end it, so that ours begin a line. */
static void end_last_line(int fd, off_t size)
{
    char last = '\n';

    if (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n' &&
        write(fd, "\n", 1) != 1)
        sim_base_die("record", strerror(errno));
}

void sim_record_init(struct sim_record *record, const char *path)
{
    *record = (struct sim_record){.fd = open_file(path), .first = 1, .judge = sim_judge_new()};
    if (record->fd < 0)
        sim_base_die("record", strerror(errno));
    end_last_line(record->fd, lseek(record->fd, 0, SEEK_END));
    record->end = lseek(record->fd, 0, SEEK_END);
    put_kind(record, SIM_EVENT_START);
}

void sim_record_deinit(struct sim_record *record)
{
    sim_judge_free(&record->judge);
    sim_base_free(record->begins);
    (void)close(record->fd);
    *record = (struct sim_record){.fd = -1};
}

static void write_line(struct sim_record *record, const char *line, size_t len)
{
    while (len > 0) {
        ssize_t put = write(record->fd, line, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            sim_base_die("record", strerror(errno));
        line += put;
        len -= (size_t)put;
        record->end += put;
    }
}

void sim_record_put(struct sim_record *record, struct sim_event *event)
{
    struct sim_clock now = sim_clock_now();

    if (event->ns == 0)
        event->ns = now.ns;
    if (event->wall_ms == 0)
        event->wall_ms = now.wall_ns / 1000000u;
    if (event->kind == SIM_EVENT_RESET) {
        record->first += record->count;
        record->count = 0;
    }
    event->number = record->first + record->count;

    char *line = sim_event_line(event);

    record->begins =
        sim_base_grow(record->begins, record->count, &record->room, sizeof *record->begins);
    record->begins[record->count++] = record->end;
    write_line(record, line, strlen(line));
    sim_base_free(line);
    sim_judge_put(record->judge, event);
}

uint64_t sim_record_lines(const struct sim_record *record, uint64_t from, size_t limit,
                          struct sim_buf *ret)
{
    size_t at = from > record->first ? (size_t)(from - record->first) : 0;

    if (at >= record->count)
        return record->first + record->count;

    size_t stop = record->count - at > limit ? at + limit : record->count;
    off_t begin = record->begins[at];
    off_t end   = stop < record->count ? record->begins[stop] : record->end;

    sim_buf_reserve(ret, (size_t)(end - begin));
    while (begin < end) {
        ssize_t got = pread(record->fd, ret->data + ret->len, (size_t)(end - begin), begin);

        if (got <= 0)
            sim_base_die("record", got < 0 ? strerror(errno) : "cut from outside");
        ret->len += (size_t)got;
        begin += got;
    }
    return record->first + stop;
}
