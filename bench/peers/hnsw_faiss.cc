// FAISS HNSW: flat (float32) or sq8 (8-bit codes, trained); L2; dimensions padded to a multiple of 16.
// peer-libs: -lfaiss -lopenblas -fopenmp
// peer-package: libfaiss-dev libopenblas-dev
// peer-flags: -march=native
#include <faiss/IndexHNSW.h>
#include <omp.h>

#include "bench/peers/hnsw_peer.h"

#ifndef PEER_VERSION
#define PEER_VERSION "FAISS (system)"
#endif

int main(int argc, char **argv)
{
    if (argc < 7) return 2;
    Vectors base(argv[1], 16), query(argv[2], 16);
    int m = atoi(argv[3]), efc = atoi(argv[4]), threads = atoi(argv[5]);
    bool sq8 = strcmp(argv[6], "sq8") == 0;
    faiss::IndexHNSW *h = nullptr;
    serve(PEER_VERSION, query.n,
          [&] {
              omp_set_num_threads(threads);
              if (sq8) h = new faiss::IndexHNSWSQ(int(base.padded), faiss::ScalarQuantizer::QT_8bit, m, faiss::METRIC_L2);
              else h = new faiss::IndexHNSWFlat(int(base.padded), m, faiss::METRIC_L2);
              h->hnsw.efConstruction = efc;
              h->train(int64_t(base.n), base.v.data());
              h->add(int64_t(base.n), base.v.data());
              omp_set_num_threads(1);
          },
          [&](size_t i, int ef, int32_t *out) {
              float d[10];
              int64_t id[10];
              h->hnsw.efSearch = ef;
              h->search(1, query.row(i), 10, d, id);
              for (int k = 0; k < 10; k++) out[k] = int32_t(id[k]);
          });
}
