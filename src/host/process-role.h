/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a process is to the host: a unit, a VM, a pod
 *
 * A pid says little to an administrator. The cgroup has the unit of the service manager (systemd)
 * and the pod's UID (Kubernetes); the command line of QEMU has the VM's name.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "host/host.h"

#define PROCESS_ROLE_NAME 128

/**
 * struct process_role - each is "" where there is none, and printable
 * @unit: "machine-qemu\x2d3\x2dweb.scope", as systemctl(1) takes it
 * @pod: the UID of a Kubernetes pod
 * @vm: QEMU's name for it; @libvirt: which is libvirt's name of a domain
 */
struct process_role {
	char unit[PROCESS_ROLE_NAME], pod[PROCESS_ROLE_NAME], vm[PROCESS_ROLE_NAME];
	bool libvirt;
};

/** process_role_find() - as far as /proc may be read. */
void process_role_find(const struct host *host, pid_t pid, struct process_role *ret);
