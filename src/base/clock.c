#include "base/clock.h"

#include <stdbool.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return clock_of_timespec(ts);
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_thread(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar; years are counted from March so that a
 * leap day is a year's last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int days_in_month(int year, int month)
{
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 ? 28 + leap : 30 + (month + month / 8) % 2;
}

static inline void put_two(char *out, uint32_t value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
}

/* The date of a day since 1970: the inverse of the above. */
static void put_date(char *out, int64_t day)
{
    uint32_t shifted = (uint32_t)(day + 719468); /* from March 1 of the year 0 on, so that it is positive */
    uint32_t era = shifted / 146097, day_of_era = shifted % 146097;
    uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t month = (5 * day_of_year + 2) / 153; /* from March on */
    uint32_t year = year_of_era + era * 400 + (month >= 10);
    put_two(out, year / 100);
    put_two(out + 2, year % 100);
    put_two(out + 5, month < 10 ? month + 3 : month - 9);
    put_two(out + 8, day_of_year - (153 * month + 2) / 5 + 1);
}

static size_t put_fraction(char *out, uint32_t ns)
{
    uint32_t high = ns / 100000, low = ns % 100000;
    out[0] = '.';
    put_two(out + 1, high / 100);
    put_two(out + 3, high % 100);
    out[5] = (char)('0' + low / 10000);
    put_two(out + 6, low / 100 % 100);
    put_two(out + 8, low % 100);
    size_t len = 10;
    while (out[len - 1] == '0') {
        len--;
    }
    return len;
}

size_t clock_format(int64_t ns, char out[CLOCK_TEXT_MAX])
{
    int64_t seconds = ns / NS_PER_S - (ns % NS_PER_S < 0);
    uint32_t fraction = (uint32_t)(ns % NS_PER_S + (ns % NS_PER_S < 0 ? NS_PER_S : 0));
    int64_t day = seconds / 86400 - (seconds % 86400 < 0);
    uint32_t second = (uint32_t)(seconds - day * 86400);
    memcpy(out, "0000-00-00T00:00:00", 19);
    put_date(out, day);
    put_two(out + 11, second / 3600);
    put_two(out + 14, second / 60 % 60);
    put_two(out + 17, second % 60);
    size_t len = 19 + (fraction > 0 ? put_fraction(out + 19, fraction) : 0);
    out[len++] = 'Z';
    out[len] = '\0';
    return len;
}

/* Reads exactly `count` digits at *p; -1 when there are fewer. */
static int digits(const char **p, const char *end, int count)
{
    int value = 0;
    if (end - *p < count) {
        return -1;
    }
    for (int i = 0; i < count; i++, (*p)++) {
        if (**p < '0' || **p > '9') {
            return -1;
        }
        value = value * 10 + (**p - '0');
    }
    return value;
}

static bool literal(const char **p, const char *end, char c)
{
    if (*p < end && **p == c) {
        (*p)++;
        return true;
    }
    return false;
}

/* The fraction's digits as nanoseconds; -1 when there are none or more than nine. */
static int64_t parse_fraction(const char **p, const char *end)
{
    int64_t value = 0;
    int count = 0;
    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, count++) {
        if (count == 9) {
            return -1;
        }
        value = value * 10 + (**p - '0');
    }
    if (count == 0) {
        return -1;
    }
    for (; count < 9; count++) {
        value *= 10;
    }
    return value;
}

/* `Z`, or `+hh:mm`, as seconds east of UTC. */
static int parse_zone(const char **p, const char *end, int *seconds)
{
    if (literal(p, end, 'Z')) {
        *seconds = 0;
        return 0;
    }
    bool west = *p < end && **p == '-';
    if (!west && !(*p < end && **p == '+')) {
        return -1;
    }
    (*p)++;
    int hours = digits(p, end, 2);
    if (hours < 0 || hours > 23 || !literal(p, end, ':')) {
        return -1;
    }
    int minutes = digits(p, end, 2);
    if (minutes < 0 || minutes > 59) {
        return -1;
    }
    *seconds = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
    return 0;
}

int clock_parse(struct slice text, int64_t *ns)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    int year = digits(&p, end, 4);
    if (year < 0 || !literal(&p, end, '-')) {
        return -1;
    }
    int month = digits(&p, end, 2);
    if (month < 1 || month > 12 || !literal(&p, end, '-')) {
        return -1;
    }
    int day = digits(&p, end, 2);
    if (day < 1 || day > days_in_month(year, month) || !(literal(&p, end, 'T') || literal(&p, end, 't'))) {
        return -1;
    }
    int hour = digits(&p, end, 2);
    if (hour < 0 || hour > 23 || !literal(&p, end, ':')) {
        return -1;
    }
    int minute = digits(&p, end, 2);
    if (minute < 0 || minute > 59 || !literal(&p, end, ':')) {
        return -1;
    }
    int second = digits(&p, end, 2);
    if (second < 0 || second > 60) {
        return -1;
    }
    int64_t fraction = 0;
    if (literal(&p, end, '.') && (fraction = parse_fraction(&p, end)) < 0) {
        return -1;
    }
    int zone;
    if (parse_zone(&p, end, &zone) < 0 || p != end) {
        return -1;
    }
    int64_t total, seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone;
    if (seconds < 0 && fraction > 0) { /* so that the very first second does not overflow on the way */
        seconds++;
        fraction -= NS_PER_S;
    }
    if (__builtin_mul_overflow(seconds, NS_PER_S, &total) ||
        __builtin_add_overflow(total, fraction, &total)) {
        return -1;
    }
    *ns = total;
    return 0;
}

/* Keeps the second of a text that was parsed, but of one so near to the end of time that a fraction might go beyond it. */
static void remember_second(struct clock_second *last, struct slice text, int64_t ns)
{
    last->known = text.ptr[text.len - 1] == 'Z' && ns >= 0 && ns < INT64_MAX - NS_PER_S;
    if (last->known) {
        memcpy(last->text, text.ptr, CLOCK_TO_SECONDS);
        last->ns = ns - ns % NS_PER_S;
    }
}

int clock_parse_next(struct clock_second *last, struct slice text, int64_t *ns)
{
    if (last->known && text.len > CLOCK_TO_SECONDS && memcmp(text.ptr, last->text, CLOCK_TO_SECONDS) == 0) {
        const char *p = text.ptr + CLOCK_TO_SECONDS, *end = text.ptr + text.len;
        int64_t fraction = literal(&p, end, '.') ? parse_fraction(&p, end) : 0;
        if (fraction >= 0 && literal(&p, end, 'Z') && p == end) {
            *ns = last->ns + fraction;
            return 0;
        }
    }
    if (clock_parse(text, ns) < 0) {
        return -1;
    }
    remember_second(last, text, *ns);
    return 0;
}
