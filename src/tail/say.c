#include "say.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "encode/terminal.h"

void tail_say(const char *text)
{
    struct buf safe = {0};
    bool ignored = false;
    if (terminal_put(&safe, slice_str(text), false, &ignored) == 0) {
        fprintf(stderr, "sidetail tail: %.*s\n", (int)safe.len, safe.data ? safe.data : "");
    }
    buf_free(&safe);
}

void tail_out_of_memory(void)
{
    fputs("sidetail tail: out of memory\n", stderr);
    exit(EXIT_FAULT);
}
