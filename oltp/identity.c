/* identity - whose pages these are, and whether the log beside them tells the same history.
 *
 *   meta page: platform, log id, (history, LSN, crc of the log's record that ends there)
 *        |                 |                  |
 *     options.platform   the log's id      the log's list of histories, else the very record
 *
 * Asked by every opening, before anything of the log is believed: another database's log in the place of ours replays into
 * our trees without an error, and answers with its rows. */
#include "oltp/db.h"

#include <stdlib.h>

#include "engine/io/filehead.h"

static enum seam_status check_platform(const struct oltp *db, struct seam_fault *f)
{
    static const uint8_t none[SEAM_PLATFORM_ID_BYTES];
    char theirs[SEAM_PLATFORM_TEXT], ours[SEAM_PLATFORM_TEXT];

    if (db->o.platform == NULL ||
        memcmp(db->identity.owner.platform, none, sizeof none) == 0 || /* made alone: taken over */
        memcmp(db->identity.owner.platform, db->o.platform, sizeof none) == 0)
        return SEAM_OK;
    seam_platform_text(db->identity.owner.platform, theirs);
    seam_platform_text(db->o.platform, ours);
    return seam_fault_set(f, SEAM_CONFLICT, db->pager.path, SEAM_FAULT_NO_OFFSET,
                          "pages of platform %s; this is platform %s", theirs, ours);
}

/* The record that ended at the checkpoint when it was made: still there? */
static bool same_record(const struct oltp *db, seam_lsn_t oldest)
{
    uint32_t crc = 0;

    if (db->newest.lsn <= oldest)
        return true; /* before the log: nothing to compare, nor to replay */
    return db->identity.before != 0 &&
           wal_record_before(db->io, db->wal_dir, db->newest.lsn, &crc, NULL) == SEAM_OK &&
           crc == db->identity.before;
}

static enum seam_status check_history(const struct oltp *db, seam_lsn_t oldest,
                                      struct seam_fault *f)
{
    struct wal_history *list = NULL;
    struct seam_fault why = {0};
    seam_lsn_t parted, lsn = db->newest.lsn;
    size_t count = 0;
    enum wal_history_place place;
    enum seam_status st = wal_histories(db->io, db->wal_dir, &list, &count, &why);

    if (st == SEAM_NOT_FOUND || lsn == SEAM_LSN_NONE || db->identity.owner.history == 0) {
        free(list);
        return SEAM_OK;
    }
    if (st != SEAM_OK) {
        seam_fault_give(f, &why);
        return st;
    }
    place = wal_history_find(list, count, db->identity.owner.history, lsn, &parted);
    free(list);
    if (place == WAL_HISTORY_HERE || same_record(db, oldest)) return SEAM_OK;
    return seam_fault_set(
        f, SEAM_CONFLICT, db->pager.path, SEAM_FAULT_NO_OFFSET,
        "the pages tell history %016llx up to LSN %llu; the log in %s %s LSN %llu: they are not of "
        "one "
        "moment. Restore both folders from one backup, or take the rows out with `seam salvage`",
        (unsigned long long)db->identity.owner.history, (unsigned long long)lsn, db->wal_dir,
        place == WAL_HISTORY_PARTED ? "parted from it at" : "lists others, from",
        (unsigned long long)parted);
}

enum seam_status oltp_identity_check(struct oltp *db, struct seam_fault *f)
{
    struct wal_state ws;
    enum seam_status st = check_platform(db, f);

    assert(db->identity.file_id != 0);
    if (st != SEAM_OK) return st;
    if (wal_state(db->io, db->wal_dir, &ws, NULL) != SEAM_OK)
        return SEAM_OK; /* whoever needs the log will say that it is not there */
    if (db->identity.log_id != 0 && db->identity.log_id != ws.log_id)
        return seam_fault_set(
            f, SEAM_CONFLICT, db->wal_dir, SEAM_FAULT_NO_OFFSET,
            "this is log %016llx; the pages in %s were made from log %016llx: it is "
            "another database's log",
            (unsigned long long)ws.log_id, db->dir, (unsigned long long)db->identity.log_id);
    return check_history(db, ws.oldest, f);
}

void oltp_identity_take(struct oltp *db)
{
    assert(db->wal != NULL && !db->read_only);
    if (db->o.platform != NULL)
        memcpy(db->identity.owner.platform, db->o.platform, SEAM_PLATFORM_ID_BYTES);
    db->identity.log_id = wal_log_id(db->wal);
    db->identity.owner.history = wal_history(db->wal);
}

uint64_t oltp_history(struct oltp *db)
{
    struct wal_history *list = NULL;
    size_t count = 0;
    uint64_t id = db->identity.owner.history;

    if (db->wal != NULL) return wal_history(db->wal);
    if (wal_histories(db->io, db->wal_dir, &list, &count, NULL) == SEAM_OK)
        id = wal_history_at(list, count, oltp_lsn(db));
    free(list);
    return id;
}
