#include "ledger.h"

#include "made.h"

void ledger_init(struct ledger *l)
{
    *l = (struct ledger){0};
    for (int s = 0; s < STREAM_COUNT; s++) {
        l->lines[s] = made(json_array());
    }
}

void ledger_free(struct ledger *l)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        json_decref(l->lines[s]);
    }
}

bool ledger_empty(const struct ledger *l)
{
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (json_array_size(l->lines[s]) > 0) {
            return false;
        }
    }
    return true;
}

void ledger_begin(struct ledger *l, enum stream stream, json_t *decoded)
{
    make_member(decoded, "lines", json_array());
    make_element(l->lines[stream], decoded);
    l->open[stream] = true;
}

void ledger_add(struct ledger *l, enum stream stream, size_t number)
{
    json_t *line = json_array_get(l->lines[stream], json_array_size(l->lines[stream]) - 1);
    json_t *numbers = json_object_get(line, "lines");
    json_t *last = json_array_get(numbers, json_array_size(numbers) - 1);
    if ((size_t)json_integer_value(last) != number) {
        make_element(numbers, json_integer((json_int_t)number));
    }
}

void ledger_end(struct ledger *l, enum stream stream, bool goes_on)
{
    l->open[stream] = goes_on;
}

/* Of a line that goes on, only its last part is in what comes next, too. */
static json_t *take_piece(json_t *line)
{
    json_t *piece = made(json_deep_copy(line)), *numbers = json_object_get(line, "lines");
    while (json_array_size(numbers) > 1) {
        json_array_remove(numbers, 0);
    }
    return piece;
}

json_t *ledger_take(struct ledger *l, enum stream stream, size_t count)
{
    json_t *first = json_array_get(l->lines[stream], 0);
    if (count == 0 && first) {
        return take_piece(first);
    }
    json_t *taken = first ? json_incref(first) : made(json_pack("{s:[]}", "lines"));
    json_t *numbers = json_object_get(taken, "lines");
    if (count > 1 || json_array_size(numbers) > 1) {
        make_member(taken, "joined", json_string(count > 1 ? "multiline" : "parts"));
    }
    json_array_remove(l->lines[stream], 0);
    for (size_t i = 1; i < count; i++) {
        if (json_array_extend(numbers, json_object_get(json_array_get(l->lines[stream], 0), "lines")) < 0) {
            die_out_of_memory();
        }
        json_array_remove(l->lines[stream], 0);
    }
    return taken;
}
