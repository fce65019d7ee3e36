/* peer - the other end of bench_peer_*: a program under bench/peers/ that wraps another library.
 *
 *     peer_ready("hnswlib 0.8");
 *     while (peer_line(line, sizeof line))
 *         if (strcmp(line, "build") == 0) { ...; peer_reply("%.9g", seconds); }
 *         else peer_reply("error unknown command");
 *
 * Valid C and C++. Header only: a peer links nothing of ours.                                     */
#ifndef SEAM_BENCH_COMMON_PEER_H
#define SEAM_BENCH_COMMON_PEER_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static inline uint64_t peer_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((format(printf, 1, 2))) static inline void peer_reply(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static inline void peer_ready(const char *version)
{
    peer_reply("ready %s", version);
}

/* The next command without its newline; 0 at the end.                                             */
static inline int peer_line(char *line, size_t size)
{
    size_t n;

    if (fgets(line, (int)size, stdin) == NULL) return 0;
    n = strlen(line);
    if (n > 0 && line[n - 1] == '\n') line[n - 1] = '\0';
    return strcmp(line, "quit") != 0;
}

#endif
