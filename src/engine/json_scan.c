#include "json_scan.h"

/* Within a string. */
static void scan_text(struct json_scan *s, char byte)
{
    if (s->escaped) {
        s->escaped = false;
    } else if (byte == '\\') {
        s->escaped = true;
    } else if (byte == '"') {
        s->string = false;
    }
}

static void scan_mark(struct json_scan *s, char byte)
{
    switch (byte) {
    case '"':
        s->string = true;
        break;
    case '{':
    case '[':
        s->depth++;
        s->values++;
        break;
    case '}':
    case ']':
        s->depth -= s->depth > 0;
        break;
    case ',':
    case ':':
        s->values++;
        break;
    default:
        break;
    }
}

size_t json_scan(struct json_scan *s, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s->string) {
            scan_text(s, bytes[i]);
            continue;
        }
        scan_mark(s, bytes[i]);
        if (json_scan_ended(s)) {
            return i + 1;
        }
    }
    return len;
}
