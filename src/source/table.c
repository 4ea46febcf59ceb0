#include "source.h"

static const struct source_ops *const sources[] = {&source_json_file, &source_files, &source_docker_api};

const struct source_ops *source_find(const char *name)
{
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        if (strcmp(sources[i]->name, name) == 0) {
            return sources[i];
        }
    }
    return NULL;
}
