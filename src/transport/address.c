// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* After <sys/socket.h>, which it needs and does not include. */
#include <linux/vm_sockets.h>

#include "transport/address.h"

static int address_resolve_vsock(const struct uri *uri, struct address *ret)
{
	const struct sockaddr_vm vm = {
		.svm_family = AF_VSOCK,
		.svm_cid = uri->cid,
		.svm_port = uri->port ? uri->port : VMADDR_PORT_ANY,
	};

	memcpy(&ret->sa, &vm, sizeof(vm));
	ret->len = sizeof(vm);
	return 1;
}

/* getaddrinfo() speaks a language of its own, which the hint repeats. */
static int address_lookup_error(int eai)
{
	switch (eai) {
	case EAI_SYSTEM:
		return -errno;
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_FAIL:
		return -EREMOTEIO;
	default:
		return -ENXIO;
	}
}

static bool address_is_wildcard(const struct uri *uri)
{
	return !strcmp(uri->host, "*");
}

/* IPv4 goes with it where there is IPv6; where there is none that fails, and the second will do. */
static int address_resolve_wildcard(const struct uri *uri, struct address *ret)
{
	const struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)uri->port),
		.sin6_addr = IN6ADDR_ANY_INIT,
	};
	const struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)uri->port),
		.sin_addr.s_addr = htonl(INADDR_ANY),
	};

	memcpy(&ret[0].sa, &in6, sizeof(in6));
	ret[0].len = sizeof(in6);
	memcpy(&ret[1].sa, &in, sizeof(in));
	ret[1].len = sizeof(in);
	return 2;
}

static int address_resolve_tcp(const struct uri *uri, enum err_kind kind, struct address *ret,
			       struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *list;
	char port[16];
	int n = 0, r;

	snprintf(port, sizeof(port), "%u", uri->port);
	r = getaddrinfo(uri->host, port, &hints, &list);
	if (r) {
		int code = err_fail(err, kind, address_lookup_error(r), "%s: looking up %s",
				    uri->text, uri->host);

		return err_note(err, code, "the resolver says: %s", gai_strerror(r));
	}
	for (struct addrinfo *a = list; a && n < (int)ADDRESSES_MAX; a = a->ai_next) {
		memcpy(&ret[n].sa, a->ai_addr, a->ai_addrlen);
		ret[n++].len = a->ai_addrlen;
	}
	freeaddrinfo(list);
	return n;
}

int address_resolve(const struct uri *uri, bool listening, struct address *ret, struct err *err)
{
	if (!listening && (!uri->port || address_is_wildcard(uri)))
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: port 0 and * are for who listens",
				uri->text);
	if (uri->kind == URI_VSOCK)
		return address_resolve_vsock(uri, ret);
	if (address_is_wildcard(uri))
		return address_resolve_wildcard(uri, ret);
	return address_resolve_tcp(uri, listening ? ERR_MISSING : ERR_OUTPUT, ret, err);
}

static bool address_is_loopback(const struct address *a)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

	if (a->sa.ss_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) &&
		in6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
}

int address_allow(const struct address *a, bool insecure, const char *name, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	bool inet = a->sa.ss_family == AF_INET || a->sa.ss_family == AF_INET6;

	if (insecure || !inet || address_is_loopback(a))
		return 0;
	err_fail(err, ERR_CONFIG, -EPERM, "%s is beyond this machine, and TCP is not encrypted",
		 address_text(a, text));
	if (strcmp(text, name) != 0)
		err_prefix(err, -EPERM, "%s", name);
	return err_hint(err, -EPERM, "go by an ssh tunnel to a loopback address, or say --insecure");
}

static void address_ip_text(const struct address *a, char *buf)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	bool v6 = a->sa.ss_family == AF_INET6;

	if (getnameinfo((const struct sockaddr *)&a->sa, a->len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV)) {
		strcpy(host, "?");
		strcpy(port, "?");
	}
	snprintf(buf, ADDRESS_TEXT_MAX, "tcp:%s%.64s%s:%.8s", v6 ? "[" : "", host, v6 ? "]" : "",
		 port);
}

char *address_text(const struct address *a, char buf[ADDRESS_TEXT_MAX])
{
	struct sockaddr_vm vm;

	switch (a->sa.ss_family) {
	case AF_VSOCK:
		memcpy(&vm, &a->sa, sizeof(vm));
		snprintf(buf, ADDRESS_TEXT_MAX, "vsock:%u:%u", vm.svm_cid, vm.svm_port);
		break;
	case AF_INET:
	case AF_INET6:
		address_ip_text(a, buf);
		break;
	default:
		strcpy(buf, "a socket");
	}
	return buf;
}
