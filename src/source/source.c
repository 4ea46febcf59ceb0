#include "source/source.h"
#include "config/config.h"

const struct source_ops *source_choose(const struct config *cfg)
{
    switch (cfg->source) {
    case SOURCE_JSON_FILE:
        return &source_json_file;
    case SOURCE_FILES:
        return &source_files;
    case SOURCE_DOCKER_API:
        return &source_docker_api;
    }
    return NULL;
}
