#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static void hide_controls(char *text)
{
    char *to = text;
    const char *end = text + strlen(text);
    while (text < end) {
        size_t len = utf8_length(text, end);
        bool control = utf8_is_control(text, len);
        *to++ = control ? '?' : *text;
        text += control ? len : 1;
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
