#include "engine/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

static int64_t real_wall_us(struct clock *c)
{
    struct timespec t;

    (void)c;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static uint64_t real_mono_ns(struct clock *c)
{
    struct timespec t;

    (void)c;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void real_sleep_us(struct clock *c, uint64_t us)
{
    struct timespec t = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};

    (void)c;
    while (nanosleep(&t, &t) != 0 && errno == EINTR) continue;
}

struct clock *clock_real(void)
{
    /* Stateless; not const only because a simulated clock advances through the same pointer.      */
    static struct clock real = {real_wall_us, real_mono_ns, real_sleep_us};

    return &real;
}

static struct clock_sim *sim_of(struct clock *c) { return (struct clock_sim *)(void *)c; }

void clock_sim_advance(struct clock_sim *s, int64_t us)
{
    assert(us >= 0);
    __atomic_fetch_add(&s->wall_us, us, __ATOMIC_RELAXED);
    __atomic_fetch_add(&s->mono_ns, (uint64_t)us * 1000, __ATOMIC_RELAXED);
}

static int64_t sim_wall_us(struct clock *c)
{
    struct clock_sim *s = sim_of(c);

    clock_sim_advance(s, s->tick_us);
    return __atomic_load_n(&s->wall_us, __ATOMIC_RELAXED);
}

static uint64_t sim_mono_ns(struct clock *c)
{
    struct clock_sim *s = sim_of(c);

    clock_sim_advance(s, s->tick_us);
    return __atomic_load_n(&s->mono_ns, __ATOMIC_RELAXED);
}

static void sim_sleep_us(struct clock *c, uint64_t us)
{
    clock_sim_advance(sim_of(c), (int64_t)us);
}

void clock_sim_init(struct clock_sim *s, int64_t wall_us)
{
    *s = (struct clock_sim){
        .clock = {sim_wall_us, sim_mono_ns, sim_sleep_us},
        .wall_us = wall_us,
        .mono_ns = 1000000000u,
        .tick_us = 1,
    };
}
