/* What this process uses, from /proc and the kernel's accounts. */
#ifndef SIDETAIL_BASE_PROCESS_H
#define SIDETAIL_BASE_PROCESS_H

struct process_usage {
    double cpu_seconds, start_seconds; /* used; when it began, since 1970 */
    long long resident_bytes, open_fds, max_fds;
};

/* What cannot be told (no /proc) is 0. */
void process_usage(struct process_usage *use);

#endif
