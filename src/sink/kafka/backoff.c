#include "backoff.h"

#define FIRST_MS 200 /* after a second failure in a row; doubled for each further one */
#define MAX_MS   10000

void kafka_backoff_init(struct kafka_backoff *b, size_t commit_bytes)
{
    *b = (struct kafka_backoff){.commit_bytes = commit_bytes, .commit_limit = commit_bytes};
}

void kafka_backoff_failed(struct kafka_backoff *b)
{
    b->failures++;
}

void kafka_backoff_commit_less(struct kafka_backoff *b)
{
    b->commit_bytes /= 2;
}

void kafka_backoff_delivered(struct kafka_backoff *b)
{
    b->failures = 0;
    b->commit_bytes = b->commit_bytes < b->commit_limit / 2 ? (b->commit_bytes + 1) * 2 : b->commit_limit;
}

int kafka_backoff_ms(const struct kafka_backoff *b)
{
    int ms = b->failures < 2 ? 0 : FIRST_MS << (b->failures < 8 ? b->failures - 2 : 6);
    return ms < MAX_MS ? ms : MAX_MS;
}
