/* broken_tale - what the broken relays are heard to say, and which orders came out of them. */
#include "pipeline/lab/broken.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/values/key.h"

void lab_broken_say(struct lab_broken_shop *s, const char *format, ...)
{
    char line[160];
    va_list args;

    if (s->trial.lab == NULL) return;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    seam_buf_printf(&s->tale, "%s\n", line);
}

enum seam_status lab_broken_note(struct lab_order_list *list, const void *key, size_t n,
                                 struct seam_fault *f)
{
    const uint8_t *p = key;
    struct seam_buf text = {0};
    struct seam_value v;
    enum seam_status st = seam_key_read(&p, p + n, SEAM_V_INT, &v, &text);

    seam_buf_free(&text);
    if (st != SEAM_OK)
        return seam_fault_set(f, SEAM_CORRUPT, "orders", SEAM_FAULT_NO_OFFSET,
                              "not an order's key");
    if (list->count == SEAM_ARRAY_LEN(list->id))
        return seam_fault_set(f, SEAM_LIMIT, "orders", SEAM_FAULT_NO_OFFSET,
                              "more arrivals than a trial counts");
    list->id[list->count++] = (uint64_t)v.i;
    return SEAM_OK;
}
