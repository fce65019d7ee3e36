/* main - the program `seam`: the real disk, the real clock. */
#include "pipeline/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv, seam_io_posix(), seam_clock_real());
}
