/* server/server.h: the HTTP front end: `varve serve`. */
#ifndef VARVE_SERVER_H
#define VARVE_SERVER_H

/* Runs the server until SIGINT or SIGTERM; argv[0] is "serve".  lake is the directory to open.  Returns the program's
 * exit code: 0, 1 (bad usage, the lake cannot be opened), 2 (the address cannot be bound). */
int server_main(int argc, char **argv, const char *lake);
/* The help text of the verb. */
extern const char server_help[];

#endif
