#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "base/address.h"
#include "base/memory.h"
#include "encode/terminal.h"
#include "report/report.h"
#include "table.h"
#include "text.h"

#define RATES_OVER_MAX 60 /* seconds; rates over more are not those of now */

/* Asks, and once more after a second where the rates are over too long. */
static int ask(struct answer *a, const char *listen, struct error *err)
{
    int result = answer_fetch(a, listen, err);
    if (result == 0 && (a->over <= 0 || a->over > RATES_OVER_MAX)) {
        const struct timespec wait = {1, 50000000};
        nanosleep(&wait, NULL);
        answer_free(a);
        result = answer_fetch(a, listen, err);
    }
    return result;
}

/* 0: stdout is no terminal. */
static unsigned terminal_width(void)
{
    struct winsize size;
    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static int compare(const void *a, const void *b)
{
    return row_compare_names(a, b);
}

static void put_report(struct buf *out, struct answer *a, const char *listen)
{
    unsigned width = terminal_width();
    qsort(a->rows, a->count, sizeof(*a->rows), compare);
    table_put_parts(out, a, listen, width);
    put(out, "\n");
    if (a->count > 0) {
        struct table table = table_fit(a, width);
        table_put_head(out, &table);
        for (size_t i = 0; i < a->count; i++) {
            put(out, "\n");
            table_put_row(out, &table, &a->rows[i], a->now_ns);
        }
        put(out, "\n");
    }
    table_put_sums(out, a);
    table_put_reasons(out, a, width);
}

static void put_json(struct buf *out, const struct answer *a)
{
    if (buf_add(out, a->text.data, a->text.len) < 0 || terminal_escape(out, 0) < 0) {
        die_out_of_memory();
    }
}

int report_status(const char *listen, bool json)
{
    struct answer a = {0};
    struct buf out = {0};
    struct error err = {0};
    int code = EXIT_UNREACHED;
    struct address at;
    if (address_parse(listen, &at, &err) < 0) {
        fprintf(stderr, "sidetail status: %s\n", err.text);
        return EXIT_CONFIG;
    }
    if (ask(&a, listen, &err) < 0) {
        fprintf(stderr, "sidetail status: %s\n", err.text);
    } else {
        if (json) {
            put_json(&out, &a);
        } else {
            put_report(&out, &a, listen);
        }
        code = a.problems ? EXIT_FAULT : EXIT_OK;
        if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) == EOF) {
            perror("sidetail status: cannot write to stdout");
            code = EXIT_FAULT;
        }
    }
    buf_free(&out);
    answer_free(&a);
    return code;
}
