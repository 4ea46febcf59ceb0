#include "base/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"

struct note {
    struct note *next;
    int kind;
    char text[];
};

struct worker {
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below but the last three */
    pthread_cond_t wake;  /* posted, or ending */
    struct job *posted, **posted_tail;
    struct job *finished, **finished_tail;
    struct note *notes, **notes_tail;
    bool ending;
    int fd; /* readable when something is finished or noted */
    struct event *event;
    void (*noted)(void *arg, int kind, const char *text);
    void *noted_arg;
};

static void wake_loop(struct worker *w)
{
    uint64_t one = 1;
    /* It fails only when the counter is full: then the loop is awake already. */
    if (write(w->fd, &one, sizeof(one)) < 0) {
        return;
    }
}

static struct job *next_job(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->posted && !w->ending) {
        pthread_cond_wait(&w->wake, &w->lock);
    }
    struct job *job = w->ending ? NULL : w->posted;
    if (job && !(w->posted = job->next)) {
        w->posted_tail = &w->posted;
    }
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct job *job;
    while ((job = next_job(w))) {
        job->run(job);
        job->next = NULL;
        pthread_mutex_lock(&w->lock);
        *w->finished_tail = job;
        w->finished_tail = &job->next;
        pthread_mutex_unlock(&w->lock);
        wake_loop(w);
    }
    return NULL;
}

static void tell_notes(struct worker *w, struct note *note)
{
    while (note) {
        struct note *next = note->next;
        if (w->noted) {
            w->noted(w->noted_arg, note->kind, note->text);
        }
        free(note);
        note = next;
    }
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct worker *w = arg;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) < 0) {
        return;
    }
    pthread_mutex_lock(&w->lock);
    struct note *notes = w->notes;
    w->notes = NULL;
    w->notes_tail = &w->notes;
    struct job *job = w->finished;
    w->finished = NULL;
    w->finished_tail = &w->finished;
    pthread_mutex_unlock(&w->lock);
    tell_notes(w, notes);
    while (job) {
        struct job *next = job->next;
        job->done(job);
        job = next;
    }
}

/* Signals are the loop's: none may land on the thread. */
static int start_thread(struct worker *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static void release(struct worker *w)
{
    loop_free_event(w->event);
    if (w->fd >= 0) {
        close(w->fd);
    }
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

struct worker *worker_new(struct event_base *base)
{
    struct worker *w = calloc(1, sizeof(*w));
    if (!w) {
        return NULL;
    }
    w->posted_tail = &w->posted;
    w->finished_tail = &w->finished;
    w->notes_tail = &w->notes;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    w->event = w->fd < 0 ? NULL : event_new(base, w->fd, EV_READ | EV_PERSIST, on_event, w);
    if (!w->event || event_add(w->event, NULL) < 0 || start_thread(w) != 0) {
        release(w);
        return NULL;
    }
    return w;
}

void worker_post(struct worker *w, struct job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&w->lock);
    *w->posted_tail = job;
    w->posted_tail = &job->next;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void worker_on_note(struct worker *w, void (*noted)(void *arg, int kind, const char *text), void *arg)
{
    w->noted = noted;
    w->noted_arg = arg;
}

void worker_note(struct worker *w, int kind, const char *text)
{
    size_t size = strlen(text) + 1;
    struct note *note = malloc(sizeof(*note) + size);
    if (!note) {
        return; /* a word less in the log */
    }
    note->next = NULL;
    note->kind = kind;
    memcpy(note->text, text, size);
    pthread_mutex_lock(&w->lock);
    *w->notes_tail = note;
    w->notes_tail = &note->next;
    pthread_mutex_unlock(&w->lock);
    wake_loop(w);
}

bool worker_wait(struct worker *w, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&w->lock);
    while (!w->ending && pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0) {
    }
    bool go_on = !w->ending;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

bool worker_ending(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool ending = w->ending;
    pthread_mutex_unlock(&w->lock);
    return ending;
}

void worker_free(struct worker *w)
{
    if (!w) {
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    while (w->notes) {
        struct note *next = w->notes->next;
        free(w->notes);
        w->notes = next;
    }
    release(w);
}
