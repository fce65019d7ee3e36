// usearch, L2: bf16, or i8 (bytes shifted by -128: lossless for byte data; else its own cast with cosine).
// peer-libs: -lpthread
// peer-package: the sources in the npm package usearch, on the include path
// peer-flags: -march=native -w
#include <usearch/index_dense.hpp>

#include "bench/peers/hnsw_peer.h"

#ifndef PEER_VERSION
#define PEER_VERSION "usearch"
#endif
using namespace unum::usearch;

int main(int argc, char **argv)
{
    if (argc < 7) return 2;
    Vectors base(argv[1], 1), query(argv[2], 1);
    size_t m = size_t(atoi(argv[3])), efc = size_t(atoi(argv[4])), dim = base.dim;
    int threads = atoi(argv[5]);
    bool bytes = strcmp(argv[6], "i8raw") == 0, i8 = strcmp(argv[6], "i8") == 0;
    std::vector<i8_t> b8, q8;
    if (bytes) {
        for (float x : base.v) b8.push_back(i8_t(int(x) - 128));
        for (float x : query.v) q8.push_back(i8_t(int(x) - 128));
    }
    metric_punned_t metric(dim, i8 ? metric_kind_t::cos_k : metric_kind_t::l2sq_k,
                           bytes || i8 ? scalar_kind_t::i8_k : scalar_kind_t::bf16_k);
    index_dense_config_t config(m, efc, 64);
    config.connectivity_base = 2 * m;
    auto made = index_dense_t::make(metric, config);
    index_dense_t &h = made.index;
    std::string version = std::string(PEER_VERSION " ") + metric.isa_name();
    serve(version.c_str(), query.n,
          [&] {
              h.reserve(index_limits_t(base.n, size_t(threads < 2 ? 2 : threads)));
              parallel(base.n, threads, [&](size_t i, int t) {
                  if (bytes) h.add(i, &b8[i * dim], size_t(t));
                  else h.add(i, base.row(i), size_t(t));
              });
          },
          [&](size_t i, int ef, int32_t *out) {
              h.change_expansion_search(size_t(ef));
              auto r = bytes ? h.search(&q8[i * dim], 10) : h.search(query.row(i), 10);
              for (size_t k = 0; k < r.size(); k++) out[k] = int32_t(uint64_t(r[k].member.key));
          });
}
