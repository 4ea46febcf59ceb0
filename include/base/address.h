/* "address:port" as a user writes it. */
#ifndef SIDETAIL_BASE_ADDRESS_H
#define SIDETAIL_BASE_ADDRESS_H

#include "base/error.h"

struct address {
    char host[256]; /* "" for every address, written as * or not at all; an IPv6 one without its brackets */
    char port[6];   /* 0 to 65535 */
};

/* 0, or -1 when it is none. */
int address_parse(const char *text, struct address *out, struct error *err);

#endif
