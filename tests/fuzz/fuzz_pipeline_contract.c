#include "pipeline/trust/contract.h"

#include <string.h>

#include "tests/fuzz/fuzz_main.h"

static enum seam_status count(void *ctx, const struct contract_rule *rule, struct seam_fault *f)
{
    size_t *n = ctx;

    (void)f;
    *n += strlen(rule->sql) + (size_t)contract_holds(rule, 1);
    return SEAM_OK;
}

/* What is taken can be asked everything that a contract is asked, and is compatible with itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seam_arena a = {0};
    struct contracts set = {.count = 1};
    struct contract *c = &set.list[0];
    struct seam_buf out = {0};
    size_t n = 0;

    if (contract_parse((const char *)data, size, &a, "fuzz", c, NULL) == SEAM_OK) {
        if (contract_compatible(c, c, &out, NULL) != SEAM_OK) __builtin_trap();
        if (contract_rules(c, count, &n, NULL) != SEAM_OK) __builtin_trap();
        contracts_markdown(&set, &out);
    }
    seam_buf_free(&out);
    seam_arena_free(&a);
    return 0;
}

FUZZ_MAIN(FUZZ_SAMPLE(
    "{\"apiVersion\":\"v3.1.0\",\"kind\":\"DataContract\",\"id\":\"i\",\"name\":\"n\",\"version\":"
    "\"1."
    "0.0\",\"description\":{\"purpose\":\"p\",\"limitations\":\"l\"},\"team\":{\"members\":[{\"user"
    "name\":\"u\"}]},\"schema\":[{\"name\":\"o\",\"physicalName\":\"t\",\"properties\":[{\"name\":"
    "\"a"
    "\",\"logicalType\":\"integer\",\"physicalType\":\"int64\",\"required\":true,\"primaryKey\":"
    "true},{\"name\":\"b\",\"logicalType\":\"string\",\"physicalType\":\"text\",\"required\":fals"
    "e,\"unique\":true,\"logicalTypeOptions\":{\"minimum\":0,\"maximum\":9},\"relationships\""
    ":[{\"to\":\"x.y\"}],\"quality\":[{\"metric\":\"invalidValues\",\"arguments\":{\"validValues"
    "\":[\"p'q\"]},\"mustBe\":0}]}],\"quality\":[{\"metric\":\"rowCount\",\"mustBeGreaterThan\":"
    "0},{\"query\":\"SELECT 1\",\"mustBe\":0}]}],\"slaProperties\":[{\"property\":\"latency\",\""
    "value\":9},{\"property\":\"retention\",\"value\":7,\"unit\":\"d\"}],\"customProperties\":[{"
    "\"property\":\"from\",\"value\":\"v\"},{\"property\":\"to\",\"value\":\"v\"},{\"property\":"
    "\"guar"
    "antee\",\"value\":\"v\"},{\"property\":\"idempotency\",\"value\":\"v\"},{\"property\":\"orderi"
    "ngKey\",\"value\":\"v\"},{\"property\":\"compatibility\",\"value\":\"v\"},{\"property\":\"fres"
    "hnessWarnSeconds\",\"value\":3},{\"property\":\"reconciliation\",\"value\":{\"method\":\"m"
    "\"}}]}"))
