#include "encode.h"

const struct encoder *encoder_find(const char *name)
{
    static const struct encoder *const encoders[] = {&encoder_json, &encoder_raw, &encoder_pretty};
    for (size_t i = 0; i < sizeof(encoders) / sizeof(encoders[0]); i++) {
        if (strcmp(encoders[i]->name, name) == 0) {
            return encoders[i];
        }
    }
    return NULL;
}
