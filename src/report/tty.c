#include "tty.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* A screen of its own (what was there comes back), no cursor, no wrapping of long lines; and back. */
#define ENTER "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
#define LEAVE "\x1b[?7h\x1b[?25h\x1b[?1049l"

/* Bytes that a terminal which says it is ready takes without making us wait; and how long it is waited for. */
#define WRITE_MAX 256
#define WAIT_MS   100

static struct termios before;
static bool entered;

int tty_check(struct error *err)
{
    const char *term = getenv("TERM");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        return error_set(err, "this needs a terminal; sidetail status goes without one");
    }
    if (!term || !*term || strcmp(term, "dumb") == 0) {
        return error_set(err,
                         "this terminal cannot move its cursor (TERM); sidetail status goes without that");
    }
    return 0;
}

int tty_write(struct slice text)
{
    while (text.len > 0) {
        struct pollfd ready = {.fd = STDOUT_FILENO, .events = POLLOUT};
        size_t most = text.len < WRITE_MAX ? text.len : WRITE_MAX;
        ssize_t n = poll(&ready, 1, WAIT_MS);
        if (n == 0) {
            return 0;
        }
        n = n > 0 ? write(STDOUT_FILENO, text.ptr, most) : -1;
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        text.ptr += n > 0 ? n : 0;
        text.len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int tty_enter(void)
{
    if (tcgetattr(STDIN_FILENO, &before) < 0) {
        return -1;
    }
    struct termios keys = before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &keys) < 0) {
        return -1;
    }
    entered = true;
    return tty_write(SLICE(ENTER));
}

void tty_leave(void)
{
    if (entered) {
        entered = false;
        tty_write(SLICE(LEAVE));
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
        tcflush(STDIN_FILENO, TCIFLUSH); /* what was typed meanwhile was meant for us */
    }
}

void tty_size(unsigned *width, unsigned *height)
{
    struct winsize size = {0};
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 &&
                 size.ws_row > 0; /* or a pty of nobody */
    *width = known ? size.ws_col : 80;
    *height = known ? size.ws_row : 24;
}

/* Behind ESC [ or ESC O: parameters, and the letter that ends them. */
static int escape_key(const char **p, const char *end)
{
    const char *begin = *p;
    while (*p < end && (unsigned char)**p < 0x40) {
        (*p)++;
    }
    char last = *p < end ? *(*p)++ : '\0';
    switch (last) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'H':
        return KEY_HOME;
    case 'F':
        return KEY_END;
    case '~':
        return *begin == '5'                    ? KEY_PAGE_UP
               : *begin == '6'                  ? KEY_PAGE_DOWN
               : *begin == '1' || *begin == '7' ? KEY_HOME
               : *begin == '4' || *begin == '8' ? KEY_END
                                                : KEY_OTHER;
    default:
        return KEY_OTHER;
    }
}

int tty_key(const char **p, const char *end)
{
    if (*p == end) {
        return KEY_NONE;
    }
    char c = *(*p)++;
    if (c == '\x1b' && end - *p >= 2 && (**p == '[' || **p == 'O')) {
        (*p)++;
        return escape_key(p, end);
    }
    return c >= KEY_TEXT && c < 0x7F ? c : KEY_OTHER;
}
