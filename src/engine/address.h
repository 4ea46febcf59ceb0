/* Where an Engine is, as DOCKER_HOST says it: unix:///path, tcp://host:port, http(s)://host:port. */
#ifndef SIDETAIL_ENGINE_ADDRESS_H
#define SIDETAIL_ENGINE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct engine_address {
    char text[256]; /* to be shown: as given, without a password */
    bool local;     /* unix socket */
    bool https;     /* asked for by the scheme */
    char host[256]; /* or the socket's path */
    uint16_t port;  /* 0 when none was given */
};

#define ENGINE_DEFAULT_HOST "unix:///var/run/docker.sock"

/* 0, or -1: err says what is wrong with it and which forms there are. */
int engine_address_parse(const char *text, struct engine_address *out, struct error *err);

/* Says for a user why connecting failed with the errno `code`, and what to do. */
void engine_address_explain(const struct engine_address *address, int code, struct error *err);

#endif
