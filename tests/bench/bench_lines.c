/* Writes a json-file log of made-up lines to stdout, the same for the same seed.
 *
 * usage: bench_lines LINES [SEED] */
#include <stdio.h>
#include <stdlib.h>

#include "lines.h"

#define CHUNK 10000u

int main(int argc, char **argv)
{
    struct buf out = {0};
    unsigned lines = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 7;
    if (lines == 0) {
        fputs("usage: bench_lines LINES [SEED]\n", stderr);
        return 2;
    }
    for (unsigned done = 0; done < lines; done += CHUNK) {
        out.len = 0;
        if (lines_make(&out, done, lines - done < CHUNK ? lines - done : CHUNK, seed) < 0 ||
            fwrite(out.data, 1, out.len, stdout) < out.len) {
            perror("bench_lines");
            return 1;
        }
    }
    buf_free(&out);
    return fflush(stdout) == 0 ? 0 : 1;
}
