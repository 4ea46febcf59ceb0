/* The commands of the program: each takes its own arguments (argv[0] is the command's name) and returns an
 * exit code. */
#ifndef SIDETAIL_COMMAND_H
#define SIDETAIL_COMMAND_H

int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
int command_try(int argc, char **argv);
int command_tail(int argc, char **argv);
int command_status(int argc, char **argv);
int command_top(int argc, char **argv);
int command_health(int argc, char **argv);

#endif
