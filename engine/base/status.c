/* status - the names of statuses, and how a fault is filled in and said. */
#include "engine/base/status.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set(struct seam_fault *f, enum seam_status st, const char *where, uint64_t at,
                int os_errno, const char *fmt, va_list args)
{
    if (f == NULL || f->status != SEAM_OK) return; /* the first cause is the cause */
    f->status = st;
    f->os_errno = os_errno;
    f->at = at;
    snprintf(f->where, sizeof f->where, "%s", where != NULL ? where : "");
    vsnprintf(f->why, sizeof f->why, fmt, args);
}

enum seam_status seam_fault_set(struct seam_fault *f, enum seam_status st, const char *where,
                                uint64_t at, const char *fmt, ...)
{
    va_list args;

    assert(st != SEAM_OK);
    va_start(args, fmt);
    set(f, st, where, at, 0, fmt, args);
    va_end(args);
    return st;
}

enum seam_status seam_fault_set_os(struct seam_fault *f, enum seam_status st, const char *where,
                                   uint64_t at, int os_errno, const char *fmt, ...)
{
    va_list args;

    assert(st != SEAM_OK);
    va_start(args, fmt);
    set(f, st, where, at, os_errno, fmt, args);
    va_end(args);
    return st;
}

void seam_fault_clear(struct seam_fault *f)
{
    if (f != NULL) memset(f, 0, sizeof *f);
}

void seam_fault_give(struct seam_fault *f, const struct seam_fault *why)
{
    assert(f != why);
    if (f != NULL && f->status == SEAM_OK && why->status != SEAM_OK) *f = *why;
}

enum seam_status seam_fault_there(enum seam_status st, bool *there, struct seam_fault *f)
{
    *there = st == SEAM_OK;
    if (st != SEAM_NOT_FOUND) return st;
    if (f != NULL && f->status == SEAM_NOT_FOUND) seam_fault_clear(f);
    return SEAM_OK;
}

enum seam_status seam_no_memory(struct seam_fault *f, const char *what)
{
    return seam_fault_set(f, SEAM_NOMEM, NULL, SEAM_FAULT_NO_OFFSET, "no memory for %s", what);
}

enum seam_status seam_no_memory_if(enum seam_status st, struct seam_fault *f, const char *what)
{
    return st == SEAM_NOMEM ? seam_no_memory(f, what) : st;
}

/* strerror_r has two incompatible forms, and strerror is not thread-safe; this takes either form. */
static const char *os_error_text(int os_errno, char *scratch, size_t size)
{
#ifdef __GLIBC__
    return strerror_r(os_errno, scratch, size);
#else
    if (strerror_r(os_errno, scratch, size) != 0) snprintf(scratch, size, "error %d", os_errno);
    return scratch;
#endif
}

const char *seam_fault_text(const struct seam_fault *f, char *out, size_t size)
{
    char position[48] = "", os[160] = "", scratch[128];

    assert(size > 0);
    if (f->at != SEAM_FAULT_NO_OFFSET && f->where[0] != '\0') {
        const char *unit = f->status == SEAM_CORRUPT || f->status == SEAM_IO ? "byte" : "at";

        snprintf(position, sizeof position, "%s %llu: ", unit, (unsigned long long)f->at);
    }
    if (f->os_errno != 0)
        snprintf(os, sizeof os, " (%s)", os_error_text(f->os_errno, scratch, sizeof scratch));
    snprintf(out, size, "%s%s%s%s%s", f->where, f->where[0] != '\0' ? ": " : "", position,
             f->why[0] != '\0' ? f->why : seam_status_name(f->status), os);
    return out;
}

static const char *const names[SEAM_COUNT] = {
    [SEAM_OK] = "ok",
    [SEAM_END] = "end",
    [SEAM_NOT_FOUND] = "not_found",
    [SEAM_EXISTS] = "exists",
    [SEAM_CONFLICT] = "conflict",
    [SEAM_INVALID] = "invalid",
    [SEAM_LIMIT] = "limit",
    [SEAM_UNSUPPORTED] = "unsupported",
    [SEAM_TIMEOUT] = "timeout",
    [SEAM_NOMEM] = "no_memory",
    [SEAM_IO] = "io",
    [SEAM_CORRUPT] = "corrupt",
    [SEAM_DRIFT] = "drift",
    [SEAM_STALE] = "stale",
};

const char *seam_status_name(enum seam_status st)
{
    return (unsigned)st < SEAM_COUNT ? names[st] : "unknown";
}

int seam_status_exit_code(enum seam_status st)
{
    switch (st) {
    case SEAM_OK:
    case SEAM_END: return 0;
    case SEAM_DRIFT: return 1;
    case SEAM_INVALID:
    case SEAM_UNSUPPORTED:
    case SEAM_LIMIT: return 2;
    case SEAM_NOT_FOUND: return 3;
    case SEAM_CORRUPT: return 4;
    case SEAM_NOMEM:
    case SEAM_TIMEOUT:
    case SEAM_IO: return 5;
    case SEAM_EXISTS:
    case SEAM_CONFLICT: return 6;
    case SEAM_STALE: return 7;
    case SEAM_COUNT: break;
    }
    return 1;
}
