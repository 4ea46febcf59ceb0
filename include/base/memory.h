/* What becomes of a process that has no memory left. */
#ifndef SIDETAIL_BASE_MEMORY_H
#define SIDETAIL_BASE_MEMORY_H

/* Says so and ends the process. Nothing undelivered was acknowledged, so the next start goes on where this
 * one was. For the stages of a line's way, which cannot go on without the line; what can be refused returns
 * an error instead. */
void die_out_of_memory(void) __attribute__((noreturn));

#endif
