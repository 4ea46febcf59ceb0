/* Writes numbered, checksummed lines (see line.h) the way applications write logs. */
#include "line.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: logwriter [OPTION]...\n"
    "  --id NAME          who writes (default $LOGWRITER_ID, else w)\n"
    "  --run NAME         which start of it (default from the clock)\n"
    "  --count N          lines in all; 0 until SIGTERM (default 0)\n"
    "  --rate N           lines a second; 0 as fast as can be (default 0)\n"
    "  --length MIN[-MAX] bytes of a payload (default 20-120)\n"
    "  --long-every N --long-length L   one line of N has a payload of L bytes\n"
    "  --bytes LIST       of ascii,utf8,nul,invalid,escape,ansi (default ascii)\n"
    "  --stderr PERCENT   of the lines go to stderr (default 0)\n"
    "  --buffer BYTES     written at once; 0 for each line alone (default 0, or 65536 without --rate)\n"
    "  --torn             write each line in two pieces, with 1 ms between them\n"
    "  --no-final-newline the last line has none\n"
    "  --piece BYTES      that the second checksum sees lines in (default 16384, as Docker; 0 for none)\n"
    "  --file PATH        write there instead of stdout and stderr\n"
    "  --format plain|cri of a file's lines (default plain); cri cuts lines at --piece bytes\n"
    "  --rotate rename|copytruncate|delete   the file, every --rotate-lines N (default 1000)\n"
    "  --rotate-burst N   rotations in a row, ten lines apart (default 1)\n"
    "  --keep N           rotated files kept (default 5)\n"
    "  --progress PATH    a file of three 64-bit counters: lines written to stdout, stderr, file; at least\n"
    "  --seed N           for all choices (default 1)\n"
    "  --delay SECONDS    before the first line;  --linger SECONDS after the last one\n"
    "  --exit CODE        at the end (default 0)\n";

enum { STDOUT, STDERR, FILE_STREAM, STREAMS };

struct settings {
    const char *id, *run, *path, *progress;
    uint64_t count, rate, seed, rotate_lines, rotate_burst;
    size_t buffer;
    unsigned stderr_percent, keep;
    enum rotation rotation;
    bool torn, cri, no_final_newline;
    double delay, linger;
    int exit_code;
    struct line_style style;
};

struct writer {
    const struct settings *set;
    char name[LINE_WRITER_MAX];
    struct output outputs[STREAMS];
    uint64_t seq[STREAMS];
    uint64_t *progress; /* one counter a stream, seen by others while we write; or NULL */
    uint64_t until_rotation;
    uint64_t burst_left;
    struct line_random random;
    char *line;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static void die(const char *what)
{
    /* stderr may itself be what is written to; a line of another shape is told from the numbered ones. */
    dprintf(STDERR_FILENO, "logwriter: %s: %s\n", what, strerror(errno));
    exit(70);
}

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_ns(int64_t ns)
{
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    if (ns > 0)
        nanosleep(&t, NULL); /* a signal ends it early, as it should */
}

static void flush_all(struct writer *w)
{
    for (int i = 0; i < STREAMS; i++) {
        if (!w->outputs[i].buffer)
            continue;
        if (output_flush(&w->outputs[i]) < 0)
            die("write");
        if (w->progress)
            __atomic_store_n(&w->progress[i], w->seq[i], __ATOMIC_RELEASE);
    }
}

static void put(struct output *out, const char *data, size_t size)
{
    if (output_put(out, data, size) < 0)
        die("write");
}

/* TIME STREAM P|F TEXT for each piece of the line, as Kubernetes' runtimes write. */
static void put_cri(struct output *out, const char *line, size_t size, size_t piece)
{
    char head[64];
    struct timespec t;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    size_t length = strftime(head, sizeof(head), "%Y-%m-%dT%H:%M:%S", &tm);
    length += (size_t)snprintf(head + length, sizeof(head) - length, ".%09ldZ stdout F ", t.tv_nsec);
    for (size_t at = 0; at < size;) {
        size_t part = piece > 0 && size - at > piece ? piece : size - at;
        head[length - 2] = at + part < size ? 'P' : 'F';
        put(out, head, length);
        put(out, line + at, part);
        at += part;
        if (at < size)
            put(out, "\n", 1);
    }
}

static void maybe_rotate(struct writer *w)
{
    const struct settings *set = w->set;
    if (set->rotation == ROTATE_NONE || --w->until_rotation > 0)
        return;
    if (output_rotate(&w->outputs[FILE_STREAM]) < 0)
        die("rotate");
    w->burst_left = w->burst_left > 0 ? w->burst_left - 1 : set->rotate_burst - 1;
    w->until_rotation = w->burst_left > 0 ? 10 : set->rotate_lines;
}

static void write_line(struct writer *w, bool last)
{
    const struct settings *set = w->set;
    int stream = set->path                                             ? FILE_STREAM
                 : line_random(&w->random) % 100 < set->stderr_percent ? STDERR
                                                                       : STDOUT;
    struct output *out = &w->outputs[stream];
    size_t size = line_make(w->line, &set->style, &w->random, w->name, "oef"[stream], w -> seq[stream]);
    if (set->cri) {
        put_cri(out, w->line, size, set->style.piece);
    } else if (set->torn) {
        size_t half = line_random(&w->random) % size;
        put(out, w->line, half);
        flush_all(w);
        sleep_ns(1000000);
        put(out, w->line + half, size - half);
    } else {
        put(out, w->line, size);
    }
    if (!last || !set->no_final_newline)
        put(out, "\n", 1);
    w->seq[stream]++;
    if (set->buffer == 0)
        flush_all(w);
    if (set->path)
        maybe_rotate(w);
}

static void write_lines(struct writer *w)
{
    const struct settings *set = w->set;
    int64_t start = now_ns(CLOCK_MONOTONIC);
    for (uint64_t done = 0; !stopped && (set->count == 0 || done < set->count); done++) {
        if (set->rate > 0) {
            int64_t due = start + (int64_t)(done * (1000000000.0 / (double)set->rate));
            int64_t wait = due - now_ns(CLOCK_MONOTONIC);
            /* What is due within a millisecond goes at once: sleeping is not finer than that. */
            if (wait > 1000000) {
                flush_all(w);
                sleep_ns(wait);
                if (stopped)
                    break;
            }
        }
        write_line(w, done + 1 == set->count);
    }
    flush_all(w);
}

static uint64_t number(const char *text, const char *option)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-') {
        fprintf(stderr, "logwriter: --%s: expected a number, not '%s'\n", option, text);
        exit(2);
    }
    return value;
}

static int choice(const char *text, const char *option, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    fprintf(stderr, "logwriter: --%s: unknown '%s'\n", option, text);
    exit(2);
}

static void parse_length(struct line_style *style, char *text)
{
    char *dash = strchr(text, '-');
    if (dash)
        *dash++ = '\0';
    style->length_min = number(text, "length");
    style->length_max = dash ? number(dash, "length") : style->length_min;
    if (style->length_max < style->length_min) {
        fprintf(stderr, "logwriter: --length: MAX is less than MIN\n");
        exit(2);
    }
}

static void parse_classes(struct line_style *style, char *text)
{
    for (char *name = strtok(text, ","); name; name = strtok(NULL, ",")) {
        unsigned class = line_class(name);
        if (class == 0) {
            fprintf(stderr, "logwriter: --bytes: unknown '%s'\n", name);
            exit(2);
        }
        style->classes |= class;
    }
}

static void apply(struct settings *set, const char *option, char *value)
{
    static const char *const rotations[] = {"none", "rename", "copytruncate", "delete", NULL};
    static const char *const formats[] = {"plain", "cri", NULL};
    static const char *const flags[] = {"torn", "no-final-newline", NULL};
    const struct {
        const char *name;
        uint64_t *target;
    } numbers[] = {
        {"count", &set->count},
        {"rate", &set->rate},
        {"seed", &set->seed},
        {"buffer", &set->buffer},
        {"piece", &set->style.piece},
        {"long-every", &set->style.long_every},
        {"long-length", &set->style.long_length},
        {"rotate-lines", &set->rotate_lines},
        {"rotate-burst", &set->rotate_burst},
    };
    const struct {
        const char *name;
        const char **target;
    } texts[] = {{"id", &set->id}, {"run", &set->run}, {"file", &set->path}, {"progress", &set->progress}};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        if (strcmp(option, numbers[i].name) == 0)
            *numbers[i].target = number(value, option);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (strcmp(option, texts[i].name) == 0)
            *texts[i].target = value;
    if (!value)
        *(choice(option, option, flags) == 0 ? &set->torn : &set->no_final_newline) = true;
    else if (strcmp(option, "length") == 0)
        parse_length(&set->style, value);
    else if (strcmp(option, "bytes") == 0)
        parse_classes(&set->style, value);
    else if (strcmp(option, "stderr") == 0)
        set->stderr_percent = (unsigned)number(value, option);
    else if (strcmp(option, "keep") == 0)
        set->keep = (unsigned)number(value, option);
    else if (strcmp(option, "rotate") == 0)
        set->rotation = (enum rotation)choice(value, option, rotations);
    else if (strcmp(option, "format") == 0)
        set->cri = choice(value, option, formats) == 1;
    else if (strcmp(option, "delay") == 0)
        set->delay = strtod(value, NULL);
    else if (strcmp(option, "linger") == 0)
        set->linger = strtod(value, NULL);
    else if (strcmp(option, "exit") == 0)
        set->exit_code = (int)number(value, option);
}

static void parse(struct settings *set, int argc, char **argv)
{
    static const char *const with_value[] = {
        "id",     "run",    "count", "rate",   "length", "long-every", "long-length",  "bytes",
        "stderr", "buffer", "piece", "file",   "format", "rotate",     "rotate-lines", "rotate-burst",
        "keep",   "seed",   "delay", "linger", "exit",   "progress"};
    enum { VALUES = sizeof(with_value) / sizeof(*with_value) };
    struct option options[VALUES + 4] = {{0}};
    for (int i = 0; i < VALUES; i++)
        options[i] = (struct option){with_value[i], required_argument, NULL, 0};
    options[VALUES] = (struct option){"torn", no_argument, NULL, 0};
    options[VALUES + 1] = (struct option){"no-final-newline", no_argument, NULL, 0};
    options[VALUES + 2] = (struct option){"help", no_argument, NULL, 'h'};

    int index = 0, found;
    bool buffer_given = false;
    while ((found = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (found != 0) {
            fputs(usage, found == 'h' ? stdout : stderr);
            exit(found == 'h' ? 0 : 2);
        }
        buffer_given |= strcmp(options[index].name, "buffer") == 0;
        apply(set, options[index].name, optarg);
    }
    if (!buffer_given && set->rate == 0 && !set->torn)
        set->buffer = 65536;
    if (optind < argc || set->keep < 1 || set->rotate_lines < 1 || set->rotate_burst < 1) {
        fputs(usage, stderr);
        exit(2);
    }
}

static void map_progress(struct writer *w)
{
    int fd = open(w->set->progress, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, STREAMS * sizeof(uint64_t)) < 0)
        die(w->set->progress);
    w->progress = mmap(NULL, STREAMS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (w->progress == MAP_FAILED)
        die("mmap");
    close(fd);
}

static void open_writer(struct writer *w, const struct settings *set)
{
    size_t capacity = set->buffer > 0 ? set->buffer : line_max(&set->style) + 1;
    w->set = set;
    w->random.state = set->seed * 0x9e3779b97f4a7c15ULL | 1;
    w->until_rotation = set->rotate_lines;
    w->line = malloc(line_max(&set->style));
    int size = set->run ? snprintf(w->name, sizeof(w->name), "%s:%s", set->id, set->run)
                        : snprintf(w->name, sizeof(w->name), "%s:%llx", set->id,
                                   (unsigned long long)now_ns(CLOCK_REALTIME) / 1000000);
    if (size >= (int)sizeof(w->name) || strchr(w->name, ' ')) {
        fprintf(stderr, "logwriter: id and run together must be shorter than %d, without a space\n",
                LINE_WRITER_MAX);
        exit(2);
    }
    w->outputs[STDOUT].fd = STDOUT_FILENO;
    w->outputs[STDERR].fd = STDERR_FILENO;
    w->outputs[FILE_STREAM].rotation = set->rotation;
    w->outputs[FILE_STREAM].keep = set->keep;
    int first = set->path ? FILE_STREAM : STDOUT, last = set->path ? FILE_STREAM : STDERR;
    for (int i = first; i <= last; i++)
        if (output_open(&w->outputs[i], set->path, capacity) < 0)
            die(set->path ? set->path : "memory");
    if (!w->line)
        die("memory");
    if (set->progress)
        map_progress(w);
}

int main(int argc, char **argv)
{
    static struct writer writer;
    const char *id = getenv("LOGWRITER_ID"); /* a swarm fills in templates in variables, not in arguments */
    struct settings set = {
        .id = id ? id : "w", .seed = 1, .rotate_lines = 1000, .rotate_burst = 1, .keep = 5};
    set.style = (struct line_style){.length_min = 20, .length_max = 120, .piece = LINE_DOCKER_PIECE};
    parse(&set, argc, argv);

    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    line_init(set.seed);
    open_writer(&writer, &set);
    sleep_ns((int64_t)(set.delay * 1e9));
    write_lines(&writer);
    for (int i = 0; i < STREAMS; i++)
        if (writer.outputs[i].buffer && output_close(&writer.outputs[i]) < 0)
            die("close");
    free(writer.line);
    if (!stopped)
        sleep_ns((int64_t)(set.linger * 1e9));
    return set.exit_code;
}
