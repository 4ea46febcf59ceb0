/* What became of a record that was put into a stage of the pipeline: each stage answers in these words.
 * pending.h turns the answers into positions. */
#ifndef SIDETAIL_RECORD_PUT_H
#define SIDETAIL_RECORD_PUT_H

enum put_result {
    /* Nothing of this stream is held: this record and all before it are in a batch (or dropped by a rule). */
    PUT_DONE,
    /* Part of a line whose rest has not come yet: it is held, with what was held before. */
    PUT_JOINING,
    /* The line is whole, and held with what was held before (multiline). */
    PUT_HELD,
    /* The line is whole and held; what was held before it is in a batch. */
    PUT_HELD_NEW,
    /* A flag: all that was held before this record is in a batch (a line grew too long and was cut). */
    PUT_CUT = 8,
};

#endif
