/* clock - all time comes from here, so that it can be simulated.
 *
 * Wall time labels (it may step backwards and is never used for order); monotonic time measures.  */
#ifndef SEAM_ENGINE_CLOCK_H
#define SEAM_ENGINE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct seam_clock {
    int64_t (*wall_us)(struct seam_clock *);  /* microseconds since 1970-01-01 UTC */
    uint64_t (*mono_ns)(struct seam_clock *); /* nanoseconds, never backwards      */
    void (*sleep_us)(struct seam_clock *, uint64_t us);
};

struct seam_clock *seam_clock_real(void);

/* May be read and advanced by any thread.                                                         */
struct seam_clock_sim {
    struct seam_clock clock; /* pass &s.clock */
    int64_t wall_us;
    uint64_t mono_ns;
    int64_t tick_us; /* both advance by this at every reading */
};
void seam_clock_sim_init(struct seam_clock_sim *s, int64_t wall_us);
void seam_clock_sim_advance(struct seam_clock_sim *s, int64_t us);

static inline int64_t seam_clock_wall_us(struct seam_clock *c)
{
    return c->wall_us(c);
}
static inline uint64_t seam_clock_mono_ns(struct seam_clock *c)
{
    return c->mono_ns(c);
}

#ifdef __cplusplus
}
#endif

#endif
