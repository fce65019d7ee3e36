#include "engine/text/json.h"
#include "tests/fuzz/fuzz_main.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seam_arena a = {.limit = 8 << 20};
    struct seam_json *root = NULL;
    struct seam_fault f = {0};

    if (seam_json_parse((const char *)data, size, &a, "fuzz", &root, &f) == SEAM_OK) {
        struct seam_buf out = {0};
        struct seam_json_writer w;

        seam_jw_init(&w, &out);
        seam_jw_strn(&w, (const char *)data, size);
        root = NULL;
        if (seam_json_parse((const char *)out.data, out.size, &a, "fuzz", &root, NULL) ==
            SEAM_INVALID)
            __builtin_trap();
        seam_buf_free(&out);
    }
    seam_arena_free(&a);
    return 0;
}

FUZZ_MAIN(
    FUZZ_SAMPLE("{\"a\":[1,-2.5e3,true,null,\"x\\u00e9\\ud83d\\ude00\\n\"],\"b\":{\"c\":{}}}"),
    FUZZ_SAMPLE("[[[[1,2],[3]],\"\"],{\"k\":\"v\"}]"))
