// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/layout.h"

/*
 * hisi_acc_vfio_pci: one structure; its first 40 bytes are told in PRE_COPY already, and are what a
 * target matches against its own. Of a function without a guest's driver they are all there is.
 */

#define HISI_ACC_MAGIC_V1 0xcdcdcdcdfeedaaccu
#define HISI_ACC_MAGIC_V2 0xaaccfeeddecadedeu
#define HISI_ACC_QM_NOT_READY 1u

static const struct decode_word hisi_acc_magics[] = {
	{ HISI_ACC_MAGIC_V1, "first version, without version numbers" },
	{ HISI_ACC_MAGIC_V2, "with version numbers" },
	{ 0 },
};
static const struct decode_word hisi_acc_states[] = {
	{ 0, "ready" },
	{ HISI_ACC_QM_NOT_READY, "no guest's driver: nothing more is saved" },
	{ 0 },
};

/* clang-format off */
static const struct decode_field hisi_acc_match_fields[] = {
	{ "acc_magic",    0,  8, DECODE_HEX,    DECODE_NO_FACT,   hisi_acc_magics },
	{ "qp_num",       8,  4, DECODE_UINT,   DECODE_QUEUES,    NULL },
	{ "dev_id",      12,  4, DECODE_HEX,    DECODE_DEVICE_ID, NULL },
	{ "que_iso_cfg", 16,  4, DECODE_HEX,    DECODE_ISOLATION, NULL },
	{ "qp_base",     20,  4, DECODE_UINT,   DECODE_NO_FACT,   NULL },
	{ "vf_qm_state", 24,  4, DECODE_UINT,   DECODE_NO_FACT,   hisi_acc_states },
	{ "major_ver",   28,  2, DECODE_UINT,   DECODE_VERSION,   NULL },
	{ "minor_ver",   30,  2, DECODE_UINT,   DECODE_MINOR,     NULL },
	{ "qm_rsv_state", 32, 8, DECODE_OCTETS, DECODE_NO_FACT,   NULL },
};

static const struct decode_field hisi_acc_state_fields[] = {
	{ "aeq_int_mask",   0,   4, DECODE_HEX,    DECODE_NO_FACT, NULL },
	{ "eq_int_mask",    4,   4, DECODE_HEX,    DECODE_NO_FACT, NULL },
	{ "ifc_int_source", 8,   4, DECODE_HEX,    DECODE_NO_FACT, NULL },
	{ "ifc_int_mask",   12,  4, DECODE_HEX,    DECODE_NO_FACT, NULL },
	{ "ifc_int_set",    16,  4, DECODE_HEX,    DECODE_NO_FACT, NULL },
	{ "page_size",      20,  4, DECODE_HEX,    DECODE_NO_FACT, NULL },
	{ "qm_eqc_dw",      24, 28, DECODE_OCTETS, DECODE_NO_FACT, NULL },
	{ "qm_aeqc_dw",     52, 28, DECODE_OCTETS, DECODE_NO_FACT, NULL },
	{ "qm_rsv_regs",    80, 20, DECODE_OCTETS, DECODE_NO_FACT, NULL },
	{ "eqe_dma",       104,  8, DECODE_HEX,    DECODE_NO_FACT, NULL },
	{ "aeqe_dma",      112,  8, DECODE_HEX,    DECODE_NO_FACT, NULL },
	{ "sqc_dma",       120,  8, DECODE_HEX,    DECODE_NO_FACT, NULL },
	{ "cqc_dma",       128,  8, DECODE_HEX,    DECODE_NO_FACT, NULL },
};
/* clang-format on */

static const struct decode_layout hisi_acc_match =
	DECODE_LAYOUT("match data", 40, hisi_acc_match_fields);
static const struct decode_layout hisi_acc_state =
	DECODE_LAYOUT("queue manager", 136, hisi_acc_state_fields);

static void hisi_acc_on_header(struct decode *d, const struct decode_layout *l, const uint8_t *b)
{
	if (l == &hisi_acc_state) {
		if (!decode_number(b + 104, 8) || !decode_number(b + 112, 8) ||
		    !decode_number(b + 120, 8) || !decode_number(b + 128, 8))
			decode_remark(d, "an address is 0: nothing will be loaded");
		return;
	}
	if (decode_number(b, 8) == HISI_ACC_MAGIC_V1) {
		decode_forget(d, DECODE_VERSION);
		decode_forget(d, DECODE_MINOR);
		decode_remark(d,
			      "the addresses below are as that version wrote them; a target takes "
			      "them from qm_eqc_dw and qm_aeqc_dw instead");
	}
	if (decode_number(b + 24, 4) != HISI_ACC_QM_NOT_READY)
		decode_then(d, &hisi_acc_state, 1);
}

const struct decode_driver decode_hisi_acc = {
	.layout = "hisi_acc",
	.driver = "hisi_acc_vfio_pci",
	.source = "drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.h",
	.magic = HISI_ACC_MAGIC_V2,
	.old_magic = HISI_ACC_MAGIC_V1,
	.magic_size = 8,
	.first = &hisi_acc_match,
	.many = 1,
	.on_header = hisi_acc_on_header,
};
