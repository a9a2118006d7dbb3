/* SPDX-License-Identifier: ISC */
/* Reads the server name out of a TLS ClientHello (RFC 8446 section 4.1.2,
 * RFC 6066 section 3), the only thing that the edge learns of an agent's
 * connection.  Pure: it never allocates, blocks or prints, and keeps nothing
 * between calls.  Strict: what a server behind the tunnel would refuse is
 * refused here, with the alert that a server would send. */
#ifndef ADIT_CLIENTHELLO_H
#define ADIT_CLIENTHELLO_H

#include "common/bytes.h"

enum {
	CLIENTHELLO_RECORD = 22,  /* the first byte of each of its records */
	CLIENTHELLO_MAX = 16384,  /* the message with its header of four */
	CLIENTHELLO_RECORDS_MAX = CLIENTHELLO_MAX + 1024, /* with those of
	                           * the records that it comes in */
	CLIENTHELLO_NAME_MAX = 254,
	CLIENTHELLO_ALERT_LEN = 7,
};

/* Alerts of RFC 8446 section 6 that an agent may get. */
enum tls_alert {
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_ILLEGAL_PARAMETER = 47,
	ALERT_DECODE_ERROR = 50,
	ALERT_PROTOCOL_VERSION = 70,
	ALERT_INTERNAL_ERROR = 80,
	ALERT_MISSING_EXTENSION = 109,
	ALERT_UNRECOGNIZED_NAME = 112,
};

struct clienthello {
	char name[CLIENTHELLO_NAME_MAX]; /* a host name in lower case */
	enum tls_alert alert;            /* if it was refused */
	const char *text;                /* and why, static */
};

/* Reads the ClientHello at the start of what an agent sent.  Returns 1 and
 * the name; 0 if in holds only part of it; -1 with the alert and a text.
 * What follows the ClientHello's last record is not looked at. */
int clienthello_parse(struct bytes in, struct clienthello *ret);

/* Writes a fatal alert as the record that goes out in plain text. */
void clienthello_put_alert(uint8_t out[static CLIENTHELLO_ALERT_LEN],
    enum tls_alert alert);

/* As in RFC 8446: "unrecognized_name". */
const char *clienthello_alert_name(enum tls_alert alert);

#endif
