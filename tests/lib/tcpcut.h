/*
 * A network between a test and a server on this machine: a process that passes bytes on, and loses, holds or cuts
 * them when it is told to. Gone with the test program.
 */
#ifndef TESTS_LIB_TCPCUT_H
#define TESTS_LIB_TCPCUT_H

struct tcpcut;

enum tcpcut_mode {
	CUT_NOTHING,
	CUT_REPLY, /* the next bytes from the server are lost and the connection is reset; then CUT_NOTHING again */
	CUT_SILENT, /* nothing passes in either direction, nothing is closed */
	CUT_ALL     /* connections are reset as they come */
};

/* Listens on a free port for the server at port; NULL when it cannot. */
struct tcpcut *tcpcut_start(int port);
int tcpcut_port(const struct tcpcut *c);
void tcpcut_set(struct tcpcut *c, enum tcpcut_mode mode);
/* How often a reply was lost. */
int tcpcut_lost(const struct tcpcut *c);
void tcpcut_free(struct tcpcut *c);

#endif
