/* before - the record that ends at a position: what tells one history's LSN from another's. */
#include "wal/internal.h"

enum seam_status wal_record_before(struct seam_io *io, const char *dir, seam_lsn_t lsn,
                                   uint32_t *crc, struct seam_fault *f)
{
    enum { LOOK_FIRST = 64 << 10 };
    struct wal_reader *r = NULL;
    struct wal_record found = {0};
    struct wal_state ws;
    enum seam_status st = wal_state(io, dir, &ws, f);

    *crc = 0;
    if (st != SEAM_OK || lsn <= ws.oldest) return st;
    st = wal_reader_open(io, dir, lsn, 0, &r, f);
    for (uint64_t back = LOOK_FIRST; st == SEAM_OK; back *= 4) {
        seam_lsn_t from = lsn > ws.oldest + back ? lsn - back : ws.oldest;

        st = wal_reader_resync(r, from, f);
        while (st == SEAM_OK && wal_reader_position(r) < lsn) st = wal_reader_next(r, &found, f);
        if (st == SEAM_OK && found.end == lsn) {
            *crc = found.crc;
            break;
        }
        if (st == SEAM_END) st = SEAM_OK;
        if (st == SEAM_OK && (from == ws.oldest || back > 2ull * WAL_PAYLOAD_MAX))
            st = seam_fault_set(f, SEAM_NOT_FOUND, dir, lsn,
                                "no record of this log ends at LSN %llu", (unsigned long long)lsn);
    }
    wal_reader_close(r);
    return st;
}
