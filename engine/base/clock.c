/* clock - the machine's clock, and one that stands still until it is told to go on. */
#include "engine/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

static int64_t real_wall_us(struct seam_clock *c)
{
    struct timespec t;

    (void)c;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static uint64_t real_mono_ns(struct seam_clock *c)
{
    struct timespec t;

    (void)c;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void real_sleep_us(struct seam_clock *c, uint64_t us)
{
    struct timespec t = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};

    (void)c;
    while (nanosleep(&t, &t) != 0 && errno == EINTR) continue;
}

struct seam_clock *seam_clock_real(void)
{
    /* Stateless; not const only because a simulated clock advances through the same pointer.      */
    static struct seam_clock real = {real_wall_us, real_mono_ns, real_sleep_us};

    return &real;
}

static struct seam_clock_sim *sim_of(struct seam_clock *c)
{
    return (struct seam_clock_sim *)(void *)c;
}

void seam_clock_sim_advance(struct seam_clock_sim *s, int64_t us)
{
    assert(us >= 0);
    __atomic_fetch_add(&s->wall_us, us, __ATOMIC_RELAXED);
    __atomic_fetch_add(&s->mono_ns, (uint64_t)us * 1000, __ATOMIC_RELAXED);
}

static int64_t sim_wall_us(struct seam_clock *c)
{
    struct seam_clock_sim *s = sim_of(c);

    seam_clock_sim_advance(s, s->tick_us);
    return __atomic_load_n(&s->wall_us, __ATOMIC_RELAXED);
}

static uint64_t sim_mono_ns(struct seam_clock *c)
{
    struct seam_clock_sim *s = sim_of(c);

    seam_clock_sim_advance(s, s->tick_us);
    return __atomic_load_n(&s->mono_ns, __ATOMIC_RELAXED);
}

static void sim_sleep_us(struct seam_clock *c, uint64_t us)
{
    seam_clock_sim_advance(sim_of(c), (int64_t)us);
}

void seam_clock_sim_init(struct seam_clock_sim *s, int64_t wall_us)
{
    *s = (struct seam_clock_sim){
        .clock = {sim_wall_us, sim_mono_ns, sim_sleep_us},
        .wall_us = wall_us,
        .mono_ns = 1000000000u,
        .tick_us = 1,
    };
}
