#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/option.h"
#include "try/try.h"

const char try_usage[] =
    "usage: sidetail try [OPTION…] < LINES\n"
    "\n"
    "Shows what `sidetail run` would make of lines: as what each is decoded, what it is joined to, which "
    "rule drops it,\n"
    "its level, what is redacted of it, and as what it is encoded. Nothing is delivered, and no position is "
    "kept.\n"
    "\n"
    "  -c, --config FILE     the configuration to try (JSON; default: SIDETAIL_CONFIG, else none)\n"
    "  -s, --service S       the lines are of this service,\n"
    "  -n, --container NAME  of a container of this name,\n"
    "  -l, --label K=V       and with this label (several are given one by one)\n"
    "  -f, --format FORMAT   plain, json-file or cri (default: as files.format says, auto: as the first line "
    "looks)\n"
    "  -t, --time TIME       when lines that bear no time were written: 2026-11-24T14:30:05Z (default: now)\n"
    "  -j, --json            what came of the lines as JSON, one object a line\n"
    "  -e, --expect FILE     compares that with FILE, which holds such objects: exits with 0 when it is the "
    "same, with 1\n"
    "                        when not, and says what differs. A member that an object in FILE lacks is not "
    "compared,\n"
    "                        and one that is null there must be absent\n"
    "  -h, --help            this text\n";

static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                             {"service", required_argument, NULL, 's'},
                                             {"container", required_argument, NULL, 'n'},
                                             {"label", required_argument, NULL, 'l'},
                                             {"format", required_argument, NULL, 'f'},
                                             {"time", required_argument, NULL, 't'},
                                             {"json", no_argument, NULL, 'j'},
                                             {"expect", required_argument, NULL, 'e'},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

static int add_label(struct try_options *o, const char *text, struct error *err)
{
    char quoted[ERROR_QUOTE_MAX];
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        return error_set(err, "--label: found %s; expected KEY=VALUE", error_quote(text, quoted));
    }
    if (!o->labels && !(o->labels = json_object())) {
        return error_set(err, "out of memory");
    }
    json_t *value = json_string(equals + 1);
    if (!value) {
        return error_set(err, "--label: found %s; expected text in UTF-8", error_quote(text, quoted));
    }
    return json_object_setn_new(o->labels, text, (size_t)(equals - text), value) < 0
               ? error_set(err, "--label: found %s; expected a key in UTF-8", error_quote(text, quoted))
               : 0;
}

static int set_format(struct try_options *o, const char *text, struct error *err)
{
    static const char *const formats[] = {"plain", "json-file", "cri", NULL};
    o->format = text;
    return option_choose(text, formats, "--format", "plain, json-file or cri", err) < 0 ? -1 : 0;
}

static int set_time(struct try_options *o, const char *text, struct error *err)
{
    char quoted[ERROR_QUOTE_MAX];
    int64_t ns;
    o->time = text;
    return clock_parse(slice_str(text), &ns) == 0
               ? 0
               : error_set(err, "--time: found %s; expected a time such as 2026-11-24T14:30:05Z",
                           error_quote(text, quoted));
}

static int set_option(struct try_options *o, int option, const char *text, struct error *err)
{
    switch (option) {
    case 'c':
        o->config = text;
        return 0;
    case 's':
        o->service = text;
        return 0;
    case 'n':
        o->container = text;
        return 0;
    case 'l':
        return add_label(o, text, err);
    case 'f':
        return set_format(o, text, err);
    case 't':
        return set_time(o, text, err);
    case 'e':
        o->expect = text;
        return 0;
    default:
        o->json |= option == 'j';
        o->help |= option == 'h';
        return 0;
    }
}

int try_options_parse(int argc, char **argv, struct try_options *out, struct error *err)
{
    char quoted[ERROR_QUOTE_MAX];
    *out = (struct try_options){0};
    optind = 0; /* begins anew, permuting */
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "c:s:n:l:f:t:je:h", long_options, NULL)) != -1;) {
        if ((option == '?' ? option_unknown(argv, "try", err) : set_option(out, option, optarg, err)) < 0) {
            return -1;
        }
    }
    if (optind < argc) {
        return error_set(err, "found %s; expected options only, lines come from standard input",
                         error_quote(argv[optind], quoted));
    }
    if (out->json && out->expect) {
        return error_set(err, "found both --json and --expect; expected one of them");
    }
    return 0;
}

void try_options_free(struct try_options *o)
{
    json_decref(o->labels);
}
