#include "kafka/topic_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static const char *part_of(const char *name, size_t len, const struct tags *tags, enum stream stream)
{
    const struct {
        const char *name, *value;
    } parts[] = {
        {"service", tags->service},
        {"project", tags->project},
        {"container", tags->container ? tags->container : tags->id},
        {"host", tags->host},
        {"stream", stream == STREAM_STDERR ? "stderr" : "stdout"},
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strlen(parts[i].name) == len && !strncmp(parts[i].name, name, len)) {
            return parts[i].value && *parts[i].value ? parts[i].value : "none";
        }
    }
    return "none";
}

static bool is_legal(char c)
{
    return isascii((unsigned char)c) && (isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-');
}

/* Appends to a name that is cut at its maximum but hashed whole. */
static size_t append(char *out, size_t len, const char *text, size_t text_len)
{
    for (size_t i = 0; i < text_len; i++, len++) {
        if (len < KAFKA_TOPIC_MAX) {
            out[len] = is_legal(text[i]) ? text[i] : '-';
        }
    }
    return len;
}

void kafka_topic_name(const char *template, const struct tags *tags, enum stream stream,
                      char out[KAFKA_TOPIC_MAX + 1])
{
    size_t len = 0;
    XXH64_hash_t hash = 0;
    while (*template) {
        const char *text = template, *close = strchr(template, '}');
        size_t text_len = strcspn(template, "{");
        template += text_len;
        if (text_len == 0) {
            close = close ? close : template + strlen(template) - 1;
            text = part_of(template + 1, (size_t)(close - template - 1), tags, stream);
            text_len = strlen(text);
            template = close + 1;
        }
        len = append(out, len, text, text_len);
        hash = XXH3_64bits_withSeed(text, text_len, hash);
    }
    if (len > KAFKA_TOPIC_MAX) {
        len = KAFKA_TOPIC_MAX;
        snprintf(out + len - 17, 18, "-%016llx", (unsigned long long)hash);
    }
    out[len] = '\0';
    if (!strcmp(out, ".") || !strcmp(out, "..")) {
        out[0] = '-'; /* Kafka takes all names of its characters but these two */
    }
}

void kafka_topic_glob(const char *template, const char *service, char out[KAFKA_GLOB_MAX])
{
    static const char part[] = "{service}";
    size_t len = 0;
    while (*template && len < KAFKA_GLOB_MAX - 1) {
        if (*template != '{') {
            out[len++] = *template ++;
            continue;
        }
        const char *fill = service && strncmp(template, part, sizeof(part) - 1) == 0 ? service : "*";
        for (; *fill && len < KAFKA_GLOB_MAX - 1; fill++) {
            out[len++] = is_legal(*fill) || strchr("*?[]!^", *fill) ? *fill : '-';
        }
        template += strcspn(template, "}");
        template += *template == '}';
    }
    out[len] = '\0';
}
