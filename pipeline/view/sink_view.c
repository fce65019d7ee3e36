/* sink_view - the stream into the dashboard's views (pipeline/view/view.h). */
#include "oltp/oltp.h"
#include "pipeline/sinks/keys.h"
#include "pipeline/sinks/own_rows.h"
#include "pipeline/sinks/repair_event.h"
#include "pipeline/view/view_asked.h"
#include "pipeline/view/view_store.h"

struct view_sink {
    struct sink sink;
    struct view_store *store;
};

static enum seam_status view_open(struct sink *sink, struct seam_fault *f)
{
    return view_store_open(sink->platform->io, sink->platform->clock, sink->dir,
                           seam_json_get(sink->config, "views"), sink->trace,
                           &((struct view_sink *)sink)->store, f);
}

static enum seam_status view_schema(struct sink *sink, const struct seam_schema *schema,
                                    struct seam_fault *f)
{
    return view_store_schema(((struct view_sink *)sink)->store, schema, f);
}

static enum seam_status view_change(struct sink *sink, const struct stream_change *c,
                                    struct seam_fault *f)
{
    return view_store_change(((struct view_sink *)sink)->store, c, f);
}

static enum seam_status view_outbox(struct sink *sink, const struct stream_outbox *e,
                                    struct seam_fault *f)
{
    char view[SEAM_NAME_MAX_BYTES];
    struct seam_buf key = {0};
    bool all;
    enum seam_status st = SEAM_OK;

    if (sink_repair_event_get(e, sink->ops->name, view, &key, &all))
        st = view_store_repair(
            ((struct view_sink *)sink)->store, view,
            all ? (struct wal_bytes){NULL, 0}
                : (struct wal_bytes){(const uint8_t *)seam_buf_cstr(&key), key.size},
            f);
    seam_buf_free(&key);
    return st;
}

static enum seam_status view_keys(struct sink *sink, const struct seam_schema *schema,
                                  sink_key_fn fn, void *ctx, struct seam_fault *f)
{
    return view_store_keys(((struct view_sink *)sink)->store, schema, fn, ctx, f);
}

static enum seam_status view_publish(struct sink *sink, seam_lsn_t applied, int64_t wall_us,
                                     struct seam_fault *f)
{
    return view_store_publish(((struct view_sink *)sink)->store, applied, wall_us, f);
}

static seam_lsn_t view_applied(const struct sink *sink)
{
    return ((const struct view_sink *)sink)->store->lsn;
}

static void view_close(struct sink *sink)
{
    view_store_close(((struct view_sink *)sink)->store);
}

const struct sink_ops sink_view = {
    .name = "view",
    .open = view_open,
    .schema = view_schema,
    .change = view_change,
    .outbox = view_outbox,
    .keys = view_keys,
    .publish = view_publish,
    .applied = view_applied,
    .close = view_close,
    .size = sizeof(struct view_sink),
    .verify = sink_own_rows_verify,
    .sides = &view_sides,
    .probe = &view_probe,
    .tables = &view_tables,
};
