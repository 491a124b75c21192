/*
 * sluice-eval - runs one tenant's jq program after the other, where it can do no harm.
 *
 * It is started by bw_eval and talks to it alone (eval/frame.h).  It gives up every right before it reads the first
 * request: environment, files, processes, memory beyond 64 MB, and all system calls but a dozen.  Time is its
 * parent's affair: whoever evaluates `def f: f; f` cannot be asked to stop.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "bw_eval.h"
#include "eval/frame.h"
#include "json/json.h"
#include "json/json_jq.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum {
    STATUS_CANNOT   = 1, /* a right could not be given up  */
    STATUS_CONFUSED = 2, /* the parent talks nonsense      */
    RETIRE_AT =
        16 << 20, /* bytes held between two requests: what jq leaked, and programs kept */
};

#if SANITIZED
/* The sanitizers need terabytes of addresses and more system calls than we allow: they bound memory themselves.  A
   crash of jq's, which is not our code, is to look as it does without them. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "max_allocation_size_mb=48:allocator_may_return_null=1:quarantine_size_mb=4:"
           "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_abort=0";
}
#endif

/* ------------------------------------------------------------------------- giving up rights */

/* What the process has now, in bytes of address space. */
static size_t size_now(void)
{
    unsigned long pages = 0;
    FILE *f             = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (fscanf(f, "%lu", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static bool limit(__rlimit_resource_t what, rlim_t most)
{
    return setrlimit(what, &(struct rlimit){most, most}) == 0;
}

static bool give_up_resources(void)
{
    size_t size = size_now();

    if (!SANITIZED && (size == 0 || !limit(RLIMIT_AS, size + BW_EVAL_MEMORY)))
        return false;
    return limit(RLIMIT_NOFILE, 3) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NPROC, 0) &&
           limit(RLIMIT_CORE, 0) && limit(RLIMIT_MEMLOCK, 0);
}

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define REFUSE ANSWER(SECCOMP_RET_ERRNO | EPERM)
#define ALLOW(call) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 1), ANSWER(SECCOMP_RET_ALLOW)

/* All that jq and malloc need.  What asks for more gets EPERM and goes on with that: localtime takes UTC. */
static bool give_up_system_calls(void)
{
    struct sock_filter filter[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
        ALLOW(read),
        ALLOW(write),
        ALLOW(exit),
        ALLOW(exit_group),
        ALLOW(brk),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(madvise),
        ALLOW(futex),
        ALLOW(clock_gettime),
        ALLOW(rt_sigreturn),
        ALLOW(rt_sigprocmask),
        /* New memory, but no files into it, and none that can be executed. */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 0, 5),
        LOAD(args[2]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 6, 0),
        LOAD(args[3]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 0, 4),
        ANSWER(SECCOMP_RET_ALLOW),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mprotect, 0, 2),
        LOAD(args[2]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
        REFUSE,
        ANSWER(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};

    /* A kernel without it is rare; the other rights are given up all the same. */
    return SANITIZED || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ||
           errno == EINVAL;
}
#else
static bool give_up_system_calls(void)
{
    return true;
}
#endif

/* The first use of jq reads and allocates what it never gives back; better with the rights to, and before we measure. */
static bool warm_up(void)
{
    AUTO(buf_deinit) struct buf to = {0};
    char why[JSON_WHY_SIZE];

    tzset();
    buf_init(&to, 16);
    return !failed(json_jq("\"a\" | test(\"a\")", bytes_str("{}"), &to, why, sizeof why));
}

static bool give_up_rights(void)
{
    clearenv();
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && close_range(3, ~0U, 0) == 0 &&
           warm_up() && give_up_resources() && give_up_system_calls();
}

/* ---------------------------------------------------------------------------------- serving */

static bool get(void *to, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = read(STDIN_FILENO, (char *)to + done, len - done);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool put(const void *from, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(STDOUT_FILENO, (const char *)from + done, len - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool answer(enum eval_kind kind, const void *at, size_t len)
{
    struct eval_answer head = {.kind = kind, .len = (uint32_t)len};

    return put(&head, sizeof head) && put(at, len);
}

static bool evaluate(const char *program, size_t program_len, struct bytes scope)
{
    AUTO(buf_deinit) struct buf to = {0};
    char why[JSON_WHY_SIZE]        = "the program holds a zero byte";

    buf_init(&to, BW_EVAL_ANSWER_MAX);
    if (strlen(program) == program_len &&
        !failed(json_jq(program, scope, &to, why, sizeof why)))
        return answer(EVAL_VALUE, to.at, to.len);
    return answer(EVAL_FAILED, why, strlen(why));
}

static bool serve_one(const struct eval_ask *ask)
{
    AUTO(mem_free) char *program = mem_array(ask->program_len + 1, 1);
    AUTO(mem_free) char *scope   = mem_array(ask->scope_len + 1, 1);

    return get(program, ask->program_len) && get(scope, ask->scope_len) &&
           evaluate(program, ask->program_len, bytes_of(scope, ask->scope_len));
}

/* Has jq leaked so much, or is so much kept, that it is time to begin anew? */
static bool is_large(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd > RETIRE_AT;
}

int main(void)
{
    struct eval_ask ask;

    if (!give_up_rights())
        return STATUS_CANNOT;
    while (!is_large()) {
        if (!answer(EVAL_READY, NULL, 0) || !get(&ask, sizeof ask))
            return 0; /* the parent is gone */
        if (ask.program_len > BW_EVAL_PROGRAM_MAX || ask.scope_len > BW_EVAL_SCOPE_MAX ||
            !serve_one(&ask))
            return STATUS_CONFUSED;
    }
    return 0;
}
