// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* After <sys/socket.h>, which it needs and does not include. */
#include <linux/vm_sockets.h>

#include "base/cleanup.h"
#include "transport/address.h"
#include "transport/lookup.h"

static struct address address_vsock(uint32_t cid, uint32_t port)
{
	const struct sockaddr_vm vm = {
		.svm_family = AF_VSOCK,
		.svm_cid = cid,
		.svm_port = port,
	};
	struct address a = { .len = sizeof(vm) };

	memcpy(&a.sa, &vm, sizeof(vm));
	return a;
}

static int address_resolve_vsock(const struct uri *uri, bool listening, struct address *ret)
{
	*ret = address_vsock(listening ? VMADDR_CID_ANY : uri->cid,
			     uri->port ? uri->port : VMADDR_PORT_ANY);
	return 1;
}

/* A guest has one CID, which its device tells; without that device this is a host. */
static uint32_t address_local_cid(void)
{
	_cleanup_fd_ int fd = open("/dev/vsock", O_RDONLY | O_CLOEXEC);
	unsigned int cid = VMADDR_CID_ANY;

	if (fd < 0 || ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) < 0)
		return VMADDR_CID_ANY;
	return cid;
}

struct address address_of_vsock_listener(uint32_t peer_cid, uint32_t port)
{
	return address_vsock(peer_cid == VMADDR_CID_LOCAL ? VMADDR_CID_LOCAL : address_local_cid(),
			     port);
}

/* getaddrinfo() has error codes of its own; the hint has its words. */
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
	return uri->kind == URI_VSOCK ? uri->cid == VMADDR_CID_ANY : !strcmp(uri->host, "*");
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

static int address_resolve_tcp(const struct uri *uri, enum err_kind kind, struct cancel *cancel,
			       struct address *ret, struct err *err)
{
	struct addrinfo *list;
	int n = 0, r, eai;
	char port[16];

	snprintf(port, sizeof(port), "%u", uri->port);
	r = lookup_run(uri->host, port, cancel, &list, &eai, err);
	if (r < 0)
		return r;
	if (eai) {
		int code = err_fail(err, kind, address_lookup_error(eai), "%s: looking up %s",
				    uri->text, uri->host);

		return err_note(err, code, "the resolver says: %s", gai_strerror(eai));
	}
	for (struct addrinfo *a = list; a && n < (int)ADDRESSES_MAX; a = a->ai_next) {
		memcpy(&ret[n].sa, a->ai_addr, a->ai_addrlen);
		ret[n++].len = a->ai_addrlen;
	}
	freeaddrinfo(list);
	return n;
}

int address_resolve(const struct uri *uri, bool listening, struct cancel *cancel,
		    struct address *ret, struct err *err)
{
	if (!listening && (!uri->port || address_is_wildcard(uri)))
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: port 0 and * are for listening only",
				uri->text);
	if (uri->kind == URI_VSOCK)
		return address_resolve_vsock(uri, listening, ret);
	if (address_is_wildcard(uri))
		return address_resolve_wildcard(uri, ret);
	return address_resolve_tcp(uri, listening ? ERR_MISSING : ERR_OUTPUT, cancel, ret, err);
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

static const char *address_danger(const struct address *a)
{
	if (a->sa.ss_family == AF_VSOCK)
		return "any program of the machine at the other end can use vsock";
	if (address_is_loopback(a))
		return "any user of this machine can be at the other end of TCP";
	return "TCP is neither encrypted nor authenticated";
}

int address_allow(const struct address *a, bool insecure, const char *name, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];

	if (insecure || a->sa.ss_family == AF_UNIX)
		return 0;
	err_fail(err, ERR_CONFIG, -EPERM, "%s: %s", address_text(a, text), address_danger(a));
	/* A name may lead to several addresses, one of which is refused. */
	if (a->sa.ss_family == AF_VSOCK)
		err_fail(err, ERR_CONFIG, -EPERM, "%s: %s", name, address_danger(a));
	else if (strcmp(text, name) != 0)
		err_prefix(err, -EPERM, "%s", name);
	return err_hint(err, -EPERM,
			"use TLS (--tls-creds), or unix:PATH, which ssh -L and -R forward, or "
			"accept that: --insecure");
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
		if (vm.svm_cid == VMADDR_CID_ANY)
			snprintf(buf, ADDRESS_TEXT_MAX, "vsock:*:%u", vm.svm_port);
		else
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
