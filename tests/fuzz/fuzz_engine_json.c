#include "engine/text/json.h"
#include "tests/fuzz/fuzz_main.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {.limit = 8 << 20};
    struct json *root = NULL;
    struct fault f = {0};

    if (json_parse((const char *)data, size, &a, "fuzz", &root, &f) == ST_OK) {
        struct buf out = {0};
        struct json_writer w;

        jw_init(&w, &out);
        jw_strn(&w, (const char *)data, size);
        root = NULL;
        if (json_parse((const char *)out.data, out.size, &a, "fuzz", &root, NULL) == ST_INVALID)
            __builtin_trap();
        buf_free(&out);
    }
    arena_free(&a);
    return 0;
}

FUZZ_MAIN(
    FUZZ_SAMPLE("{\"a\":[1,-2.5e3,true,null,\"x\\u00e9\\ud83d\\ude00\\n\"],\"b\":{\"c\":{}}}"),
    FUZZ_SAMPLE("[[[[1,2],[3]],\"\"],{\"k\":\"v\"}]"))
