/* What `sidetail tail` says to its user, on stderr. */
#ifndef SIDETAIL_TAIL_SAY_H
#define SIDETAIL_TAIL_SAY_H

/* A sentence, which may hold what an Engine said or a label: what a terminal could take for more than text is
 * made harmless. */
void tail_say(const char *text);

/* Says so and ends the process with EXIT_FAULT. */
_Noreturn void tail_out_of_memory(void);

#endif
