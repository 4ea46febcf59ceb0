#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A control character of UTF-8, at most two bytes (U+0080 to U+009F), which a terminal may take for a command. Its
 * length; 0: there is none. */
static size_t control_length(const char *text)
{
    unsigned char c = (unsigned char)text[0], next = c ? (unsigned char)text[1] : 0;
    return (c > 0 && c < 0x20) || c == 0x7F ? 1 : c == 0xC2 && next >= 0x80 && next < 0xA0 ? 2 : 0;
}

static void hide_controls(char *text)
{
    char *to = text;
    for (size_t len; *text; text += len ? len : 1) {
        len = control_length(text);
        *to++ = len ? '?' : *text;
    }
    *to = '\0';
}

/* Many others end their texts with a newline. */
static void make_one_line(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && strchr("\r\n", text[len - 1])) {
        text[--len] = '\0';
    }
    for (; *text; text++) {
        *text = strchr("\r\n\t", *text) ? ' ' : *text;
    }
}

int error_set(struct error *err, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
        make_one_line(err->text);
        hide_controls(err->text);
        err->exit_code = 0;
    }
    return -1;
}

int error_exit(struct error *err, int exit_code)
{
    if (err) {
        err->exit_code = exit_code;
    }
    return -1;
}

const char *error_quote(const char *text, char out[ERROR_QUOTE_MAX])
{
    static const char ellipsis[] = "…\"";
    size_t room = ERROR_QUOTE_MAX - sizeof(ellipsis) - 1, len = strlen(text);
    bool cut = len > room;
    if (cut) {
        len = room;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) { /* not inside a character of UTF-8 */
            len--;
        }
    }
    out[0] = '"';
    memcpy(out + 1, text, len);
    out[1 + len] = '\0';
    hide_controls(out + 1);
    strcat(out, cut ? ellipsis : "\"");
    return out;
}
