/* mend - after a sync that failed, what can be read is not what a power cut would leave.
 *
 * The kernel marks the pages of a failed sync clean: they are read as if nothing were wrong, no later sync writes
 * them, and the power takes them away (Rebello et al., ATC 2020). So a failed sync leaves its mark, DIR/unsynced, one
 * name a line: a file, or "." for the folder's names. The mark need not be durable: after a reboot the cache is gone
 * and what is read is what is there. Whoever takes the folder's writer lock next writes the bytes of those files again
 * and syncs them; after a failed sync of the folder, every file is copied, synced and renamed over its old name, since
 * nothing else makes a forgotten name dirty again.
 *
 * Overwriting in place is safe: each sector of the file then holds what is read or what a power cut would have left,
 * which is what the store's recovery is made for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/io/io.h"

enum { COPY_BYTES = 1 << 20 };

/* Reads `from` in chunks and writes each to `to` at the same place: the same file, or another. */
static enum seam_status copy_bytes(struct seam_file *from, struct seam_file *to,
                                   struct seam_fault *f)
{
    uint8_t *chunk = malloc(COPY_BYTES);
    uint64_t at = 0;
    size_t got = 0;
    enum seam_status st;

    if (chunk == NULL)
        return seam_fault_set(f, SEAM_NOMEM, seam_file_path(from), SEAM_FAULT_NO_OFFSET,
                              "no memory to write a file again after a sync that failed");
    do {
        st = seam_file_read_some(from, at, chunk, COPY_BYTES, &got, f);
        if (st == SEAM_OK && got > 0) st = seam_file_write(to, at, chunk, got, f);
        at += got;
    } while (st == SEAM_OK && got == COPY_BYTES);
    free(chunk);
    return st == SEAM_OK ? seam_file_sync(to, f) : st;
}

/* The file's bytes once more, where they are. */
static enum seam_status write_again(struct seam_io *io, const char *path, struct seam_fault *f)
{
    struct seam_file *file = NULL;
    struct seam_fault here = {0};
    enum seam_status st = seam_file_open(io, path, SEAM_FILE_WRITE, &file, &here);

    if (st == SEAM_NOT_FOUND) return SEAM_OK; /* removed since */
    if (st == SEAM_OK) st = copy_bytes(file, file, &here);
    seam_file_close(file);
    if (st != SEAM_OK) seam_fault_give(f, &here);
    return st;
}

/* The file's bytes and its name: a copy takes its place. */
static enum seam_status copy_again(struct seam_io *io, const char *path, struct seam_fault *f)
{
    char copy[SEAM_PATH_MAX_BYTES + 8];
    struct seam_file *from = NULL, *to = NULL;
    enum seam_status st = seam_file_open(io, path, SEAM_FILE_READ, &from, f);

    (void)snprintf(copy, sizeof copy, "%s.mend", path);
    if (st == SEAM_OK)
        st = seam_file_open(io, copy, SEAM_FILE_WRITE | SEAM_FILE_CREATE | SEAM_FILE_TRUNC, &to, f);
    if (st == SEAM_OK) st = copy_bytes(from, to, f);
    seam_file_close(to);
    seam_file_close(from);
    return st == SEAM_OK ? seam_io_rename(io, copy, path, f) : st;
}

/* Locks and pages that processes share are never data, and whoever has them open must keep them. */
static bool is_data(const char *name)
{
    static const char *const other[] = {SEAM_UNSYNCED_NAME, SEAM_LOCK_NAME, "slots.lock",
                                        "consumers.lock",   "shared",       "consumers"};

    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        if (strcmp(name, other[i]) == 0) return false;
    return true;
}

static enum seam_status mend_names(struct seam_io *io, const char *dir, struct seam_fault *f)
{
    struct seam_io_list names = {0};
    enum seam_status st = seam_io_list(io, dir, &names, f);

    for (size_t i = 0; st == SEAM_OK && i < names.count; i++) {
        char path[SEAM_PATH_MAX_BYTES];
        bool is_dir = false;

        if (!is_data(names.names[i])) continue;
        st = seam_path_join(path, dir, names.names[i], f);
        if (st == SEAM_OK && io->ops->exists(io, path, &is_dir) && !is_dir)
            st = copy_again(io, path, f);
    }
    seam_io_list_free(&names);
    return st == SEAM_OK ? seam_io_sync_dir(io, dir, f) : st;
}

static enum seam_status mend_files(struct seam_io *io, const char *dir, char *lines,
                                   struct seam_fault *f)
{
    enum seam_status st = SEAM_OK;
    char *rest = lines;

    for (char *name = strtok_r(lines, "\n", &rest); st == SEAM_OK && name != NULL;
         name = strtok_r(NULL, "\n", &rest)) {
        char path[SEAM_PATH_MAX_BYTES];

        if (strchr(name, '/') != NULL) continue; /* not a line of ours */
        st = seam_path_join(path, dir, name, f);
        if (st == SEAM_OK) st = write_again(io, path, f);
    }
    return st;
}

static bool names_too(const char *lines)
{
    return strncmp(lines, ".\n", 2) == 0 || strstr(lines, "\n.\n") != NULL;
}

bool seam_io_unsynced(struct seam_io *io, const char *dir)
{
    char path[SEAM_PATH_MAX_BYTES];

    return seam_path_join(path, dir, SEAM_UNSYNCED_NAME, NULL) == SEAM_OK &&
           seam_io_exists(io, path);
}

enum seam_status seam_io_mend(struct seam_io *io, const char *dir, struct seam_fault *f)
{
    char path[SEAM_PATH_MAX_BYTES];
    struct seam_buf mark = {0};
    enum seam_status st;

    if (!seam_io_unsynced(io, dir)) return SEAM_OK;
    st = seam_path_join(path, dir, SEAM_UNSYNCED_NAME, f);
    if (st == SEAM_OK) st = seam_io_read_all(io, path, SEAM_UNSYNCED_MAX * 2, &mark, f);
    seam_buf_u8(&mark, '\0');
    if (st == SEAM_OK && !seam_buf_ok(&mark))
        st = seam_fault_set(f, SEAM_NOMEM, path, SEAM_FAULT_NO_OFFSET,
                            "no memory to read which syncs failed");
    /* A mark without a whole line, or a full one, does not say what else failed: everything then. */
    if (st == SEAM_OK)
        st = mark.size <= 2 || mark.size > SEAM_UNSYNCED_MAX || names_too((char *)mark.data)
                 ? mend_names(io, dir, f)
                 : mend_files(io, dir, (char *)mark.data, f);
    if (st == SEAM_OK) st = seam_io_unlink_if_there(io, path, f);
    seam_buf_free(&mark);
    return st;
}
