// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "cmd/connection.h"

void cmd_connection_opts(struct opt opts[static CMD_CONNECTION_OPTS], struct cmd_connection *c)
{
	const struct opt table[CMD_CONNECTION_OPTS] = {
		{ "tls-creds", .value = "DIR", .text = &c->tls.creds,
		  .doc = "use TLS, with the certificates or keys in DIR" },
		{ "tls-hostname", .value = "NAME", .text = &c->tls.hostname,
		  .doc = "whose certificate the listener must have (the host connected to)" },
		{ "tls-authz", .value = "PATTERN", .text = &c->tls.authz,
		  .doc = "that the subject of the other end's certificate must fit" },
		{ "tls-psk-user", .value = "NAME", .text = &c->tls.psk_user,
		  .doc = "use keys.psk, as this user; a listener: let in no other" },
		{ "insecure", .flag = &c->peer.insecure,
		  .doc = "use TCP or vsock without TLS, or the socket of any user" },
	};

	memcpy(opts, table, sizeof(table));
}

void cmd_connection_settle(const struct invocation *inv, const struct cmd_connection *c)
{
	if (!c->tls.creds && (c->tls.hostname || c->tls.authz || c->tls.psk_user))
		opts_misuse(inv->program, "%s is for --tls-creds",
			    c->tls.hostname ? "--tls-hostname"
			    : c->tls.authz  ? "--tls-authz"
					    : "--tls-psk-user");
}

int cmd_connection_open(struct cmd_connection *c, enum tls_end end, const struct uri *uri,
			unsigned int kinds, struct err *err)
{
	int r;

	if (!c->tls.creds)
		return 0;
	if (!(uri->kind & kinds))
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: is no socket that TLS could be for",
				uri->text);
	if (end == TLS_SERVER && c->tls.hostname)
		return err_fail(err, ERR_USAGE, -EINVAL,
				"--tls-hostname is for the end that connects");
	r = tls_creds_open(&c->tls, end, &c->creds, err);
	if (r < 0)
		return r;
	c->peer.tls = c->creds;
	return 0;
}

void cmd_connection_done(struct cmd_connection *c)
{
	c->creds = tls_creds_free(c->creds);
	c->peer.tls = NULL;
}
