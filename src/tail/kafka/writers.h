/* Who writes the lines of Kafka: found once for each set of tags. Memory that runs out ends the process. */
#ifndef SIDETAIL_TAIL_KAFKA_WRITERS_H
#define SIDETAIL_TAIL_KAFKA_WRITERS_H

#include <librdkafka/rdkafka.h>

#include "tail/source.h"
#include "value.h"

struct writers;

struct writers *writers_new(const struct tail_env *env);
void writers_free(struct writers *ws);

/* The writer of a line of sidetail's JSON; and of one that is any text, as the message's headers tell, which
 * also say whose stream the line is of, else stdout, and whether it is cut. Where there is no service, the
 * topic is one. Borrowed until the next call. NULL: one that was not asked for. */
struct tail_writer *writers_of_value(struct writers *ws, const struct value *v, const char *topic);
struct tail_writer *writers_of_message(struct writers *ws, const rd_kafka_message_t *m, const char *topic,
                                       struct tail_line *line);

#endif
