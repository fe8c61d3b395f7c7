// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "host/extack.h"
#include "host/netlink.h"

/* A dump that was interrupted so often is not going to be still. */
#define NETLINK_TRIES 16

#define NETLINK_GROUPS_MAX 16

/**
 * struct netlink
 * @family: its number; that of the controller as long as it is not known
 * @groups: @n_groups of its multicast groups, by name
 */
struct netlink {
	struct nl_sock *sk;
	const char *name;
	int family;
	uint8_t version;
	struct {
		char name[GENL_NAMSIZ];
		int id;
	} groups[NETLINK_GROUPS_MAX];
	unsigned int n_groups;
};

/**
 * struct netlink_exchange - a request under way, or @any notification
 * @seq: the request's number, which all that belongs to it has
 * @fn_result: of the caller's function; once it is negative it is not called any more
 * @answered: the kernel has said its last word, @answer
 * @interrupted: what was dumped changed meanwhile
 */
struct netlink_exchange {
	netlink_fn *fn;
	void *ctx;
	int fn_result;
	bool any;
	uint32_t seq;
	bool answered, interrupted;
	struct extack answer;
};

/* libnl would fail where a message does not belong: any process could make it do so. */
static bool netlink_belongs(const struct netlink_exchange *x, const struct sockaddr_nl *from,
			    const struct nlmsghdr *h)
{
	return !from->nl_pid && (x->any || h->nlmsg_seq == x->seq);
}

static int netlink_on_message(struct nl_msg *msg, void *arg)
{
	struct netlink_exchange *x = arg;
	struct nlmsghdr *h = nlmsg_hdr(msg);
	struct genlmsghdr *genl = nlmsg_data(h);

	if (!x->fn || x->fn_result < 0 || !netlink_belongs(x, nlmsg_get_src(msg), h) ||
	    !genlmsg_valid_hdr(h, 0))
		return NL_OK;
	x->fn_result =
		x->fn(x->ctx, genl->cmd, genlmsg_attrdata(genl, 0), genlmsg_attrlen(genl, 0));
	return NL_OK;
}

static void netlink_take_answer(struct netlink_exchange *x, const struct nlmsghdr *h)
{
	x->answered = true;
	if (extack_parse(h, h->nlmsg_len, &x->answer) < 0)
		x->answer.error = -EBADMSG;
}

static int netlink_on_end(struct nl_msg *msg, void *arg)
{
	if (netlink_belongs(arg, nlmsg_get_src(msg), nlmsg_hdr(msg)))
		netlink_take_answer(arg, nlmsg_hdr(msg));
	return NL_OK;
}

/* libnl shows the payload of the message alone; its header stands right before it. */
static int netlink_on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)((const char *)e - NLMSG_HDRLEN);

	if (!netlink_belongs(arg, from, h))
		return NL_SKIP;
	netlink_take_answer(arg, h);
	return NL_STOP;
}

/* libnl's code says less than errno, which it leaves as the system call has set it. */
static int netlink_failed(int nle)
{
	return nle == -NLE_NOMEM && !errno ? -ENOMEM : errno ? -errno : -EBADMSG;
}

static int netlink_explain(const struct netlink *nl, const struct extack *answer, struct err *err)
{
	int r = answer->error;

	if (*answer->text)
		return err_set(err, r, "%s: %s", nl->name, answer->text);
	return err_set(err, r, "%s", nl->name);
}

static int netlink_exchange(struct netlink *nl, struct nl_msg *msg, struct netlink_exchange *x,
			    struct err *err)
{
	int r;

	nl_socket_modify_cb(nl->sk, NL_CB_VALID, NL_CB_CUSTOM, netlink_on_message, x);
	nl_socket_modify_cb(nl->sk, NL_CB_FINISH, NL_CB_CUSTOM, netlink_on_end, x);
	nl_socket_modify_cb(nl->sk, NL_CB_ACK, NL_CB_CUSTOM, netlink_on_end, x);
	nl_socket_modify_err_cb(nl->sk, NL_CB_CUSTOM, netlink_on_error, x);
	errno = 0;
	r = nl_send_auto(nl->sk, msg);
	if (r < 0)
		return err_set(err, netlink_failed(r), "%s: request", nl->name);
	x->seq = nlmsg_hdr(msg)->nlmsg_seq;
	while (!x->answered) {
		errno = 0;
		r = nl_recvmsgs_default(nl->sk);
		x->interrupted |= r == -NLE_DUMP_INTR;
		if (r < 0 && r != -NLE_DUMP_INTR && !x->answered)
			return err_set(err, netlink_failed(r), "%s: reply", nl->name);
	}
	return x->answer.error < 0 ? netlink_explain(nl, &x->answer, err) : 0;
}

/* No message is larger than what a skb of the kernel holds; a dump's are 32 KiB at most. */
static int netlink_connect(struct netlink *nl, struct err *err)
{
	const int on = 1;
	int r;

	errno = 0;
	r = genl_connect(nl->sk);
	if (r < 0)
		return err_set(err, netlink_failed(r), "%s: generic netlink", nl->name);
	if (fcntl(nl_socket_get_fd(nl->sk), F_SETFD, FD_CLOEXEC) < 0)
		return err_set(err, -errno, "%s: generic netlink", nl->name);
	/* Without it there are no words, which is no reason to fail. */
	setsockopt(nl_socket_get_fd(nl->sk), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	nl_socket_set_msg_buf_size(nl->sk, 64 << 10);
	return 0;
}

static void netlink_take_groups(struct netlink *nl, const struct nlattr *list)
{
	struct nlattr *item, *tb[CTRL_ATTR_MCAST_GRP_MAX + 1];
	int left;

	nla_for_each_nested(item, list, left)
	{
		if (nl->n_groups == NETLINK_GROUPS_MAX ||
		    nla_parse_nested(tb, CTRL_ATTR_MCAST_GRP_MAX, item, NULL) < 0 ||
		    !tb[CTRL_ATTR_MCAST_GRP_NAME] || !tb[CTRL_ATTR_MCAST_GRP_ID] ||
		    nla_len(tb[CTRL_ATTR_MCAST_GRP_ID]) < (int)sizeof(uint32_t))
			continue;
		nla_strlcpy(nl->groups[nl->n_groups].name, tb[CTRL_ATTR_MCAST_GRP_NAME],
			    sizeof(nl->groups[0].name));
		nl->groups[nl->n_groups++].id = (int)nla_get_u32(tb[CTRL_ATTR_MCAST_GRP_ID]);
	}
}

static int netlink_take_family(void *ctx, uint8_t cmd, struct nlattr *attrs, int len)
{
	struct nlattr *tb[CTRL_ATTR_MAX + 1];
	struct netlink *nl = ctx;

	(void)cmd;
	if (nla_parse(tb, CTRL_ATTR_MAX, attrs, len, NULL) < 0 || !tb[CTRL_ATTR_FAMILY_ID] ||
	    nla_len(tb[CTRL_ATTR_FAMILY_ID]) < (int)sizeof(uint16_t))
		return -EBADMSG;
	nl->family = nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	if (tb[CTRL_ATTR_MCAST_GROUPS])
		netlink_take_groups(nl, tb[CTRL_ATTR_MCAST_GROUPS]);
	return 0;
}

static int netlink_find_family(struct netlink *nl, struct err *err)
{
	struct nl_msg *msg;
	int r;

	msg = netlink_request(nl, CTRL_CMD_GETFAMILY);
	if (msg && nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, nl->name) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	r = netlink_ask(nl, msg, netlink_take_family, nl, err);
	if (r == -ENOENT)
		return err_fail(err, ERR_UNSUPPORTED, r, "this kernel has no %s", nl->name);
	return r;
}

struct netlink *netlink_wrap(struct nl_sock *sk, const char *name, int family, uint8_t version)
{
	struct netlink *nl = sk ? calloc(1, sizeof(*nl)) : NULL;

	if (!nl) {
		nl_socket_free(sk);
		return NULL;
	}
	nl_socket_disable_seq_check(sk); /* netlink_belongs() checks */
	nl->sk = sk;
	nl->name = name;
	nl->family = family;
	nl->version = version;
	return nl;
}

int netlink_open(const char *family, uint8_t version, struct netlink **ret, struct err *err)
{
	_cleanup_(netlink_closep) struct netlink *nl =
		netlink_wrap(nl_socket_alloc(), family, GENL_ID_CTRL, version);
	int r;

	if (!nl)
		return err_set(err, -ENOMEM, "%s", family);
	r = netlink_connect(nl, err);
	if (r < 0)
		return r;
	r = netlink_find_family(nl, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(nl);
	return 0;
}

struct netlink *netlink_close(struct netlink *nl)
{
	if (!nl)
		return NULL;
	if (nl->sk)
		nl_socket_free(nl->sk);
	free(nl);
	return NULL;
}

struct nl_msg *netlink_request(struct netlink *nl, uint8_t cmd)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0, NLM_F_REQUEST, cmd,
				nl->version)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

int netlink_ask(struct netlink *nl, struct nl_msg *msg, netlink_fn *fn, void *ctx, struct err *err)
{
	struct netlink_exchange x = { .fn = fn, .ctx = ctx };
	int r;

	if (!msg)
		return err_set(err, -ENOMEM, "%s: request", nl->name);
	r = netlink_exchange(nl, msg, &x, err);
	nlmsg_free(msg);
	if (r < 0)
		return r;
	if (x.fn_result < 0)
		return err_set(err, x.fn_result, "%s: reply", nl->name);
	return 0;
}

int netlink_dump(struct netlink *nl, struct nl_msg *msg, void (*begin)(void *ctx), netlink_fn *fn,
		 void *ctx, struct err *err)
{
	struct netlink_exchange x;
	int r, tries = 0;

	if (!msg)
		return err_set(err, -ENOMEM, "%s: request", nl->name);
	do {
		x = (struct netlink_exchange){ .fn = fn, .ctx = ctx };
		begin(ctx);
		nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_DUMP;
		/* The number of the last time would not be taken for this one's. */
		nlmsg_hdr(msg)->nlmsg_seq = NL_AUTO_SEQ;
		r = netlink_exchange(nl, msg, &x, err);
	} while (r >= 0 && x.interrupted && ++tries < NETLINK_TRIES);
	nlmsg_free(msg);
	if (r < 0)
		return r;
	if (x.interrupted)
		return err_fail(err, ERR_ABORTED, -EAGAIN, "%s: it changes faster than it is read",
				nl->name);
	return x.fn_result < 0 ? err_set(err, x.fn_result, "%s: reply", nl->name) : 0;
}

int netlink_join(struct netlink *nl, const char *group, struct err *err)
{
	int r;

	for (unsigned int i = 0; i < nl->n_groups; i++) {
		if (strcmp(nl->groups[i].name, group) != 0)
			continue;
		errno = 0;
		r = nl_socket_add_memberships(nl->sk, nl->groups[i].id, 0);
		if (r < 0)
			return err_set(err, netlink_failed(r), "%s: notifications", nl->name);
		r = nl_socket_set_nonblocking(nl->sk);
		return r < 0 ? err_set(err, netlink_failed(r), "%s: notifications", nl->name) : 0;
	}
	return err_set(err, -ENOENT, "%s: it has no group '%s'", nl->name, group);
}

int netlink_fd(const struct netlink *nl)
{
	return nl_socket_get_fd(nl->sk);
}

int netlink_read(struct netlink *nl, netlink_fn *fn, void *ctx, struct err *err)
{
	struct netlink_exchange x = { .fn = fn, .ctx = ctx, .any = true };
	int r;

	nl_socket_modify_cb(nl->sk, NL_CB_VALID, NL_CB_CUSTOM, netlink_on_message, &x);
	nl_socket_modify_err_cb(nl->sk, NL_CB_CUSTOM, netlink_on_error, &x);
	errno = 0;
	r = nl_recvmsgs_default(nl->sk);
	if (r < 0 && !x.answered) {
		if (errno == EAGAIN || r == -NLE_AGAIN)
			return NETLINK_NOTHING;
		if (errno == ENOBUFS)
			return NETLINK_OVERRUN;
		return err_set(err, netlink_failed(r), "%s: notifications", nl->name);
	}
	return x.fn_result < 0 ? err_set(err, x.fn_result, "%s: notification", nl->name)
			       : NETLINK_HEARD;
}
