#include "engine/values/schema.h"
#include "tests/fuzz/fuzz_main.h"

/* What is taken must be written and taken again, the same.                                       */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seam_schema s = {0}, again = {0};
    struct seam_buf a = {0}, b = {0};

    if (seam_schema_parse((const char *)data, size, &s, NULL) != SEAM_OK) return 0;
    seam_schema_to_json(&s, &a);
    if (seam_schema_parse((const char *)a.data, a.size, &again, NULL) != SEAM_OK) __builtin_trap();
    seam_schema_to_json(&again, &b);
    if (a.size != b.size || memcmp(a.data, b.data, a.size) != 0) __builtin_trap();
    seam_schema_free(&s);
    seam_schema_free(&again);
    seam_buf_free(&a);
    seam_buf_free(&b);
    return 0;
}

FUZZ_MAIN(FUZZ_SAMPLE(
    "{\"table\":\"p\",\"version\":3,\"key\":[\"a\"],\"columns\":[{\"name\":\"a\",\"type\":"
    "\"int64\"},{\"name\":\"m\",\"type\":\"decimal\",\"scale\":4,\"nullable\":true,\"default\":"
    "\"0\",\"added\":2,\"dropped\":3},{\"name\":\"s\",\"type\":\"text\",\"default\":\"x\"}],"
    "\"indexes\":[{\"name\":\"i\",\"columns\":[\"s\"],\"unique\":true}]}"))
