#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* The file's first bytes as a string; empty when it cannot be read. */
static void read_text(const char *path, char *text, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, cap - 1);
    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

static long long resident_bytes(void)
{
    char text[128];
    long long size, resident;
    read_text("/proc/self/statm", text, sizeof(text));
    return sscanf(text, "%lld %lld", &size, &resident) == 2 ? resident * sysconf(_SC_PAGESIZE) : 0;
}

static long long open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir) {
        return 0;
    }
    long long count = -1; /* the directory's own */
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        count += entry->d_name[0] != '.';
    }
    closedir(dir);
    return count;
}

/* The 22nd field of stat is the start in clock ticks since boot. The second, the name, is in parentheses and
 * may hold anything. */
static double start_seconds(void)
{
    char text[1024];
    long long ticks;
    struct timespec boot;
    read_text("/proc/self/stat", text, sizeof(text));
    const char *p = strrchr(text, ')');
    if (!p || clock_gettime(CLOCK_BOOTTIME, &boot) < 0 ||
        sscanf(p + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld",
               &ticks) != 1) {
        return 0;
    }
    double up = (double)boot.tv_sec + (double)boot.tv_nsec / NS_PER_S;
    return (double)clock_now() / NS_PER_S - up + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

void process_usage(struct process_usage *use)
{
    struct rusage used;
    struct rlimit files;
    *use = (struct process_usage){
        .start_seconds = start_seconds(), .resident_bytes = resident_bytes(), .open_fds = open_fds()};
    if (getrusage(RUSAGE_SELF, &used) == 0) {
        use->cpu_seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        use->max_fds = (long long)files.rlim_cur;
    }
}
