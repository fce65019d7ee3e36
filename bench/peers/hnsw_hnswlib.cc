// hnswlib, float32, L2, dimensions padded to a multiple of 16 so that its AVX-512 kernel is the one that runs.
// peer-libs: -lpthread
// peer-package: libhnswlib-dev
// peer-flags: -march=native
#include <hnswlib/hnswlib.h>

#include "bench/peers/hnsw_peer.h"

#ifndef PEER_VERSION
#define PEER_VERSION "hnswlib (system)"
#endif

int main(int argc, char **argv)
{
    if (argc < 7) return 2;
    Vectors base(argv[1], 16), query(argv[2], 16);
    int m = atoi(argv[3]), efc = atoi(argv[4]), threads = atoi(argv[5]);
    hnswlib::L2Space space(base.padded);
    hnswlib::HierarchicalNSW<float> *h = nullptr;
    serve(PEER_VERSION, query.n,
          [&] {
              h = new hnswlib::HierarchicalNSW<float>(&space, base.n, size_t(m), size_t(efc));
              h->addPoint(base.row(0), 0);
              parallel(base.n - 1, threads, [&](size_t i, int) { h->addPoint(base.row(i + 1), i + 1); });
          },
          [&](size_t i, int ef, int32_t *out) {
              h->setEf(size_t(ef));
              auto r = h->searchKnn(query.row(i), 10);
              for (int k = int(r.size()); k-- > 0; r.pop()) out[k] = int32_t(r.top().second);
          });
}
