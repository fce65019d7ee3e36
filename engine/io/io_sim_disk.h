/* io_sim_disk - the state behind engine/io/io_sim.h: what is in the page cache and what is on the platter.
 * Private to io_sim.c and io_sim_disk.c; nothing here knows of faults or handles.
 *
 *      live names ----> node <---- durable names         a node is a file or a folder
 *                        |
 *                        +-- live bytes      what readers see (the page cache)
 *                        +-- durable bytes   what was synced
 *                        +-- changes         live = durable + changes, in order
 *
 *   name changes (create, unlink, rename, link, mkdir, rmdir) wait in one list until their folder is
 *   synced. A power cut plays an arbitrary subset of both kinds of change over the durable state.   */
#ifndef SEAM_ENGINE_IO_SIM_DISK_H
#define SEAM_ENGINE_IO_SIM_DISK_H

#include "engine/base/buf.h"
#include "engine/base/rng.h"
#include "engine/io/io.h"

enum { SEAM_SIM_SECTOR = 512 };

struct seam_sim_change {
    enum { SEAM_CHANGE_WRITE, SEAM_CHANGE_TRUNCATE } kind;
    uint64_t at, n; /* TRUNCATE: at is the new size */
    uint8_t *data;  /* WRITE: NULL = zeros          */
};

/* A page shared between "processes": survives its unmapping; a power cut leaves what was last written back. */
struct seam_sim_shared {
    size_t size;
    unsigned maps;
    bool orphan; /* its node no longer points here: freed at the last unmap */
};

struct seam_sim_node {
    struct seam_sim_node *next;
    unsigned refs; /* names, name changes and handles that point here */
    bool is_dir;
    struct seam_buf live, durable;
    struct seam_sim_change *changes;
    size_t changes_count, changes_cap;
    struct seam_sim_shared *shared;
    unsigned lock_shared;
    bool lock_exclusive;
    const void *claims[SEAM_CLAIMS_MAX]; /* the handle that has the place */
};

struct seam_sim_name {
    char *path;
    uint64_t hash;
    struct seam_sim_node *node;
};

struct seam_sim_names {
    struct seam_sim_name *list;
    size_t count, cap;
};

struct seam_sim_name_change {
    enum { SEAM_NAME_ADD, SEAM_NAME_REMOVE, SEAM_NAME_MOVE } kind;
    char *path, *to;            /* to: MOVE */
    struct seam_sim_node *node; /* ADD, MOVE */
};

struct seam_sim_disk {
    struct seam_sim_node *nodes;
    struct seam_sim_names live, durable;
    struct seam_sim_name_change *changes;
    size_t changes_count, changes_cap;
};

void seam_sim_disk_free(struct seam_sim_disk *d);

struct seam_sim_node *seam_sim_find(const struct seam_sim_disk *d,
                                    const char *path); /* live; NULL = no such name */
bool seam_sim_dir_exists(const struct seam_sim_disk *d,
                         const char *path); /* "/" and "." always do     */
bool seam_sim_dir_empty(const struct seam_sim_disk *d, const char *path);
uint64_t seam_sim_used(const struct seam_sim_disk *d); /* bytes in live files */
void seam_sim_parent(const char *path, char *out, size_t size);

/* All false on want of memory. Each changes the live state and remembers the change.              */
bool seam_sim_add_new(struct seam_sim_disk *d, const char *path, bool is_dir,
                      struct seam_sim_node **out);
bool seam_sim_add(struct seam_sim_disk *d, const char *path, struct seam_sim_node *node);
bool seam_sim_remove(struct seam_sim_disk *d, const char *path);
bool seam_sim_move(struct seam_sim_disk *d, const char *from, const char *to);
bool seam_sim_change_write(struct seam_sim_node *n, uint64_t at, const void *data, uint64_t size);
bool seam_sim_change_truncate(struct seam_sim_node *n, uint64_t size);

void seam_sim_node_unref(struct seam_sim_disk *d, struct seam_sim_node *n);
void seam_sim_shared_detach(struct seam_sim_node *n);
/* The kernel writes some sectors of some shared pages back, whenever it likes.                     */
void seam_sim_shared_write_back(struct seam_sim_disk *d, struct seam_rng *r);

/* Makes a file's changes, or the changes of names in a folder, durable. With `lossy`, each is made
 * durable or forgotten as the generator says: a sync that failed.                                 */
bool seam_sim_sync_node(struct seam_sim_node *n, struct seam_rng *lossy);
bool seam_sim_sync_names(struct seam_sim_disk *d, const char *dir, struct seam_rng *lossy);
/* The power goes: the durable state plus a subset of the changes becomes the whole truth.         */
bool seam_sim_power_cut(struct seam_sim_disk *d, struct seam_rng *r);

#endif
