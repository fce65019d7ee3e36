/* main - the program `seam-chaos`: `seam`, with the faults that SEAM_FAULT asks for planted in it. */
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/cli/cli.h"
#include "tests/chaos/faults.h"

int main(int argc, char **argv)
{
    struct chaos_clock stepped;
    const char *planted = getenv("SEAM_FAULT");

    if (planted != NULL && *planted != '\0')
        fprintf(stderr, "seam-chaos: a fault is planted: %s\n", planted);
    return cli_main(argc, argv, seam_io_posix(), chaos_clock(&stepped, seam_clock_real()));
}
