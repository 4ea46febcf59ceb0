#include "line_queue.h"

#include "writer.h"

/* Stands before each line. */
struct head {
    int64_t time_ns;
    uint32_t len, json_len;
    uint8_t stream, kind, level;
    bool partial;
    struct tail_writer *writer;
};

void line_queue_free(struct line_queue *q)
{
    while (line_queue_bytes(q) > 0) {
        struct tail_line line = line_queue_first(q);
        line_queue_drop(q);
        tail_writer_unref(line.writer);
    }
    buf_free(&q->bytes);
    q->at = 0;
}

/* Moves what is queued to the front of the buffer once half of it is used up. */
static void compact(struct line_queue *q)
{
    if (q->at > q->bytes.len / 2) {
        buf_consume(&q->bytes, q->at);
        q->at = 0;
    }
}

int line_queue_put(struct line_queue *q, const struct tail_line *line)
{
    struct head head = {.time_ns = line->time_ns,
                        .len = (uint32_t)line->text.len,
                        .json_len = (uint32_t)line->json.len,
                        .stream = (uint8_t)line->stream,
                        .kind = (uint8_t)line->kind,
                        .level = line->level,
                        .partial = line->partial,
                        .writer = line->writer};
    compact(q);
    if (buf_reserve(&q->bytes, sizeof(head) + line->text.len + line->json.len) < 0) {
        return -1;
    }
    tail_writer_ref(line->writer);
    buf_put(&q->bytes, (const char *)&head, sizeof(head));
    if (line->text.len > 0) {
        buf_put(&q->bytes, line->text.ptr, line->text.len);
    }
    if (line->json.len > 0) {
        buf_put(&q->bytes, line->json.ptr, line->json.len);
    }
    return 0;
}

size_t line_queue_bytes(const struct line_queue *q)
{
    return q->bytes.len - q->at;
}

struct tail_line line_queue_at(const struct line_queue *q, size_t *place)
{
    struct head head;
    const char *p = q->bytes.data + q->at + *place;
    memcpy(&head, p, sizeof(head));
    *place += sizeof(head) + head.len + head.json_len;
    return (struct tail_line){.time_ns = head.time_ns,
                              .text = {p + sizeof(head), head.len},
                              .json = {p + sizeof(head) + head.len, head.json_len},
                              .stream = (enum stream)head.stream,
                              .kind = (enum tail_line_kind)head.kind,
                              .level = head.level,
                              .partial = head.partial,
                              .writer = head.writer};
}

struct tail_line line_queue_first(const struct line_queue *q)
{
    size_t place = 0;
    return line_queue_at(q, &place);
}

void line_queue_drop(struct line_queue *q)
{
    struct head head;
    memcpy(&head, q->bytes.data + q->at, sizeof(head));
    q->at += sizeof(head) + head.len + head.json_len;
    if (q->at == q->bytes.len) {
        q->at = q->bytes.len = 0; /* the bytes stay until something is put */
    }
}
