/* What a trickle costs the kernel, whoever collects: follows the *-json.log of the directories in ROOT as sidetail does, and
 * does nothing for it but to ask the kernel. Each PACE milliseconds it reads the events, and of each log that they name what is
 * new, in one read; all goes to stdout in one write, as it is. No line is looked at, nothing is proven, no position
 * is kept. With `all` there are no events: each log is read each time.
 * usage: bench_least ROOT PACE [all] */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#define LOGS_MAX 4096
#define READ_MAX 65536 /* bytes of one log at once */

static struct {
    int fd, wd;
    off_t at;
    bool named;
} logs[LOGS_MAX];
static int count, numbers[LOGS_MAX * 2]; /* of the log of a watch */
static char out[16 << 20];
static size_t out_len;
static volatile sig_atomic_t ends;

static void on_term(int number)
{
    (void)number;
    ends = 1;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void add(const char *root, const char *name, int events)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    if (events >= 0 && (logs[count].wd = inotify_add_watch(events, path, IN_MODIFY)) < 0) {
        fail(path);
    }
    snprintf(path, sizeof(path), "%s/%s/%s-json.log", root, name, name);
    if ((logs[count].fd = open(path, O_RDONLY | O_CLOEXEC)) < 0 || logs[count].wd >= LOGS_MAX * 2) {
        fail(path);
    }
    numbers[logs[count].wd] = count;
    count++;
}

static void find(const char *root, int events)
{
    DIR *dir = opendir(root);
    struct dirent *entry = NULL;
    while (dir && count < LOGS_MAX && (entry = readdir(dir))) {
        if (entry->d_name[0] != '.') {
            add(root, entry->d_name, events);
        }
    }
    if (!dir || entry) {
        fail(root);
    }
    closedir(dir);
}

static void read_log(int number)
{
    ssize_t len;
    while ((len = pread(logs[number].fd, out + out_len, READ_MAX, logs[number].at)) > 0) {
        logs[number].at += len;
        out_len += (size_t)len;
        if (len < READ_MAX) {
            break; /* that was the end */
        }
    }
    logs[number].named = false;
}

static void read_named(int events)
{
    static _Alignas(struct inotify_event) char told[65536];
    static int named[LOGS_MAX];
    int most = 0;
    ssize_t len = read(events, told, sizeof(told));
    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *event = (const void *)(told + at);
        int number = numbers[event->wd];
        if (!logs[number].named) {
            logs[number].named = true;
            named[most++] = number;
        }
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    for (int i = 0; i < most; i++) {
        read_log(named[i]);
    }
}

static void put_out(void)
{
    for (size_t done = 0; done < out_len;) {
        ssize_t len = write(STDOUT_FILENO, out + done, out_len - done);
        if (len < 0) {
            fail("stdout");
        }
        done += (size_t)len;
    }
    out_len = 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench_least ROOT PACE [all]\n");
        return 2;
    }
    const struct timespec pace = {.tv_nsec = strtol(argv[2], NULL, 10) * 1000000};
    int events = argc > 3 ? -1 : inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    signal(SIGTERM, on_term);
    find(argv[1], events);
    while (!ends) {
        nanosleep(&pace, NULL);
        if (events >= 0) {
            read_named(events);
        }
        for (int i = 0; events < 0 && i < count; i++) {
            read_log(i);
        }
        put_out();
    }
    return 0;
}
