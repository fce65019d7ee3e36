/* internal - what the files of wal/ share. Private to wal/.
 *
 * Positions of a writer, always in this order (each a multiple of 8):
 *
 *     durable <= written <= appended          whole = end of the last complete record <= appended
 *
 * Latches, taken in this order: append_mutex > (leadership) > group_mutex; trim_mutex >
 * files_mutex.
 * Leadership is the flag `leading`: only its holder writes, syncs and moves written and durable. A
 * leader never takes append_mutex, so an appender may wait for one while holding it. */
#ifndef SEAM_WAL_INTERNAL_H
#define SEAM_WAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/base/thread.h"
#include "wal/record.h"
#include "wal/shared.h"
#include "wal/wal.h"

enum {
    WINDOW_BYTES = 1 << 20, /* a reader's chunk: several of the largest fragments */
    FILL_BYTES = 1 << 20,   /* zeros are written this far ahead of small commits */
    BEHIND_BYTES = 1 << 20, /* unwritten bytes an appender sends on their way before it goes on */
    BULK_BYTES = 256 << 10, /* a write this large needs no zeros ahead of it */
};
static_assert((int)WINDOW_BYTES >= 2 * (int)WAL_FRAGMENT_MAX, "a fragment fits a window");

/* ---- names and headers (segment.c) ---- */
struct wal_log_meta {
    uint64_t log_id, segment_bytes, oldest_segment;
    seam_lsn_t
        durable; /* all before this had been synced when log.meta was written: never too high */
    uint64_t history; /* the opening that ended by closing cleanly, at `durable` */
};
SEAM_MUST_USE enum seam_status wal_meta_load(struct seam_io *io, const char *dir,
                                             struct wal_log_meta *m, struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_meta_parse(const struct seam_buf *b, const char *path,
                                              struct wal_log_meta *m, struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_slot_store(struct seam_io *io, const char *dir, uint64_t log_id,
                                              const struct wal_slot_info *s, struct seam_fault *f);
/* A slot's file (slot.c); name and log id NULL: whatever they say. */
SEAM_MUST_USE enum seam_status wal_slot_parse(const struct seam_buf *b, const char *path,
                                              const char *name, const uint64_t *log_id,
                                              struct wal_slot_info *s, struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_meta_store(struct seam_io *io, const char *dir,
                                              const struct wal_log_meta *m, struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_segment_path(char out[SEAM_PATH_MAX_BYTES], const char *dir,
                                                uint64_t number, struct seam_fault *f);
bool wal_segment_name_parse(const char *name, uint64_t *number);
void wal_segment_header_put(uint8_t h[WAL_SEGMENT_HEADER], const struct wal_log_meta *m,
                            uint64_t history, uint64_t number);
/* For a dump: the log's meta and the segment's number as its head says. Faults as the head's decoder. */
SEAM_MUST_USE enum seam_status wal_segment_header_read(const uint8_t *h, size_t n, const char *path,
                                                       struct wal_log_meta *m, uint64_t *number,
                                                       struct seam_fault *f);
/* SEAM_OK: the header of segment `number` of this log; SEAM_NOT_FOUND: a well-formed header of another
 * number (recycled), or all zeros; SEAM_CORRUPT otherwise. No fault is set. */
enum seam_status wal_segment_header_check(const uint8_t h[WAL_SEGMENT_HEADER],
                                          const struct wal_log_meta *m, uint64_t number);
struct wal_segment_list {
    uint64_t *numbers;
    size_t count;
}; /* sorted */
SEAM_MUST_USE enum seam_status wal_segment_list(struct seam_io *io, const char *dir,
                                                struct wal_segment_list *out, struct seam_fault *f);

/* ---- reading a file through a sliding chunk (window.c) ---- */
struct wal_window {
    struct seam_file *file;
    uint8_t *data;
    uint64_t base;
    size_t have;
};
/* n bytes at `at`, reading on up to `limit` at once; *p = NULL when the file or limit ends
 * before. */
SEAM_MUST_USE enum seam_status wal_window_at(struct wal_window *w, uint64_t at, size_t n,
                                             uint64_t limit, const uint8_t **p,
                                             struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_window_open(struct wal_window *w, struct seam_io *io,
                                               const char *path, struct seam_fault *f);
void wal_window_close(struct wal_window *w); /* keeps the memory */
void wal_window_free(struct wal_window *w);

/* ---- walking one segment (scan.c) ---- */
struct wal_scan {
    seam_lsn_t end; /* end of the last valid fragment */
    seam_lsn_t
        open_start;     /* start of a record still without its last fragment; SEAM_LSN_NONE: none */
    seam_lsn_t vouched; /* the most any valid record seen vouched for */
    seam_lsn_t last_first; /* start of the last record that began here; SEAM_LSN_NONE */
    uint64_t records;      /* complete records that ended here */
    uint32_t crc;          /* of the last of them */
    bool open;             /* the segment ends inside a record */
    bool full;             /* records and padding reach the segment's end */
};
/* Valid fragments from `from` on. `open`: a record of the segment before is still unfinished; type:
 * its type. Fragments out of order end the scan like damage. */
SEAM_MUST_USE enum seam_status wal_scan_segment(struct wal_window *w, const struct wal_log_meta *m,
                                                uint64_t number, seam_lsn_t from, bool open,
                                                struct wal_scan *out, struct seam_fault *f);
/* Valid fragments anywhere in (from, end of segment): what they vouch for, and where the last
 * ends. */
SEAM_MUST_USE enum seam_status wal_scan_beyond(struct wal_window *w, const struct wal_log_meta *m,
                                               uint64_t number, seam_lsn_t from,
                                               seam_lsn_t *vouched, seam_lsn_t *last_end,
                                               struct seam_fault *f);

/* ---- where the log ends (tail.c) ---- */
struct wal_tail {
    struct seam_io *io;
    const char *dir;
    struct wal_log_meta meta;
    struct wal_window window;
    struct wal_segment_list list;
    size_t first;          /* index in list of the oldest kept segment */
    size_t last;           /* index of the last segment with a valid header */
    bool empty;            /* no segment has a valid header */
    seam_lsn_t promised;   /* log.meta and the shared page say that all before it had been synced */
    seam_lsn_t floor;      /* likewise, the records of the last segment too */
    seam_lsn_t end;        /* P */
    seam_lsn_t beyond_end; /* valid fragments after P end here; SEAM_LSN_NONE: none */
    uint32_t before;       /* crc of the record that ends at P, when it is in the last segment */
};
/* Changes nothing. SEAM_CORRUPT: damage before what had been durable. Free in any case. */
SEAM_MUST_USE enum seam_status wal_tail_find(struct wal_tail *t, struct seam_io *io,
                                             const char *dir, const struct wal_log_meta *m,
                                             seam_lsn_t page_vouched, struct seam_fault *f);
void wal_tail_free(struct wal_tail *t);
/* Was the log closed cleanly by its last writer? Then it ends at m->durable, and nobody need look for the end. */
SEAM_MUST_USE enum seam_status wal_tail_closed(struct seam_io *io, const char *dir,
                                               const struct wal_log_meta *m, bool *closed,
                                               struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_tail_segment(struct wal_tail *t, uint64_t number,
                                                struct seam_fault *f);
enum seam_status wal_tail_damaged(struct wal_tail *t, uint64_t number, uint64_t at, const char *why,
                                  struct seam_fault *f);

/* ---- what a process that is not the writer knows (view.c) ----
 *
 *   a living writer holds the lock on DIR/shared ?  -- yes -->  the page it publishes in
 *                                                   -- no --->  log.meta, when the log was closed cleanly; else the
 *                                                               log's own bytes (tail.c)
 *
 * The kernel keeps that lock on the very file that is mapped, for as long as its holder lives and no longer than this
 * boot: so a page that is older than the log, or another log's, is never believed. */
struct wal_view {
    struct seam_io *io;
    const char *dir;
    struct wal_log_meta meta;
    _Atomic(struct wal_shared *) page; /* NULL: there is none, or it cannot be mapped */
    bool writable;                     /* the page may be written: a sleeper can say so */
    bool trusted;                      /* a living writer publishes in it */
    seam_lsn_t oldest, durable, visible;
};
SEAM_MUST_USE enum seam_status wal_view_open(struct wal_view *v, struct seam_io *io,
                                             const char *dir, struct seam_fault *f);
/* For reading whatever is there: nobody is asked where it ends. */
SEAM_MUST_USE enum seam_status wal_view_bare(struct wal_view *v, struct seam_io *io,
                                             const char *dir, struct seam_fault *f);
void wal_view_close(struct wal_view *v);
/* Looks again, whoever has to be asked. */
SEAM_MUST_USE enum seam_status wal_view_refresh(struct wal_view *v, struct seam_fault *f);
bool wal_view_writer(const struct wal_view *v); /* does somebody publish now? one look at a lock */

/* ---- the writer ---- */
struct wal {
    struct wal_options o;
    struct wal_log_meta meta;
    uint64_t salt;
    uint64_t history; /* begun by this opening */
    char dir[SEAM_PATH_MAX_BYTES];
    struct seam_file *lock;
    struct seam_fork_mark mark;
    struct seam_file
        *live; /* DIR/shared: what is published there may be believed while we hold its lock */
    _Atomic bool held;
    _Atomic bool troubled; /* stats.trouble says what background work could not do */
    struct wal_shared *shared;

    pthread_mutex_t append_mutex;
    uint8_t *ring;
    uint64_t ring_mask;
    _Atomic seam_lsn_t appended, whole, written, durable;
    _Atomic uint64_t records, buffer_full, commits, timed;
    _Atomic uint64_t n_writes, n_bytes, n_syncs, n_made, n_recycled, n_beats;

    pthread_mutex_t group_mutex;
    bool leading, gathering, designated, group_sync;
    uint64_t gen;
    _Atomic uint32_t joined;    /* followers asleep in group gen */
    _Atomic uint32_t word[2];   /* followers of group gen sleep on word[gen & 1] */
    _Atomic uint32_t lead_word; /* the next leader sleeps here */
    uint32_t expected;          /* members the next group may hope for */
    uint32_t gather_skip, gather_backoff;
    uint64_t sync_ns; /* smoothed cost of a write + sync */
    struct seam_fault
        poison; /* status SEAM_OK while healthy; group_mutex until `poisoned` is set */
    _Atomic bool poisoned;
    _Atomic uint64_t deferred_since; /* mono ns of the oldest deferred commit; 0 = none */
    struct wal_stats stats;

    struct seam_file *file; /* the segment being written; the leader's */
    uint64_t file_segment, file_size;

    pthread_mutex_t trim_mutex, files_mutex;
    uint64_t newest_segment; /* highest file there is, spares included; files_mutex */
    uint64_t archived;       /* segments before this one were given to the hook; trim_mutex */
    _Atomic uint64_t current_segment;

    pthread_mutex_t beat_mutex;
    uint64_t beat,
        beat_ns; /* number and time of the last heartbeat, or of the last sight of a commit */
    seam_lsn_t beat_lsn; /* where the log ended then */
};

/* Finds the end of the log, repairs a torn tail, leaves the last segment open (recover.c); *before: the crc of the record
 * that ends there, 0 when it is not in that segment. */
SEAM_MUST_USE enum seam_status wal_recover(struct wal *w, struct wal_recovered *rec,
                                           uint32_t *before, struct seam_fault *f);
/* history.c: the list with the history that this opening begins; durable when it returns. */
SEAM_MUST_USE enum seam_status wal_history_begin(struct wal *w, const struct wal_recovered *rec,
                                                 uint32_t before, struct seam_fault *f);
uint64_t wal_id_new(struct wal *w, uint64_t salt);
/* The id of the newest entry; 0: there is no list. */
SEAM_MUST_USE enum seam_status wal_history_newest(struct seam_io *io, const char *dir,
                                                  uint64_t log_id, uint64_t *id,
                                                  struct seam_fault *f);
enum seam_status wal_poison(struct wal *w, const struct seam_fault *cause,
                            struct seam_fault *f); /* group.c */
enum seam_status wal_healthy(struct wal *w, struct seam_fault *f);
/* Waits until everything before lsn is written, or synced; leads when nobody does. */
SEAM_MUST_USE enum seam_status wal_group_wait(struct wal *w, seam_lsn_t lsn, bool sync,
                                              struct seam_fault *f);
/* Writes what is appended, unless somebody leads already: then that is being done. Never waits for others. */
SEAM_MUST_USE enum seam_status wal_group_write_behind(struct wal *w, struct seam_fault *f);
/* Leader only: writes all that is appended, syncs when asked, publishes (flush.c). */
SEAM_MUST_USE enum seam_status wal_flush_now(struct wal *w, bool sync, struct seam_fault *f);
SEAM_MUST_USE enum seam_status wal_segment_make(struct wal *w, uint64_t number, bool fill,
                                                struct seam_file **out, uint64_t *size,
                                                struct seam_fault *f);
enum seam_status wal_page_hold(struct wal *w, struct seam_fault *f);
void wal_publish(struct wal *w, seam_lsn_t whole, bool synced);

#endif
