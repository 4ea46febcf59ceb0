#include "encode/encode.h"

#include "config/config.h"

const struct encoder *encoder_choose(int format)
{
    static const struct encoder *const encoders[] = {
        [FORMAT_JSON] = &encoder_json,
        [FORMAT_LOGFMT] = &encoder_logfmt,
        [FORMAT_RAW] = &encoder_raw,
        [FORMAT_PRETTY] = &encoder_pretty,
    };
    return encoders[format];
}
