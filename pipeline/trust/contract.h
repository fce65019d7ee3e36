/* contract - what a seam promises, as data (pipeline/trust/contracts/NAME.json), and what can be asked of it.
 *
 * The files speak the Open Data Contract Standard v3.1: schema, quality, slaProperties as there; what a seam needs
 * beyond it (from, to, guarantee, idempotency, ordering key, compatibility, reconciliation) stands in customProperties.
 * They are compiled in, so that an installed program enforces the contracts it was built with.
 *
 * A quality rule becomes one SQL query that counts what breaks it: `required`, `unique` and primary keys, ranges
 * (logicalTypeOptions), references (relationships) and the library metrics of `quality` all end as that.
 * Imports: engine. Thread-safety: a set of contracts is read-only once loaded.                      */
#ifndef SEAM_PIPELINE_CONTRACT_H
#define SEAM_PIPELINE_CONTRACT_H

#include "engine/base/buf.h"
#include "engine/text/json.h"

enum { CONTRACTS_MAX = 32, CONTRACT_BYTES_MAX = 1 << 20 };

struct contract {
    const char *id, *name, *version;
    const char *from, *to; /* stores: "row store", "stream", or a sink's name */
    double warn_s, fail_s; /* freshness */
    double recall;         /* of the 10 nearest vectors; 0: none is promised */
    const struct seam_json *root;
};

struct contracts {
    struct contract list[CONTRACTS_MAX];
    size_t count;
};

/* Parses and validates one; everything lives in `a`. SEAM_INVALID names file, line and member.        */
SEAM_MUST_USE enum seam_status contract_parse(const char *text, size_t n, struct seam_arena *a,
                                              const char *where, struct contract *out,
                                              struct seam_fault *f);
/* The shipped ones, in the order in which data flows.                                               */
SEAM_MUST_USE enum seam_status contracts_load(struct seam_arena *a, struct contracts *out,
                                              struct seam_fault *f);
/* Name and text of the i-th shipped one; NULL past the last.                                        */
const char *contract_shipped(size_t i);

const struct seam_json *contract_custom(const struct contract *c,
                                        const char *property); /* NULL = none */

/* May `next` take the place of `old`? Consumers of the old one must be able to go on: no property gone, retyped or
 * no longer required, no key changed, no promise weakened; otherwise a new major version must say so. Reasons are
 * appended to `report` a line each; SEAM_CONFLICT when there is one.                                   */
SEAM_MUST_USE enum seam_status contract_compatible(const struct contract *old,
                                                   const struct contract *next,
                                                   struct seam_buf *report, struct seam_fault *f);

enum contract_operator { RULE_BE, RULE_NOT_BE, RULE_GT, RULE_GE, RULE_LT, RULE_LE };
struct contract_rule {
    const struct contract *contract;
    const char *object, *column; /* column NULL: of the whole object */
    const char *kind; /* "not null", "unique", "range", "values", "reference", "volume", "sql" */
    const char *sql;  /* one number */
    enum contract_operator op;
    double number;
};
/* Every rule that data in a named table (physicalName) must keep, until fn returns another status than SEAM_OK.  */
SEAM_MUST_USE enum seam_status contract_rules(
    const struct contract *c,
    enum seam_status (*fn)(void *ctx, const struct contract_rule *rule, struct seam_fault *f),
    void *ctx, struct seam_fault *f);
bool contract_holds(const struct contract_rule *rule, double measured);
void contract_expectation(const struct contract_rule *rule, struct seam_buf *out); /* "must be 0" */

/* docs/reference/contracts.md */
void contracts_markdown(const struct contracts *set, struct seam_buf *out);

#endif
