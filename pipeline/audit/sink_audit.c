/* sink_audit - the stream into the audit of orders (pipeline/audit/audit.h). */
#include "pipeline/audit/audit.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/own_rows.h"

struct audit_sink {
    struct sink sink;
    struct audit_store *store;
};

static enum seam_status audit_open(struct sink *sink, struct seam_fault *f)
{
    return audit_store_open(sink->platform->io, sink->platform->clock, sink->dir,
                            seam_json_string(sink->config, "orders", "orders"),
                            seam_json_string(sink->config, "lines", "order_lines"), sink->trace,
                            &((struct audit_sink *)sink)->store, f);
}

static enum seam_status audit_change(struct sink *sink, const struct stream_change *c,
                                     struct seam_fault *f)
{
    return audit_store_change(((struct audit_sink *)sink)->store, c, f);
}

static enum seam_status audit_outbox(struct sink *sink, const struct stream_outbox *e,
                                     struct seam_fault *f)
{
    return audit_store_outbox(((struct audit_sink *)sink)->store, e, f);
}

static enum seam_status audit_gap(struct sink *sink, seam_lsn_t from, seam_lsn_t to,
                                  int64_t wall_us, struct seam_fault *f)
{
    return audit_store_gap(((struct audit_sink *)sink)->store, from, to, wall_us, f);
}

static enum seam_status audit_keys(struct sink *sink, const struct seam_schema *schema,
                                   sink_key_fn fn, void *ctx, struct seam_fault *f)
{
    return audit_store_keys(((struct audit_sink *)sink)->store, schema, fn, ctx, f);
}

static enum seam_status audit_publish(struct sink *sink, seam_lsn_t applied, int64_t wall_us,
                                      struct seam_fault *f)
{
    return audit_store_publish(((struct audit_sink *)sink)->store, applied, wall_us, f);
}

static seam_lsn_t audit_applied(const struct sink *sink)
{
    return audit_store_applied(((const struct audit_sink *)sink)->store);
}

static void audit_close(struct sink *sink)
{
    audit_store_close(((struct audit_sink *)sink)->store);
}

const struct sink_ops sink_audit = {
    .name = "audit",
    .open = audit_open,
    .change = audit_change,
    .outbox = audit_outbox,
    .gap = audit_gap,
    .keys = audit_keys,
    .publish = audit_publish,
    .applied = audit_applied,
    .close = audit_close,
    .size = sizeof(struct audit_sink),
    .verify = sink_own_rows_verify,
};
