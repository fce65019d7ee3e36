/* Peers: other libraries behind a program of their own and a line protocol. */
#include "bench/common/bench.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PEER_ARGS_MAX = 64, PEER_LINE_MAX = 4096 };

struct bench_peer {
    pid_t pid;
    FILE *to, *from;
    char ready[256];
};

/* build/bench_x -> build/peers/NAME                                                               */
static void peer_path(char *out, size_t size, const char *name)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);
    char *slash;

    if (n <= 0) {
        snprintf(out, size, "build/peers/%s", name);
        return;
    }
    out[n] = '\0';
    slash = strrchr(out, '/');
    snprintf(slash + 1, size - (size_t)(slash + 1 - out), "peers/%s", name);
}

static void run_child(const char *path, const char *const *args, int in, int out)
{
    char *argv[PEER_ARGS_MAX + 2] = {(char *)(uintptr_t)path};

    for (int i = 0; args != NULL && args[i] != NULL && i < PEER_ARGS_MAX; i++)
        argv[i + 1] = (char *)(uintptr_t)args[i];
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0) _exit(126);
    close(in);
    close(out);
    execv(path, argv);
    _exit(127);
}

static bool read_reply(struct bench_peer *p, char *reply, size_t size)
{
    size_t n;

    if (fgets(reply, (int)size, p->from) == NULL) return false;
    n = strlen(reply);
    if (n > 0 && reply[n - 1] == '\n') reply[n - 1] = '\0';
    if (strncmp(reply, "error", 5) != 0) return true;
    fprintf(stderr, "peer: %s\n", reply);
    return false;
}

struct bench_peer *bench_peer_start(struct bench *b, const char *name, const char *const *args)
{
    struct bench_peer *p = calloc(1, sizeof *p);
    int to[2] = {-1, -1}, from[2] = {-1, -1};
    char path[1024], line[PEER_LINE_MAX];

    if (p == NULL) return NULL;
    peer_path(path, sizeof path, name);
    if (access(path, X_OK) != 0) {
        fprintf(b->report, "peer %s is absent (make peers says what it needs)\n", name);
        free(p);
        return NULL;
    }
    if (pipe(to) != 0 || pipe(from) != 0) goto fail;
    signal(SIGPIPE, SIG_IGN); /* a peer that died is an answer, not the end of the bench */
    fflush(NULL);
    p->pid = fork();
    if (p->pid < 0) goto fail;
    if (p->pid == 0) {
        close(to[1]);
        close(from[0]);
        run_child(path, args, to[0], from[1]);
    }
    close(to[0]);
    close(from[1]);
    p->to = fdopen(to[1], "w");
    p->from = fdopen(from[0], "r");
    if (p->to == NULL || p->from == NULL || !read_reply(p, line, sizeof line) ||
        strncmp(line, "ready", 5) != 0) {
        fprintf(b->report, "peer %s did not start\n", name);
        bench_peer_stop(p);
        return NULL;
    }
    snprintf(p->ready, sizeof p->ready, "%.255s", line[5] == ' ' ? line + 6 : line + 5);
    return p;
fail:
    fprintf(b->report, "peer %s: %s\n", name, strerror(errno));
    for (int i = 0; i < 2; i++) {
        if (to[i] >= 0) close(to[i]);
        if (from[i] >= 0) close(from[i]);
    }
    free(p);
    return NULL;
}

static bool ask(struct bench_peer *p, char *reply, size_t size, const char *fmt, va_list args)
{
    if (vfprintf(p->to, fmt, args) < 0 || fputc('\n', p->to) == EOF || fflush(p->to) != 0)
        return false;
    return read_reply(p, reply, size);
}

bool bench_peer_ask(struct bench_peer *p, char *reply, size_t size, const char *fmt, ...)
{
    va_list args;
    bool ok;

    va_start(args, fmt);
    ok = ask(p, reply, size, fmt, args);
    va_end(args);
    return ok;
}

double bench_peer_number(struct bench_peer *p, const char *fmt, ...)
{
    char reply[PEER_LINE_MAX], *end;
    va_list args;
    double v;
    bool ok;

    va_start(args, fmt);
    ok = ask(p, reply, sizeof reply, fmt, args);
    va_end(args);
    if (!ok) return NAN;
    v = strtod(reply, &end);
    return end == reply ? NAN : v;
}

const char *bench_peer_ready(const struct bench_peer *p)
{
    return p->ready;
}

void bench_peer_stop(struct bench_peer *p)
{
    if (p == NULL) return;
    if (p->to != NULL) {
        fputs("quit\n", p->to);
        fclose(p->to);
    }
    if (p->from != NULL) fclose(p->from);
    waitpid(p->pid, NULL, 0);
    free(p);
}
