#include "engine/base/status.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set(struct fault *f, enum status st, const char *where, uint64_t at, int os_errno,
                const char *fmt, va_list args)
{
    if (f == NULL || f->status != ST_OK) return; /* the first cause is the cause */
    f->status = st;
    f->os_errno = os_errno;
    f->at = at;
    snprintf(f->where, sizeof f->where, "%s", where != NULL ? where : "");
    vsnprintf(f->why, sizeof f->why, fmt, args);
}

enum status fault_set(struct fault *f, enum status st, const char *where, uint64_t at,
                      const char *fmt, ...)
{
    va_list args;

    assert(st != ST_OK);
    va_start(args, fmt);
    set(f, st, where, at, 0, fmt, args);
    va_end(args);
    return st;
}

enum status fault_set_os(struct fault *f, enum status st, const char *where, uint64_t at,
                         int os_errno, const char *fmt, ...)
{
    va_list args;

    assert(st != ST_OK);
    va_start(args, fmt);
    set(f, st, where, at, os_errno, fmt, args);
    va_end(args);
    return st;
}

void fault_clear(struct fault *f)
{
    if (f != NULL) memset(f, 0, sizeof *f);
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

const char *fault_text(const struct fault *f, char *out, size_t size)
{
    char position[48] = "", os[160] = "", scratch[128];

    assert(size > 0);
    if (f->at != FAULT_NO_OFFSET && f->where[0] != '\0') {
        const char *unit = f->status == ST_CORRUPT || f->status == ST_IO ? "byte" : "at";

        snprintf(position, sizeof position, "%s %llu: ", unit, (unsigned long long)f->at);
    }
    if (f->os_errno != 0)
        snprintf(os, sizeof os, " (%s)", os_error_text(f->os_errno, scratch, sizeof scratch));
    snprintf(out, size, "%s%s%s%s%s", f->where, f->where[0] != '\0' ? ": " : "", position,
             f->why[0] != '\0' ? f->why : status_name(f->status), os);
    return out;
}

static const char *const names[ST_COUNT] = {
    [ST_OK] = "ok",           [ST_END] = "end",
    [ST_NOT_FOUND] = "not_found", [ST_EXISTS] = "exists",
    [ST_CONFLICT] = "conflict",   [ST_INVALID] = "invalid",
    [ST_LIMIT] = "limit",     [ST_UNSUPPORTED] = "unsupported",
    [ST_TIMEOUT] = "timeout", [ST_NOMEM] = "no_memory",
    [ST_IO] = "io",           [ST_CORRUPT] = "corrupt",
    [ST_DRIFT] = "drift",     [ST_STALE] = "stale",
};

const char *status_name(enum status st)
{
    return (unsigned)st < ST_COUNT ? names[st] : "unknown";
}

int status_exit_code(enum status st)
{
    switch (st) {
    case ST_OK:
    case ST_END: return 0;
    case ST_DRIFT: return 1;
    case ST_INVALID:
    case ST_UNSUPPORTED:
    case ST_LIMIT: return 2;
    case ST_NOT_FOUND: return 3;
    case ST_CORRUPT: return 4;
    case ST_NOMEM:
    case ST_TIMEOUT:
    case ST_IO: return 5;
    case ST_EXISTS:
    case ST_CONFLICT: return 6;
    case ST_STALE: return 7;
    case ST_COUNT: break;
    }
    return 1;
}
