/* child - a part of the platform as a child process: started, looked after, stopped. */
#include "pipeline/cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 32, STOP_WAIT_MS = 10000 };

/* The path of the running program, so that a child is the same build whatever PATH says.           */
static const char *self_path(const char *argv0, char out[1024])
{
    ssize_t n = readlink("/proc/self/exe", out, 1023);

    if (n <= 0) return argv0;
    out[n] = '\0';
    return out;
}

static void run_in_child(const char *program, const char *const *args, const char *log_path,
                         pid_t parent)
{
    const char *argv[ARGS_MAX] = {program};
    int n = 1;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1); /* the parent died before we asked */
    if (log_path != NULL) {
        int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0644);

        if (fd >= 0) {
            dup2(fd, STDOUT_FILENO);
            dup2(fd, STDERR_FILENO);
            close(fd);
        }
    }
    for (int i = 0; args[i] != NULL && n + 1 < ARGS_MAX; i++) argv[n++] = args[i];
    execv(program, (char *const *)argv);
    fprintf(stderr, "could not run %s: %s\n", program, strerror(errno));
    _exit(127);
}

enum seam_status child_start(struct cli_child *c, const char *name, const char *program,
                             const char *const *args, const char *log_path, struct seam_fault *f)
{
    char self[1024];
    const char *path = self_path(program, self);
    pid_t parent = getpid();
    pid_t pid;

    fflush(stdout);
    fflush(stderr);
    pid = fork();
    if (pid < 0)
        return seam_fault_set_os(f, SEAM_IO, name, SEAM_FAULT_NO_OFFSET, errno,
                                 "could not start a process");
    if (pid == 0) run_in_child(path, args, log_path, parent);
    if (name != c->name)
        snprintf(c->name, sizeof c->name, "%s", name); /* the same name when started again */
    c->pid = pid;
    return SEAM_OK;
}

bool child_running(struct cli_child *c, int *exit_code)
{
    int status;
    pid_t got;

    if (c->pid == 0) return false;
    got = waitpid(c->pid, &status, WNOHANG);
    if (got == 0) return true;
    if (exit_code != NULL)
        *exit_code = got < 0             ? -1
                     : WIFEXITED(status) ? WEXITSTATUS(status)
                                         : 128 + WTERMSIG(status);
    c->pid = 0;
    return false;
}

void child_stop(struct cli_child *c)
{
    if (c->pid == 0) return;
    kill(c->pid, SIGTERM);
    for (int ms = 0; ms < STOP_WAIT_MS; ms += 5) {
        if (!child_running(c, NULL)) return;
        usleep(5000);
    }
    child_kill(c);
}

void child_kill(struct cli_child *c)
{
    if (c->pid == 0) return;
    kill(c->pid, SIGKILL);
    waitpid(c->pid, NULL, 0);
    c->pid = 0;
}
