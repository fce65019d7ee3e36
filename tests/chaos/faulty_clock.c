/* faulty_clock - a clock that is set back while the process runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/chaos/faults.h"

static struct chaos_clock *stepped(struct seam_clock *c)
{
    return (struct chaos_clock *)(void *)c;
}

static int64_t stepped_wall_us(struct seam_clock *c)
{
    struct chaos_clock *s = stepped(c);

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

struct seam_clock *chaos_clock(struct chaos_clock *storage, struct seam_clock *real)
{
    const char *list = getenv("SEAM_FAULT"),
               *at = list != NULL ? strstr(list, "clock:back=") : NULL;
    unsigned long long seconds, after_ms;

    if (at == NULL || sscanf(at, "clock:back=%9llu/%9llu", &seconds, &after_ms) != 2) return real;
    *storage = (struct chaos_clock){.clock = {stepped_wall_us, stepped_mono_ns, stepped_sleep_us},
                                    .real = real,
                                    .step_ns = seam_clock_mono_ns(real) + after_ms * 1000000,
                                    .back_us = (int64_t)seconds * 1000000};
    return &storage->clock;
}
