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
