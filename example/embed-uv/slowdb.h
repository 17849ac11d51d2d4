/* SPDX-License-Identifier: MIT */
#ifndef SLOWDB_H
#define SLOWDB_H

/* Stands for libpq: a client library that blocks its thread in connect() and read(), and knows
 * nothing of any event loop.  The slow server that it talks to is here too, on threads of its
 * own, so that the example needs nothing else. */

/* Starts the server; every query takes it that many ms.  The port, or -1. */
int slowdb_server_start(int query_ms);

/* Ends the server and waits for its threads. */
void slowdb_server_stop(void);

/* Connects, asks for the square of a number, waits for the answer, disconnects.
 * Blocks the calling thread throughout.  0, or -1. */
int slowdb_square(int port, int number, int *square);

#endif
