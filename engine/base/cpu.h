/* cpu - which data-parallel variants this machine can run; asked once, read for ever.
 *
 * SEAM_SIMD=scalar|avx2|avx512|neon in the environment lowers (never raises) the answer, so that
 * every variant can be run and compared on one machine.                                          */
#ifndef SEAM_ENGINE_CPU_H
#define SEAM_ENGINE_CPU_H

#include <stdbool.h>

struct seam_cpu {
    bool sse42, avx2, fma, f16c, bmi2;
    bool avx512;      /* F + BW + DQ + VL + CD                */
    bool avx512_vbmi; /* VBMI + VBMI2                         */
    bool avx512_vnni;
    bool avx512_bf16;
    bool pclmul, sha;
    bool vpclmul; /* VPCLMULQDQ, on the AVX-512 registers */
    bool neon;
};

const struct seam_cpu *seam_cpu(void);
const char *seam_cpu_simd_name(void); /* "avx512", "avx2", "neon", "scalar" */
int seam_cpu_count(void);             /* processors this process may use, >= 1 */

#endif
