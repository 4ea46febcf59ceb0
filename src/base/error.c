#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
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
    size_t room = ERROR_QUOTE_MAX - sizeof(ellipsis) - 1, len = strlen(text), n = 1;
    bool cut = len > room;
    if (cut) {
        len = room;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) { /* not inside a character of UTF-8 */
            len--;
        }
    }
    out[0] = '"';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool wide = c == 0xC2 && i + 1 < len && (unsigned char)text[i + 1] < 0xA0; /* U+0080 to U+009F */
        out[n++] = c < 0x20 || c == 0x7F || wide ? '?' : (char)c;
        i += wide;
    }
    snprintf(out + n, ERROR_QUOTE_MAX - n, "%s", cut ? ellipsis : "\"");
    return out;
}
