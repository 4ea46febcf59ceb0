/* Which decoders there are, and which of them fits a file. */
#include "decode/decode.h"

static const struct decoder *const decoders[] = {&decoder_json_file, &decoder_cri, &decoder_plain};

const struct decoder *decoder_find(const char *name)
{
    for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++) {
        if (strcmp(decoders[i]->name, name) == 0) {
            return decoders[i];
        }
    }
    return NULL;
}

size_t decoder_pass(const struct decoder *d, const char *p, const char *end, int64_t most, int64_t *found)
{
    struct buf scratch = {0};
    struct record rec;
    const char *at = p;
    *found = 0;
    for (size_t used = 1; at < end && used > 0 && *found < most; at += used) {
        used = d->next(at, end, &rec, &scratch);
        *found += used > 0;
        used = used > 0 ? used : d->framing->damaged(at, end, false);
    }
    buf_free(&scratch);
    return (size_t)(at - p);
}

const struct decoder *decoder_guess(const char *p, const char *end)
{
    struct buf scratch = {0};
    const struct decoder *found = NULL;
    for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]) && !found; i++) {
        struct record rec;
        if (decoders[i]->next(p, end, &rec, &scratch) == 0) {
            break; /* no whole line yet */
        }
        /* A program may well log objects with a key `log` of their own: only Docker's also have a time. */
        if (decoders[i] == &decoder_plain || (!rec.malformed && rec.time.len > 0)) {
            found = decoders[i];
        }
    }
    buf_free(&scratch);
    return found;
}
