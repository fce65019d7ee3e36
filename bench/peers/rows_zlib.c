/* zlib's inflate over one gzip file, whole, in memory: the peer of bench_rows. peer-libs: -lz
 * peer-package: zlib1g-dev
 *
 *   open FILE -> bytes inflated;  run -> seconds of one pass                                     */
#include "bench/common/peer.h"

#include <stdlib.h>
#include <zlib.h>

static unsigned char *packed, *plain;
static size_t packed_size, plain_size;

static int inflate_all(size_t capacity)
{
    z_stream z;
    int rc;

    memset(&z, 0, sizeof z);
    if (inflateInit2(&z, 31) != Z_OK) return 0;
    z.next_in = packed;
    z.avail_in = (uInt)packed_size;
    z.next_out = plain;
    z.avail_out = (uInt)capacity;
    rc = inflate(&z, Z_FINISH);
    plain_size = z.total_out;
    inflateEnd(&z);
    return rc == Z_STREAM_END;
}

static int open_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t capacity = 1u << 30;

    if (f == NULL) return 0;
    fseek(f, 0, SEEK_END);
    packed_size = (size_t)ftell(f);
    rewind(f);
    packed = malloc(packed_size);
    plain = malloc(capacity);
    if (packed == NULL || plain == NULL || fread(packed, 1, packed_size, f) != packed_size) {
        fclose(f);
        return 0;
    }
    fclose(f);
    return inflate_all(capacity);
}

int main(void)
{
    char line[1024];

    peer_ready(zlibVersion());
    while (peer_line(line, sizeof line)) {
        if (strncmp(line, "open ", 5) == 0) {
            if (open_file(line + 5))
                peer_reply("%zu", plain_size);
            else
                peer_reply("error cannot inflate %s", line + 5);
        } else if (strcmp(line, "run") == 0) {
            uint64_t start = peer_now_ns();

            if (inflate_all(plain_size))
                peer_reply("%.9g", (double)(peer_now_ns() - start) / 1e9);
            else
                peer_reply("error inflate");
        } else {
            peer_reply("error unknown command");
        }
    }
    return 0;
}
