/* phrase - how often the words of a phrase stand together in a document, from their positions. */
#include <assert.h>
#include <string.h>

#include "engine/base/walk.h"
#include "invidx/exec.h"

/* A position of the list in [lo, hi]?                                                                    */
static bool in_range(const uint32_t *v, uint32_t n, int64_t lo, int64_t hi)
{
    uint32_t a = 0, b = n;
    SEAM_WALK(n == 0 || v != NULL);

    while (a < b) {
        uint32_t mid = a + (b - a) / 2;

        if (v[mid] < lo)
            a = mid + 1;
        else
            b = mid;
    }
    SEAM_WALK(a == b);
    return a < n && v[a] <= hi;
}

/* Positions of the first word for which some stretch of slop+1 places holds every word (each shifted back by
 * its place in the phrase). Fields are 2^20 apart, so no stretch spans two.                              */
static uint32_t sloppy(const struct invidx_leaf *l, struct invidx_cursor *c, const uint32_t *i)
{
    uint32_t n0, total = 0;
    const uint32_t *v0 = invidx_postings_positions(c[0].p, i[0], &n0);
    assert(l->phrase);
    assert(l->count > 0 && c[0].p->have_pos);

    for (uint32_t k = 0; k < n0; k++) {
        int64_t at = v0[k], field = at >> POSITION_FIELD_SHIFT;
        bool found = false;

        if (l->weights[field] == 0) continue;
        for (int64_t from = at - l->slop; from <= at && !found; from++) {
            found = true;
            for (uint32_t t = 1; t < l->count && found; t++) {
                uint32_t n;
                const uint32_t *v = invidx_postings_positions(c[t].p, i[t], &n);
                int64_t lo = from + l->terms[t].pos, hi = lo + l->slop;
                int64_t low_end = field << POSITION_FIELD_SHIFT,
                        high_end = low_end + INVIDX_FIELD_TOKENS_MAX - 1;

                found = in_range(v, n, lo < low_end ? low_end : lo, hi > high_end ? high_end : hi);
            }
        }
        if (found) total += l->weights[field];
    }
    return total;
}

/* Two words side by side, by far the most common phrase.                                                 */
static uint32_t pair_frequency(const struct invidx_leaf *l, struct invidx_cursor *c,
                               const uint32_t *i)
{
    uint32_t na, nb, total = 0, apart = l->terms[1].pos;
    const uint32_t *a = invidx_postings_positions(c[0].p, i[0], &na),
                   *b = invidx_postings_positions(c[1].p, i[1], &nb);
    assert(l->count == 2);
    assert(l->terms[0].pos == 0);

    for (uint32_t k = 0, j = 0; k < na; k++) {
        uint32_t want = a[k] + apart;

        while (j < nb && b[j] < want) j++;
        if (j == nb) break;
        if (b[j] == want) total += l->weights[a[k] >> POSITION_FIELD_SHIFT];
    }
    return total;
}

uint32_t invidx_phrase_frequency(const struct invidx_leaf *l, struct invidx_cursor *c,
                                 const uint32_t *i)
{
    const uint32_t *v[256];
    uint32_t n[256], at[256], total = 0;
    assert(l->phrase);
    assert(l->count >= 1);

    if (l->slop > 0 || l->count > 256) return sloppy(l, c, i);
    if (l->count == 2) return pair_frequency(l, c, i);
    memset(at, 0, l->count * sizeof *at);
    for (uint32_t t = 0; t < l->count; t++) v[t] = invidx_postings_positions(c[t].p, i[t], &n[t]);
    for (uint32_t k = 0; k < n[0]; k++) {
        uint32_t t = 1;

        for (; t < l->count; t++) {
            uint32_t want = v[0][k] + l->terms[t].pos;

            while (at[t] < n[t] && v[t][at[t]] < want) at[t]++;
            if (at[t] == n[t]) return total;
            if (v[t][at[t]] != want) break;
        }
        if (t == l->count) total += l->weights[v[0][k] >> POSITION_FIELD_SHIFT];
    }
    return total;
}
