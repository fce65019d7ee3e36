/* shapes - one of each struct that tests/gdb/seam.py prints, and a place to stop. */
#include <stdio.h>

#include "engine/base/buf.h"
#include "engine/values/value.h"
#include "hnsw/graph.h"
#include "invidx/postings.h"
#include "oltp/page.h"
#include "wal/change.h"

static int stop_here(const struct seam_fault *f, const struct wal_bytes *bytes,
                     const struct seam_buf *buf, const struct seam_value *values,
                     const struct hnsw_node *node, const struct invidx_postings *postings,
                     const uint8_t *page)
{
    return printf("%p %p %p %p %p %p %p\n", (const void *)f, (const void *)bytes, (const void *)buf,
                  (const void *)values, (const void *)node, (const void *)postings,
                  (const void *)page);
}

int main(void)
{
    struct seam_fault f = {0};
    struct wal_bytes bytes = {(const uint8_t *)"words", 5};
    struct seam_buf buf = {0};
    struct seam_value values[] = {seam_v_null(), seam_v_int(42), seam_v_str("teapot")};
    struct hnsw_node node = {.key = 7, .birth = 64, .death = SEAM_LSN_MAX, .level = 2};
    struct invidx_postings postings = {.df = 300, .blocks = 3, .block = 1, .n = 128};
    static _Alignas(8) uint8_t page[OLTP_PAGE_SIZE];

    (void)seam_fault_set(&f, SEAM_CORRUPT, "rows/pages", 8192, "page 1 is another page's");
    seam_buf_str(&buf, "kept");
    page[PAGE_KIND] = PAGE_LEAF;
    page[PAGE_ID] = 9;
    return stop_here(&f, &bytes, &buf, values, &node, &postings, page) < 0;
}
