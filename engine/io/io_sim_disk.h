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

enum { SIM_SECTOR = 512 };

struct sim_change {
    enum { CHANGE_WRITE, CHANGE_TRUNCATE } kind;
    uint64_t at, n; /* TRUNCATE: at is the new size */
    uint8_t *data;  /* WRITE: NULL = zeros          */
};

/* A page shared between "processes": survives its unmapping, not a power cut.                     */
struct sim_shared {
    size_t size;
    unsigned maps;
    bool orphan; /* its node no longer points here: freed at the last unmap */
};

struct sim_node {
    struct sim_node *next;
    unsigned refs; /* names, name changes and handles that point here */
    bool is_dir;
    struct buf live, durable;
    struct sim_change *changes;
    size_t changes_count, changes_cap;
    struct sim_shared *shared;
    unsigned lock_shared;
    bool lock_exclusive;
};

struct sim_name {
    char *path;
    uint64_t hash;
    struct sim_node *node;
};

struct sim_names {
    struct sim_name *list;
    size_t count, cap;
};

struct sim_name_change {
    enum { NAME_ADD, NAME_REMOVE, NAME_MOVE } kind;
    char *path, *to;       /* to: MOVE */
    struct sim_node *node; /* ADD, MOVE */
};

struct sim_disk {
    struct sim_node *nodes;
    struct sim_names live, durable;
    struct sim_name_change *changes;
    size_t changes_count, changes_cap;
};

void sim_disk_free(struct sim_disk *d);

struct sim_node *sim_find(const struct sim_disk *d, const char *path); /* live; NULL = no such name */
bool sim_dir_exists(const struct sim_disk *d, const char *path);       /* "/" and "." always do     */
bool sim_dir_empty(const struct sim_disk *d, const char *path);
uint64_t sim_used(const struct sim_disk *d); /* bytes in live files */
void sim_parent(const char *path, char *out, size_t size);

/* All false on want of memory. Each changes the live state and remembers the change.              */
bool sim_add_new(struct sim_disk *d, const char *path, bool is_dir, struct sim_node **out);
bool sim_add(struct sim_disk *d, const char *path, struct sim_node *node);
bool sim_remove(struct sim_disk *d, const char *path);
bool sim_move(struct sim_disk *d, const char *from, const char *to);
bool sim_change_write(struct sim_node *n, uint64_t at, const void *data, uint64_t size);
bool sim_change_truncate(struct sim_node *n, uint64_t size);

void sim_node_unref(struct sim_disk *d, struct sim_node *n);
void sim_shared_detach(struct sim_node *n);

/* Makes a file's changes, or the changes of names in a folder, durable. With `lossy`, each is made
 * durable or forgotten as the generator says: a sync that failed.                                 */
bool sim_sync_node(struct sim_node *n, struct rng *lossy);
bool sim_sync_names(struct sim_disk *d, const char *dir, struct rng *lossy);
/* The power goes: the durable state plus a subset of the changes becomes the whole truth.         */
bool sim_power_cut(struct sim_disk *d, struct rng *r);

#endif
