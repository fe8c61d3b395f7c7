// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>

#include "base/macros.h"
#include "check/verdict.h"

enum check_verdict check_violation(enum check_level level)
{
	static const enum check_verdict of[] = {
		[CHECK_MUST] = CHECK_FAIL,
		[CHECK_SHOULD] = CHECK_WARN,
		[CHECK_TELLS] = CHECK_WARN,
	};

	return of[level];
}

enum check_verdict check_judge(enum check_verdict said, bool known, bool strict)
{
	bool excused = said == CHECK_FAIL || said == CHECK_WARN;

	return excused && known && !strict ? CHECK_KNOWN : said;
}

/* Without a verdict it is not known to hold. */
bool check_bad(enum check_verdict verdict)
{
	return verdict == CHECK_FAIL || verdict == CHECK_BROKEN;
}

const char *check_verdict_name(enum check_verdict verdict)
{
	static const char *const names[] = {
		[CHECK_PASS] = "pass",	   [CHECK_INFO] = "info",   [CHECK_SKIP] = "skip",
		[CHECK_WARN] = "warn",	   [CHECK_KNOWN] = "known", [CHECK_FAIL] = "fail",
		[CHECK_BROKEN] = "broken",
	};

	return names[verdict];
}

const char *check_level_name(enum check_level level)
{
	static const char *const names[] = {
		[CHECK_MUST] = "MUST",
		[CHECK_SHOULD] = "SHOULD",
		[CHECK_TELLS] = "TELLS",
	};

	return names[level];
}

const char *check_harm_name(enum check_harm harm)
{
	static const char *const names[] = {
		[CHECK_HARMLESS] = "harmless",
		[CHECK_DESTRUCTIVE] = "destructive",
		[CHECK_PAIR] = "pair",
		[CHECK_HOSTILE] = "hostile",
	};

	return names[harm];
}

const char *check_gate(enum check_harm harm, unsigned int allowed)
{
	static const char *const gates[] = {
		[CHECK_HARMLESS] = NULL,
		[CHECK_DESTRUCTIVE] = "it loses the device's state: --destructive",
		[CHECK_PAIR] = "it takes a second device: --pair",
		[CHECK_HOSTILE] = "it may hang or crash a driver that is wrong: --hostile",
	};

	return allowed & (1u << harm) ? NULL : gates[harm];
}

const char *check_lack(unsigned int needs, unsigned int has)
{
	static const struct {
		enum check_needs need;
		const char *lack;
	} lacks[] = {
		{ CHECK_NEEDS_KERNEL, "it is a vfio-user server's" },
		{ CHECK_NEEDS_VFU, "it is a device of the kernel" },
		{ CHECK_NEEDS_P2P, "it has no P2P states" },
		{ CHECK_NEEDS_PRE_COPY, "it has no pre-copy" },
		{ CHECK_NEEDS_NO_P2P, "it has the P2P states" },
		{ CHECK_NEEDS_NO_PRE_COPY, "it has pre-copy" },
		{ CHECK_NEEDS_DATA_SIZE, "it does not tell MIG_DATA_SIZE" },
		{ CHECK_NEEDS_PRECOPY_V2, "it does not offer PRECOPY_INFOv2" },
		{ CHECK_NEEDS_DMA_LOG, "it does not log its DMA" },
		{ CHECK_NEEDS_RESET, "it cannot be reset" },
		{ CHECK_NEEDS_REOPEN,
		  "another process keeps it open, so that it cannot be closed" },
		{ CHECK_NEEDS_WATCH, "--watch does not say what must stand still" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lacks); i++)
		if (needs & lacks[i].need & ~has)
			return lacks[i].lack;
	return NULL;
}
