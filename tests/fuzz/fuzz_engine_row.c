#include "engine/values/key.h"
#include "engine/values/row.h"
#include "tests/fuzz/fuzz_main.h"

static const char table[] =
    "{\"table\":\"t\",\"version\":3,\"key\":[\"id\"],\"columns\":[{\"name\":\"id\",\"type\":"
    "\"int64\"},{\"name\":\"d\",\"type\":\"double\",\"nullable\":true},"
    "{\"name\":\"m\",\"type\":\"decimal\",\"scale\":4,\"nullable\":true,\"added\":2},{\"name\":"
    "\"b\",\"type\":\"bool\",\"nullable\":true,\"dropped\":3},"
    "{\"name\":\"w\",\"type\":\"timestamp\",\"nullable\":true},{\"name\":\"s\",\"type\":\"text\","
    "\"default\":\"q\"}]}";

/* A row that decodes must encode and decode again to equal values; a key that reads is some value's
 * key.                                                                                           */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seam_schema s = {0};
    struct seam_value v[6], back[6], one;
    struct seam_buf row = {0}, text = {0};
    const uint8_t *p = data, *end = data + size;

    if (seam_schema_parse(table, sizeof table - 1, &s, NULL) != SEAM_OK) __builtin_trap();
    if (seam_row_decode(&s, data, size, v, NULL) == SEAM_OK) {
        if (seam_row_encode(&s, v, &row, NULL) != SEAM_OK ||
            seam_row_decode(&s, row.data, row.size, back, NULL) != SEAM_OK)
            __builtin_trap();
        for (int i = 0; i < 6; i++) {
            if (!seam_value_equal(&v[i], &back[i])) __builtin_trap();
        }
        (void)seam_row_hash(&s, v);
    }
    for (int i = 0; i < 6; i++) (void)!seam_row_get(&s, data, size, i, &one, NULL);
    while (p < end && seam_key_read(&p, end, (enum seam_value_type)(SEAM_V_INT + *p % 6), &one,
                                    &text) == SEAM_OK)
        continue;
    seam_schema_free(&s);
    seam_buf_free(&row);
    seam_buf_free(&text);
    return 0;
}

FUZZ_MAIN(FUZZ_SAMPLE("\x01\x05\x00\x02\x00\x00\x00\x00\x00\x00\xf8\x3f\x01\x04\x02hi"),
          FUZZ_SAMPLE("\x02\x06\x04\x02\x00\x00\x00\x00\x00\x00\xf8\x3f\x01\x04\x02hi"),
          FUZZ_SAMPLE("\x03\x05\x08\x02\x00\x00\x00\x00\x00\x00\xf8\x3f\x0a\x05hello"),
          FUZZ_SAMPLE("\x04"
                      "ab\x00\xff"
                      "c\x00\x00\x02\x80\x00\x00\x00\x00\x00\x00\x01"))
