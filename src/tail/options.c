#include "tail/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/option.h"
#include "time.h"

const char tail_usage[] =
    "usage: sidetail tail [OPTION…] [SERVICE|CONTAINER…]\n"
    "\n"
    "Shows what containers write, as they write it: what they have written first, merged by time, then new "
    "lines.\n"
    "Containers that start later join. A name is a service's, a container's (both may hold *) or how an id "
    "begins;\n"
    "without any, all running containers are shown. It asks the Docker Engine (of DOCKER_HOST, or of the\n"
    "docker context in use), or, as root where none runs, reads the files under /var/lib/docker/containers.\n"
    "\n"
    "Which lines:\n"
    "  -p, --project P        of this compose project or swarm stack\n"
    "  -l, --label K=V        of containers with this label (K alone: with any value)\n"
    "  -a, --all              of stopped containers too (they are shown anyway when named, by label or "
    "project)\n"
    "  -s, --since TIME       from then on: 10m, 1h30m, 14:30 (the last one), 2026-11-24T14:30:05Z\n"
    "  -u, --until TIME       up to then\n"
    "  -n, --lines N          begin with the last N lines of each container, with --kafka of each topic\n"
    "                         (all: with all of them, as by default); --since, --until and the like choose\n"
    "                         among those\n"
    "  -g, --grep REGEX       that match (PCRE2; given several times: that match one of them)\n"
    "  -x, --exclude REGEX    that do not match (of several: none)\n"
    "  -L, --level LEVEL      of this level at least: trace, debug, info, warn, error, fatal\n"
    "  -S, --stream STREAM    of stdout or stderr\n"
    "  -f, --follow           go on with new lines (as by default)\n"
    "  -F, --no-follow        end after what is there now\n"
    "\n"
    "How they look:\n"
    "  -t, --timestamps[=AS]  with their times: local (as by default), relative or utc (-t=utc)\n"
    "  -j, --json             as JSON, one object a line, as `sidetail run` writes it\n"
    "  -r, --raw-json         lines that are JSON stay as they were written\n"
    "      --color WHEN       auto, always or never\n"
    "      --no-color         as --color never, and as NO_COLOR in the environment\n"
    "\n"
    "Where from:\n"
    "      --files            read the files even where an Engine answers\n"
    "      --kafka            read from Kafka what the collectors of all nodes ship, with each line's node;\n"
    "                         topics, brokers and login are the configuration's. It begins with the last "
    "100\n"
    "                         lines of each topic where none of -n, -s and -u says otherwise\n"
    "  -c, --config FILE      configuration (JSON): docker.host, json_file.path, include, exclude, kafka, …\n"
    "  -h, --help             this text\n"
    "\n"
    "In the middle of a line, | stands for stdout, ! for stderr, * for what happened to the container. "
    "Ctrl-C ends it.\n";

enum { OPT_COLOR = 256, OPT_NO_COLOR, OPT_FILES, OPT_KAFKA };

static const struct option long_options[] = {{"project", required_argument, NULL, 'p'},
                                             {"label", required_argument, NULL, 'l'},
                                             {"all", no_argument, NULL, 'a'},
                                             {"since", required_argument, NULL, 's'},
                                             {"until", required_argument, NULL, 'u'},
                                             {"lines", required_argument, NULL, 'n'},
                                             {"tail", required_argument, NULL, 'n'}, /* as docker calls it */
                                             {"grep", required_argument, NULL, 'g'},
                                             {"exclude", required_argument, NULL, 'x'},
                                             {"level", required_argument, NULL, 'L'},
                                             {"stream", required_argument, NULL, 'S'},
                                             {"follow", no_argument, NULL, 'f'},
                                             {"no-follow", no_argument, NULL, 'F'},
                                             {"timestamps", optional_argument, NULL, 't'},
                                             {"json", no_argument, NULL, 'j'},
                                             {"raw-json", no_argument, NULL, 'r'},
                                             {"color", required_argument, NULL, OPT_COLOR},
                                             {"no-color", no_argument, NULL, OPT_NO_COLOR},
                                             {"files", no_argument, NULL, OPT_FILES},
                                             {"kafka", no_argument, NULL, OPT_KAFKA},
                                             {"config", required_argument, NULL, 'c'},
                                             {"help", no_argument, NULL, 'h'},
                                             {0}};

static int add(struct tail_texts *list, const char *text, struct error *err)
{
    const char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
    if (!items) {
        return error_set(err, "out of memory");
    }
    list->items = items;
    items[list->count++] = text;
    return 0;
}

static int parse_lines(const char *text, int64_t *lines, struct error *err)
{
    char quoted[ERROR_QUOTE_MAX], *end;
    if (strcmp(text, "all") == 0) {
        *lines = -1;
        return 0;
    }
    *lines = strspn(text, "0123456789") > 0 ? strtoll(text, &end, 10) : -1;
    if (*lines < 0 || *end != '\0' || *lines > INT32_MAX) {
        return error_set(err, "--lines: found %s; expected a number, or all", error_quote(text, quoted));
    }
    return 0;
}

static int parse_level(const char *text, enum severity *level, struct error *err)
{
    char quoted[ERROR_QUOTE_MAX];
    *level = severity_find(text);
    return *level != SEVERITY_NONE
               ? 0
               : error_set(err, "--level: found %s; expected trace, debug, info, warn, error or fatal",
                           error_quote(text, quoted));
}

static int parse_times(const char *text, enum pretty_times *times, struct error *err)
{
    char quoted[ERROR_QUOTE_MAX];
    text += text && *text == '='; /* -t=utc, as --timestamps=utc */
    int found = text ? pretty_times_find(text) : (int)PRETTY_TIMES_LOCAL;
    if (found < 0) {
        return error_set(err, "--timestamps: found %s; expected local, relative or utc",
                         error_quote(text, quoted));
    }
    *times = (enum pretty_times)found;
    return 0;
}

static int parse_color(const char *text, enum color *color, struct error *err)
{
    static const char *const names[] = {
        [COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never", NULL};
    int found = option_choose(text, names, "--color", "auto, always or never", err);
    *color = found < 0 ? *color : (enum color)found;
    return found < 0 ? -1 : 0;
}

static int parse_stream(const char *text, int *stream, struct error *err)
{
    static const char *const names[] = {[STREAM_STDOUT] = "stdout", [STREAM_STDERR] = "stderr", NULL};
    *stream = option_choose(text, names, "--stream", "stdout or stderr", err);
    return *stream < 0 ? -1 : 0;
}

/* A time of the day that is still to come is meant of yesterday. */
static int parse_since(const char *text, int64_t *ns, struct error *err)
{
    int64_t now = clock_now();
    int result = tail_time(text, now, "--since", ns, err);
    bool of_a_day = strchr(text, ':') && strlen(text) <= strlen("23:59:59");
    return result == 0 && of_a_day && *ns > now ? tail_time(text, now - 86400 * NS_PER_S, "--since", ns, err)
                                                : result;
}

static void set_flag(struct tail_options *o, int option)
{
    o->all |= option == 'a';
    o->json |= option == 'j';
    o->raw_json |= option == 'r';
    o->files |= option == OPT_FILES;
    o->kafka |= option == OPT_KAFKA;
    o->help |= option == 'h';
    if (option == 'f' || option == 'F') {
        o->no_follow = option == 'F';
    } else if (option == OPT_NO_COLOR) {
        o->color = COLOR_NEVER;
    }
}

static int set_option(struct tail_options *o, int option, const char *text, struct error *err)
{
    switch (option) {
    case 'p':
        return add(&o->projects, text, err);
    case 'l':
        return add(&o->labels, text, err);
    case 'g':
        return add(&o->grep, text, err);
    case 'x':
        return add(&o->exclude, text, err);
    case 's':
        return parse_since(text, &o->since_ns, err);
    case 'u':
        return tail_time(text, clock_now(), "--until", &o->until_ns, err);
    case 'n':
        o->lines_given = true;
        return parse_lines(text, &o->lines, err);
    case 'L':
        return parse_level(text, &o->level, err);
    case 'S':
        return parse_stream(text, &o->stream, err);
    case 't':
        return parse_times(text, &o->times, err);
    case OPT_COLOR:
        return parse_color(text, &o->color, err);
    case 'c':
        o->config = text;
        return 0;
    default:
        set_flag(o, option);
        return 0;
    }
}

static int check(const struct tail_options *o, struct error *err)
{
    if (o->since_ns && o->until_ns && o->until_ns < o->since_ns) {
        return error_set(err, "--until lies before --since: nothing would be shown");
    }
    if (o->files && o->kafka) {
        return error_set(err, "--files and --kafka are two places to read from: choose one");
    }
    return 0;
}

int tail_options_parse(int argc, char **argv, struct tail_options *out, struct error *err)
{
    *out = (struct tail_options){.lines = -1, .stream = -1, .color = COLOR_AUTO};
    optind = 0; /* begins anew, permuting */
    opterr = 0;
    int option, result = 0;
    while (result == 0 &&
           (option = getopt_long(argc, argv, "p:l:as:u:n:g:x:L:S:fFt::jrc:h", long_options, NULL)) != -1) {
        result = option == '?' ? option_unknown(argv, "tail", err) : set_option(out, option, optarg, err);
    }
    for (int i = optind; result == 0 && i < argc; i++) {
        result = add(&out->names, argv[i], err);
    }
    if (result < 0 || check(out, err) < 0) {
        tail_options_free(out);
        return -1;
    }
    return 0;
}

void tail_options_free(struct tail_options *o)
{
    free(o->names.items);
    free(o->projects.items);
    free(o->labels.items);
    free(o->grep.items);
    free(o->exclude.items);
}
