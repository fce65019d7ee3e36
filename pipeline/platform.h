/* platform - one folder that holds a shop's seven stores, and what it says of itself.
 *
 *   DIR/seam.json         format, platform id, created, the sinks' configuration (data, not code)
 *   DIR/oltp/  DIR/wal/   the row store and its log       (the source of truth; one writer process)
 *   DIR/stream/           the retained change stream      (written by the relay)
 *   DIR/reconcile/        digests kept of what was found equal; may be deleted
 *   DIR/sinks/NAME/       warehouse, view, search, vectors, audit   (one writer process each)
 *
 * "check" is the crc32c of what the program wrote of itself (format, id and created, each and a newline): a damaged id
 * would make every store look like a stranger's. A platform that generation 1 made has none; any other must match. The shop is people's to edit and is not sealed.
 *
 * Which tables there are is the row store's catalogue; which of their columns feed which sink is the
 * configuration, so another shop needs another JSON file and no recompilation:
 *
 *   {"format":1, "id":"9f3c...", "created":"2026-...", "check":"0a1b2c3d", "shop":{
 *    "tables":["products", ...],
 *    "sinks":{
 *      "warehouse":{"silver":["products",...]},
 *      "gold":{"tables":[{"name":"gold_daily_revenue","key":["day","category"],"sql":"SELECT ..."}]},
 *      "view":{"views":[{"name":"revenue_by_category","sql":"SELECT ..."}]},
 *      "search":{"table":"products","fields":[{"column":"title","weight":3}, ...],
 *                "attributes":["category","brand","price","stock"]},
 *      "vectors":{"table":"products","text":["title","description"],
 *                 "context":["category","brand"],"dimension":128},
 *      "audit":{}},
 *    "log":{"segment_bytes":1048576,      of the write-ahead log, at creation [64 MiB]
 *           "relay_bound_bytes":268435456,   most log the relay's slot may hold back [4 GiB]
 *           "checkpoints_kept":8,            AS OF reaches back to the oldest of so many, at most 256 [8]
 *           "checkpoints_seconds":604800}}}  ... and every one younger than this stays [0]
 *
 * Imports: engine, wal, oltp.  Thread-safety: a platform is read-only after opening; share it.    */
#ifndef SEAM_PIPELINE_PLATFORM_H
#define SEAM_PIPELINE_PLATFORM_H

#include "engine/base/clock.h"
#include "engine/base/lsn.h"
#include "engine/io/filehead.h"
#include "engine/io/io.h"
#include "engine/text/json.h"
#include "engine/values/schema.h"

enum {
    PLATFORM_FORMAT = 1, /* of seam.json alone; its stores have formats of their own */
    PLATFORM_CONFIG_MAX = 4 << 20,
    PLATFORM_CHECKPOINTS_KEPT =
        8, /* AS OF reaches back to the oldest of them: shop.log says else */
    PLATFORM_CHECKPOINTS_MAX = 256,
};

struct platform {
    struct seam_io *io;
    struct seam_clock *clock;
    char dir[SEAM_PATH_MAX_BYTES];
    char id[33];     /* 128 random bits in hex: names the platform in every log segment */
    uint64_t log_id; /* its first 64 bits */
    uint8_t owner[SEAM_PLATFORM_ID_BYTES];         /* the id as bytes, for file heads */
    uint64_t log_segment_bytes, relay_bound_bytes; /* shop.log; 0: the default */
    uint32_t checkpoints_kept;                     /* shop.log: what AS OF keeps: so many, */
    int64_t checkpoints_us;                        /* ... and all younger than this */
    struct seam_arena arena;                       /* owns the parsed configuration */
    const struct seam_json *config;                /* the whole of seam.json */
};

struct platform_new {
    const char
        *shop; /* JSON: "tables" (schema objects, or names of shipped schemas) and "sinks"      */
    size_t n;
    uint64_t seed; /* of the platform's id */
    /* What else must be there before the folder is a platform (the relay's empty stream); may be NULL. */
    enum seam_status (*fill)(const struct platform *p, struct seam_fault *f);
};
/* Makes DIR with its folders, the shop's tables in an empty row store, what `fill` makes, and seam.json last: a folder
 * without it is no platform. The shipped shop is asset_find("shop.json"). SEAM_EXISTS when DIR holds something already;
 * a refused creation leaves nothing behind. Whoever wants a stream: relay_create_platform (pipeline/relay/relay.h). */
SEAM_MUST_USE enum seam_status platform_create(struct seam_io *io, struct seam_clock *clock,
                                               const char *dir, const struct platform_new *new,
                                               struct seam_fault *f);
/* SEAM_NOT_FOUND when there is no platform in DIR. */
SEAM_MUST_USE enum seam_status platform_open(struct seam_io *io, struct seam_clock *clock,
                                             const char *dir, struct platform *out,
                                             struct seam_fault *f);
void platform_close(struct platform *p);

/* "DIR/part" */
SEAM_MUST_USE enum seam_status platform_path(const struct platform *p, const char *part,
                                             char out[SEAM_PATH_MAX_BYTES], struct seam_fault *f);
/* "DIR/sinks/name" */
SEAM_MUST_USE enum seam_status platform_sink_path(const struct platform *p, const char *name,
                                                  char out[SEAM_PATH_MAX_BYTES],
                                                  struct seam_fault *f);
/* The source of truth for writing: the log and the row store, together. SEAM_CONFLICT when another process
 * writes. Close it with platform_close_source, which also makes what was deferred durable and returns
 * `st`, or the first failure when st is SEAM_OK.                                                    */
struct oltp;
struct wal;
struct platform_source {
    struct wal *wal;
    struct oltp *db;
};
SEAM_MUST_USE enum seam_status
platform_open_source(const struct platform *p, struct platform_source *out, struct seam_fault *f);
/* ... after waiting up to wait_us for whoever writes now. */
SEAM_MUST_USE enum seam_status platform_await_source(const struct platform *p, uint64_t wait_us,
                                                     struct platform_source *out,
                                                     struct seam_fault *f);
enum seam_status platform_close_source(struct platform_source *s, enum seam_status st,
                                       struct seam_fault *f);
/* ... for reading, in any process, while others write: the newest durable state (SEAM_LSN_MAX, INT64_MIN), or as
 * of an LSN, or as of a time. Close with oltp_close.                                              */
SEAM_MUST_USE enum seam_status platform_open_reader(const struct platform *p, seam_lsn_t as_of,
                                                    int64_t as_of_us, struct oltp **out,
                                                    struct seam_fault *f);

/* Replaces the shop in seam.json (everything else stays); atomic. Processes that are running keep what they read at their
 * start. SEAM_INVALID when it is no shop.                                                            */
SEAM_MUST_USE enum seam_status platform_write_shop(struct platform *p, const char *shop, size_t n,
                                                   struct seam_fault *f);
/* shop.sinks.NAME, or NULL when this platform has no such sink */
const struct seam_json *platform_sink_config(const struct platform *p, const char *name);

#endif
