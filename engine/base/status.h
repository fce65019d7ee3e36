/* status - what went wrong, and where.
 *
 * Every function that can fail returns an enum seam_status. The detail a person needs (which file, which
 * byte or line, what to do) goes into a struct seam_fault that the caller passes; NULL is allowed and
 * means "the status is enough for me". Faults are born only in seam_fault_set(), so that one breakpoint
 * stops where trouble is first seen. Expected outcomes (SEAM_NOT_FOUND, SEAM_END) are statuses too.
 *
 * Thread-safety: a fault belongs to the call it was passed to. No globals.                       */
#ifndef SEAM_ENGINE_STATUS_H
#define SEAM_ENGINE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SEAM_MUST_USE                          __attribute__((warn_unused_result))
#define SEAM_PRINTF_LIKE(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))

enum seam_status {
    SEAM_OK = 0,
    SEAM_END,         /* an iteration has no more                                             */
    SEAM_NOT_FOUND,   /* the key, file, snapshot or LSN asked for is not there                */
    SEAM_EXISTS,      /* something is there already (unique key, folder that must be empty)   */
    SEAM_CONFLICT,    /* expected version differs, or another process holds the lock          */
    SEAM_INVALID,     /* the caller's input is wrong: syntax, type, option                    */
    SEAM_LIMIT,       /* a documented limit or a memory/disk budget would be passed           */
    SEAM_UNSUPPORTED, /* well-formed, but not in the subset this program speaks               */
    SEAM_TIMEOUT,     /* a deadline passed                                                    */
    SEAM_NOMEM,       /* allocation failed                                                    */
    SEAM_IO,          /* the operating system refused; fault.os_errno says how                */
    SEAM_CORRUPT,     /* bytes on disk are not what was written                               */
    SEAM_DRIFT,       /* a check ran and found two stores (or a contract) in disagreement     */
    SEAM_STALE,       /* a freshness promise (SLA) is broken                                  */
    SEAM_COUNT
};

enum { SEAM_FAULT_WHERE_MAX = 256, SEAM_FAULT_WHY_MAX = 512 };
#define SEAM_FAULT_NO_OFFSET UINT64_MAX

struct seam_fault {
    int os_errno; /* 0 when no system call is to blame. First, so that = {0} is C++ too     */
    enum seam_status status;
    uint64_t at; /* byte offset or line; SEAM_FAULT_NO_OFFSET when neither       */
    char where[SEAM_FAULT_WHERE_MAX]; /* file, table or option; empty when none                  */
    char why[SEAM_FAULT_WHY_MAX];     /* a sentence: what is wrong and what to do                */
};

/* Records the first fault only (a fault already set is kept: the first cause is the cause) and
 * returns `st`, so that callers write `return seam_fault_set(f, SEAM_CORRUPT, path, off, "...")`.
 * `f` may be NULL; `where` may be NULL.                                                          */
enum seam_status seam_fault_set(struct seam_fault *f, enum seam_status st, const char *where,
                                uint64_t at, const char *fmt, ...) SEAM_PRINTF_LIKE(5, 6);

/* As seam_fault_set, for a failed system call: appends strerror(os_errno).                            */
enum seam_status seam_fault_set_os(struct seam_fault *f, enum seam_status st, const char *where,
                                   uint64_t at, int os_errno, const char *fmt, ...)
    SEAM_PRINTF_LIKE(6, 7);

void seam_fault_clear(struct seam_fault *f);
/* Hands what a scratch fault holds to the caller's, by the same rule: the first cause stays. Nothing happens
 * when `why` holds none or f is NULL.                                                             */
void seam_fault_give(struct seam_fault *f, const struct seam_fault *why);
/* For what may be absent: SEAM_NOT_FOUND becomes SEAM_OK with *there false, and its reason is forgotten. Any other failure
 * is returned as it came, with its reason: absent is only what was looked for and not found.      */
enum seam_status seam_fault_there(enum seam_status st, bool *there, struct seam_fault *f);
/* "no memory for WHAT" as SEAM_NOMEM; returns it. Everything that fails to allocate says so here.   */
enum seam_status seam_no_memory(struct seam_fault *f, const char *what);
/* A status from below that had no fault to fill: SEAM_NOMEM is given its reason, anything else passes. */
enum seam_status seam_no_memory_if(enum seam_status st, struct seam_fault *f, const char *what);

/* "where: byte 4096: why (Input/output error)" into out; always terminated. Returns out.         */
const char *seam_fault_text(const struct seam_fault *f, char *out, size_t size);

const char *seam_status_name(enum seam_status st); /* "ok", "corrupt", ... for JSON and messages */

/* The program's exit code for a status: 0 ok, 1 drift, 2 usage, 3 not found, 4 damaged, 5 I/O,
 * 6 conflict, 7 SLA.                                                                             */
int seam_status_exit_code(enum seam_status st);

#define seam_likely(x)    __builtin_expect(!!(x), 1)
#define seam_unlikely(x)  __builtin_expect(!!(x), 0)
#define SEAM_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#ifdef __cplusplus
}
#endif

#endif
