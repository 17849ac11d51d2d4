/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TOOL_COMMANDS_H
#define WEIR_TOOL_COMMANDS_H

/* The commands of the tool.  Each gets its own name in argv[0] and returns the exit status:
 * 0 done, 1 it could not be done, 2 it was asked wrongly; a command's help names what it adds. */

int command_serve(int argc, char **argv);
int command_load(int argc, char **argv);
int command_compare(int argc, char **argv);

#endif
