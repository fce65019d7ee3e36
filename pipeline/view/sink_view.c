/* sink_view - the stream into the dashboard's views (pipeline/view/view.h). */
#include "oltp/oltp.h"
#include "pipeline/sinks/repair_event.h"
#include "pipeline/sinks/sinks.h"
#include "pipeline/view/view_store.h"

struct view_sink {
    struct sink sink;
    struct view_store *store;
};

static enum status view_open(struct sink *sink, struct fault *f)
{
    return view_store_open(sink->platform->io, sink->platform->clock, sink->dir, json_get(sink->config, "views"),
                           sink->trace, &((struct view_sink *)sink)->store, f);
}

static enum status view_schema(struct sink *sink, const struct schema *schema, struct fault *f)
{
    return view_store_schema(((struct view_sink *)sink)->store, schema, f);
}

static enum status view_change(struct sink *sink, const struct sink_change *c, struct fault *f)
{
    return view_store_change(((struct view_sink *)sink)->store, c, f);
}

static enum status view_outbox(struct sink *sink, const struct sink_outbox *e, struct fault *f)
{
    char view[NAME_MAX_BYTES];
    struct buf key = {0};
    bool all;
    enum status st = ST_OK;

    if (repair_event_get(e, sink->ops->name, view, &key, &all))
        st = view_store_repair(((struct view_sink *)sink)->store, view,
                               all ? (struct bytes){NULL, 0} : (struct bytes){(const uint8_t *)buf_cstr(&key), key.size}, f);
    buf_free(&key);
    return st;
}

static enum status view_keys(struct sink *sink, const struct schema *schema, sink_key_fn fn, void *ctx,
                             struct fault *f)
{
    return view_store_keys(((struct view_sink *)sink)->store, schema, fn, ctx, f);
}

static enum status view_publish(struct sink *sink, lsn_t applied, int64_t wall_us, struct fault *f)
{
    return view_store_publish(((struct view_sink *)sink)->store, applied, wall_us, f);
}

static lsn_t view_applied(const struct sink *sink) { return ((const struct view_sink *)sink)->store->lsn; }

static void view_close(struct sink *sink) { view_store_close(((struct view_sink *)sink)->store); }

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
};
