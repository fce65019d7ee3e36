/* interrupt - SIGINT and SIGTERM as a flag that long commands look at. */
#include <unistd.h>

#include "pipeline/cli/cli.h"

volatile sig_atomic_t cli_interrupted;

static void on_interrupt(int sig)
{
    (void)sig;
    if (cli_interrupted) _exit(EXIT_INTERRUPTED); /* the second Ctrl-C means now */
    cli_interrupted = 1;
}

void cli_catch_interrupts(void)
{
    struct sigaction a = {.sa_handler = on_interrupt};

    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}
