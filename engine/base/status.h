/* status - what went wrong, and where.
 *
 * Every function that can fail returns an enum status. The detail a person needs (which file, which
 * byte or line, what to do) goes into a struct fault that the caller passes; NULL is allowed and
 * means "the status is enough for me". Faults are born only in fault_set(), so that one breakpoint
 * stops where trouble is first seen. Expected outcomes (ST_NOT_FOUND, ST_END) are statuses too.
 *
 * Thread-safety: a fault belongs to the call it was passed to. No globals.                       */
#ifndef SEAM_ENGINE_STATUS_H
#define SEAM_ENGINE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))

enum status {
    ST_OK = 0,
    ST_END,         /* an iteration has no more                                             */
    ST_NOT_FOUND,   /* the key, file, snapshot or LSN asked for is not there                */
    ST_EXISTS,      /* something is there already (unique key, folder that must be empty)   */
    ST_CONFLICT,    /* expected version differs, or another process holds the lock          */
    ST_INVALID,     /* the caller's input is wrong: syntax, type, option                    */
    ST_LIMIT,       /* a documented limit or a memory/disk budget would be passed           */
    ST_UNSUPPORTED, /* well-formed, but not in the subset this program speaks               */
    ST_TIMEOUT,     /* a deadline passed                                                    */
    ST_NOMEM,       /* allocation failed                                                    */
    ST_IO,          /* the operating system refused; fault.os_errno says how                */
    ST_CORRUPT,     /* bytes on disk are not what was written                               */
    ST_DRIFT,       /* a check ran and found two stores (or a contract) in disagreement     */
    ST_STALE,       /* a freshness promise (SLA) is broken                                  */
    ST_COUNT
};

enum { FAULT_WHERE_MAX = 256, FAULT_WHY_MAX = 512 };
#define FAULT_NO_OFFSET UINT64_MAX

struct fault {
    enum status status;
    int os_errno;                /* 0 when no system call is to blame                       */
    uint64_t at;                 /* byte offset or line; FAULT_NO_OFFSET when neither       */
    char where[FAULT_WHERE_MAX]; /* file, table or option; empty when none                  */
    char why[FAULT_WHY_MAX];     /* a sentence: what is wrong and what to do                */
};

/* Records the first fault only (a fault already set is kept: the first cause is the cause) and
 * returns `st`, so that callers write `return fault_set(f, ST_CORRUPT, path, off, "...")`.
 * `f` may be NULL; `where` may be NULL.                                                          */
enum status fault_set(struct fault *f, enum status st, const char *where, uint64_t at,
                      const char *fmt, ...) PRINTF_LIKE(5, 6);

/* As fault_set, for a failed system call: appends strerror(os_errno).                            */
enum status fault_set_os(struct fault *f, enum status st, const char *where, uint64_t at,
                         int os_errno, const char *fmt, ...) PRINTF_LIKE(6, 7);

void fault_clear(struct fault *f);

/* "where: byte 4096: why (Input/output error)" into out; always terminated. Returns out.         */
const char *fault_text(const struct fault *f, char *out, size_t size);

const char *status_name(enum status st); /* "ok", "corrupt", ... for JSON and messages */

/* The program's exit code for a status: 0 ok, 1 drift, 2 usage, 3 not found, 4 damaged, 5 I/O,
 * 6 conflict, 7 SLA.                                                                             */
int status_exit_code(enum status st);

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
