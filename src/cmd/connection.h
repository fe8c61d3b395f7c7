/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Options of commands that connect, or are connected to: who may be at the other end
 */

#include "base/opts.h"
#include "transport/peer.h"
#include "transport/tls-creds.h"
#include "transport/uri.h"
#include "cmd/cmd.h"

/**
 * struct cmd_connection - zeroes before cmd_parse(), which fills @tls and @peer.insecure
 * @peer: after cmd_connection_open() all but the timeout, which is the command's to set
 */
struct cmd_connection {
	struct tls_options tls;
	struct tls_creds *creds;
	struct peer_options peer;
};

#define CMD_CONNECTION_OPTS 6

/** cmd_connection_opts() - cmd_parse()'s: the rows of the table */
void cmd_connection_opts(struct opt opts[static CMD_CONNECTION_OPTS], struct cmd_connection *c);

/** cmd_connection_settle() - cmd_parse()'s: what goes together. Exits on misuse. */
void cmd_connection_settle(const struct invocation *inv, const struct cmd_connection *c);

/**
 * cmd_connection_open() - read the credentials, if there are any; before anything is touched
 * @kinds: enum uri_kind that can have TLS
 *
 * Return: as tls_creds_open(); -EINVAL (ERR_USAGE) for a @uri that is none of @kinds.
 */
_must_check_ int cmd_connection_open(struct cmd_connection *c, enum tls_end end,
				     const struct uri *uri, unsigned int kinds, struct err *err);

/** cmd_connection_done() - after all peers have gone */
void cmd_connection_done(struct cmd_connection *c);
