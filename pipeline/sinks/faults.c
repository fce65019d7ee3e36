#include "pipeline/sinks/faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool named(const char *list, const char *sink, const char *kind)
{
    size_t s = strlen(sink), k = strlen(kind);

    for (const char *p = list; p != NULL && *p != '\0';
         p = strchr(p, ',') != NULL ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, sink, s) == 0 && p[s] == ':' && strncmp(p + s + 1, kind, k) == 0 &&
            (p[s + 1 + k] == '\0' || p[s + 1 + k] == ','))
            return true;
    return false;
}

struct sink_faults sink_faults_of(const char *sink)
{
    const char *list = getenv("SEAM_FAULT");
    struct sink_faults f = {0};

    if (list == NULL || *list == '\0') return f;
    f.drop_deletes = named(list, sink, "drop-deletes");
    f.drop_updates = named(list, sink, "drop-updates");
    f.duplicate = named(list, sink, "duplicate");
    f.withhold = named(list, sink, "withhold");
    f.stall = named(list, sink, "stall");
    f.poison = named(list, sink, "poison");
    f.any = f.drop_deletes || f.drop_updates || f.duplicate || f.withhold || f.stall || f.poison;
    return f;
}

/* ---- the clock ---- */

static struct sink_fault_clock *stepped(struct seam_clock *c)
{
    return (struct sink_fault_clock *)(void *)c;
}

static int64_t stepped_wall_us(struct seam_clock *c)
{
    struct sink_fault_clock *s = stepped(c);

    return seam_clock_wall_us(s->real) -
           (seam_clock_mono_ns(s->real) >= s->step_ns ? s->back_us : 0);
}

static uint64_t stepped_mono_ns(struct seam_clock *c)
{
    return seam_clock_mono_ns(stepped(c)->real);
}

static void stepped_sleep_us(struct seam_clock *c, uint64_t us)
{
    stepped(c)->real->sleep_us(stepped(c)->real, us);
}

struct seam_clock *sink_faults_clock(struct sink_fault_clock *storage, struct seam_clock *real)
{
    const char *list = getenv("SEAM_FAULT"),
               *at = list != NULL ? strstr(list, "clock:back=") : NULL;
    unsigned long long seconds, after_ms;

    if (at == NULL || sscanf(at, "clock:back=%9llu/%9llu", &seconds, &after_ms) != 2) return real;
    *storage =
        (struct sink_fault_clock){.clock = {stepped_wall_us, stepped_mono_ns, stepped_sleep_us},
                                  .real = real,
                                  .step_ns = seam_clock_mono_ns(real) + after_ms * 1000000,
                                  .back_us = (int64_t)seconds * 1000000};
    return &storage->clock;
}
