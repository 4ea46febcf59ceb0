/* sidetail top: asks, draws, and goes by the keys. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/loop.h"
#include "frame.h"
#include "monitor/client.h"
#include "report/report.h"
#include "tty.h"

/* From one answer to the next question: rates are over a second at least. */
#define EVERY      (1050 * NS_PER_MS)
#define PATIENCE_S 10

struct top {
    struct view view;
    struct event_base *base;
    struct event *typed, *due, *signals[5];
    struct monitor_question *question; /* NULL: none is under way */
    struct answer answer;
    struct error fault;
    struct buf screen;
    bool ended;
    int result; /* an enum exit_code, or a signal's number, negative */
};

static void end(struct top *t, int result)
{
    t->ended = true;
    t->result = result;
    event_base_loopbreak(t->base);
}

static void draw(struct top *t)
{
    t->screen.len = 0;
    tty_size(&t->view.width, &t->view.height);
    t->view.fault = t->fault.text[0] ? t->fault.text : NULL;
    frame_put(&t->screen, &t->answer, &t->view);
    if (tty_write(slice_of(t->screen.data, t->screen.len)) < 0) {
        end(t, EXIT_FAULT);
    }
}

/* -- asking ------------------------------------------------------------------------------------ */

static void on_answer(void *arg, struct buf *body, const struct error *err)
{
    struct top *t = arg;
    struct answer fresh = {0};
    t->fault = *err;
    if (body) {
        fresh.text = *body;
        *body = (struct buf){0};
        if (answer_take(&fresh, t->view.listen, &t->fault) == 0) {
            t->fault.text[0] = '\0';
            answer_free(&t->answer);
            t->answer = fresh;
            fresh = (struct answer){0};
        }
    }
    answer_free(&fresh);
    loop_arm_timer(t->due, EVERY);
    draw(t);
}

static void ask(struct top *t)
{
    monitor_forget(t->question);
    t->question = monitor_ask(t->base, t->view.listen, "/status", PATIENCE_S,
                              (struct monitor_calls){on_answer, t}, &t->fault);
    if (!t->question) {
        loop_arm_timer(t->due, EVERY);
        draw(t);
    }
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    ask(arg);
}

/* -- keys -------------------------------------------------------------------------------------- */

static void scroll(struct view *v, long long by)
{
    long long first = (long long)v->first + by;
    v->first = first > 0 ? (size_t)first : 0;
}

static void sort_by(struct view *v, enum sort sort)
{
    v->sort = sort;
    v->problems = false;
    v->first = 0;
}

static void on_key(struct top *t, int key)
{
    struct view *v = &t->view;
    long long page = frame_page(v);
    switch (key) {
    case 'q':
        end(t, EXIT_OK);
        break;
    case 'r':
        sort_by(v, SORT_RATE);
        break;
    case 'l':
        sort_by(v, SORT_LAG);
        break;
    case 'n':
        sort_by(v, SORT_NAME);
        break;
    case 'p':
        v->problems = !v->problems;
        v->first = 0;
        break;
    case KEY_UP:
    case 'k':
        scroll(v, -1);
        break;
    case KEY_DOWN:
    case 'j':
        scroll(v, 1);
        break;
    case KEY_PAGE_UP:
        scroll(v, -page);
        break;
    case KEY_PAGE_DOWN:
    case ' ':
        scroll(v, page);
        break;
    case KEY_HOME:
        v->first = 0;
        break;
    case KEY_END:
        v->first = INT32_MAX;
        break;
    default:
        break;
    }
}

static void on_typed(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct top *t = arg;
    char typed[256];
    ssize_t n = read(fd, typed, sizeof(typed));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (n <= 0) { /* the terminal hung up */
        end(t, EXIT_FAULT);
        return;
    }
    const char *p = typed;
    for (int key; !t->ended && (key = tty_key(&p, typed + n)) != KEY_NONE;) {
        on_key(t, key);
    }
    if (!t->ended) {
        draw(t);
    }
}

/* -- signals ----------------------------------------------------------------------------------- */

/* Ctrl-Z: gives the terminal back for as long as it is stopped. */
static void stop_for_now(struct top *t)
{
    tty_leave();
    raise(SIGSTOP);
    if (tty_enter() < 0) {
        end(t, EXIT_FAULT);
    } else {
        draw(t);
    }
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    struct top *t = arg;
    if (number == SIGWINCH) {
        draw(t);
    } else if (number == SIGTSTP) {
        stop_for_now(t);
    } else {
        end(t, -number);
    }
}

static int catch_signals(struct top *t)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        t->signals[i] = evsignal_new(t->base, numbers[i], on_signal, t);
        if (!t->signals[i] || event_add(t->signals[i], NULL) < 0) {
            return -1;
        }
    }
    return 0;
}

/* -- set-up ------------------------------------------------------------------------------------ */

static int set_up(struct top *t, struct error *err)
{
    t->base = loop_new();
    t->typed = t->base ? event_new(t->base, STDIN_FILENO, EV_READ | EV_PERSIST, on_typed, t) : NULL;
    t->due = t->base ? evtimer_new(t->base, on_due, t) : NULL;
    if (!t->typed || !t->due || event_add(t->typed, NULL) < 0 || catch_signals(t) < 0) {
        return error_set(err, "cannot set up the event loop: %s", strerror(errno));
    }
    return tty_enter() < 0 ? error_set(err, "cannot use the terminal: %s", strerror(errno)) : 0;
}

static void tear_down(struct top *t)
{
    struct event *const events[] = {t->typed, t->due};
    monitor_forget(t->question);
    for (size_t i = 0; i < sizeof(t->signals) / sizeof(t->signals[0]); i++) {
        loop_free_event(t->signals[i]);
    }
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        loop_free_event(events[i]);
    }
    if (t->base) {
        event_base_loop(t->base, EVLOOP_NONBLOCK); /* libevent frees connections in the loop only */
        event_base_free(t->base);
    }
    answer_free(&t->answer);
    buf_free(&t->screen);
}

int report_top(const char *listen)
{
    const char *no_color = getenv("NO_COLOR");
    struct top t = {.view = {.listen = listen, .color = !no_color || !*no_color}};
    struct error err = {0};
    struct address at;
    if (tty_check(&err) < 0 || address_parse(listen, &at, &err) < 0) {
        fprintf(stderr, "sidetail top: %s\n", err.text);
        return EXIT_CONFIG;
    }
    if (set_up(&t, &err) == 0) {
        ask(&t);
        draw(&t);
        while (!t.ended && event_base_loop(t.base, EVLOOP_ONCE) == 0) {
        }
    } else {
        t.result = EXIT_FAULT;
    }
    tty_leave();
    if (err.text[0]) {
        fprintf(stderr, "sidetail top: %s\n", err.text);
    }
    tear_down(&t);
    return t.result;
}
