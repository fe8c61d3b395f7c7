// SPDX-License-Identifier: GPL-2.0-only

/*
 * devlink as a PF's driver with an eswitch has it, beside the PF's own driver
 *
 * Each PF on the bus gets a devlink instance, in legacy mode to begin with. In switchdev mode there
 * is a port of flavour pcivf for each VF, with the function attribute "migratable": it is refused
 * while a driver has the VF, and always for the VF with the number that is told as "deny". Whether
 * the VF then migrates is its driver's business, and nothing of this.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/list.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <net/devlink.h>

static int deny = -1;
module_param(deny, int, 0644);
MODULE_PARM_DESC(deny, "number of a VF that is always refused");

static bool no_attribute;
module_param(no_attribute, bool, 0644);
MODULE_PARM_DESC(no_attribute, "ports that are made from now on lack the function attribute");

struct sim_pf {
	struct list_head list;
	struct pci_dev *pdev;
	enum devlink_eswitch_mode mode;
	struct list_head vfs;
};

struct sim_vf {
	struct list_head list;
	struct pci_dev *pdev;
	struct devlink_port port;
	bool has_port;
	bool migratable;
};

static LIST_HEAD(sim_pfs);
static DEFINE_MUTEX(sim_lock); /* of the list; taken before any devlink's own */

static int sim_migratable_get(struct devlink_port *port, bool *is_enable,
			      struct netlink_ext_ack *extack)
{
	*is_enable = container_of(port, struct sim_vf, port)->migratable;
	return 0;
}

static int sim_migratable_set(struct devlink_port *port, bool enable,
			      struct netlink_ext_ack *extack)
{
	struct sim_vf *vf = container_of(port, struct sim_vf, port);

	if (vf->pdev->dev.driver) {
		NL_SET_ERR_MSG_MOD(extack, "A driver has the VF");
		return -EBUSY;
	}
	if (pci_iov_vf_id(vf->pdev) == deny) {
		NL_SET_ERR_MSG_MOD(extack, "Failed setting the\tmigratable cap");
		return -EINVAL;
	}
	vf->migratable = enable;
	return 0;
}

static const struct devlink_port_ops sim_port_ops = {
	.port_fn_migratable_get = sim_migratable_get,
	.port_fn_migratable_set = sim_migratable_set,
};

static const struct devlink_port_ops sim_bare_port_ops = {};

static void sim_port_add(struct sim_pf *pf, struct sim_vf *vf)
{
	int id = pci_iov_vf_id(vf->pdev), r;

	if (vf->has_port || pf->mode != DEVLINK_ESWITCH_MODE_SWITCHDEV)
		return;
	memset(&vf->port, 0, sizeof(vf->port));
	devlink_port_attrs_pci_vf_set(&vf->port, 0, PCI_FUNC(pf->pdev->devfn), id, false);
	r = devl_port_register_with_ops(priv_to_devlink(pf), &vf->port, id + 1,
					no_attribute ? &sim_bare_port_ops : &sim_port_ops);
	if (r)
		pr_err("%s: no port: %d\n", pci_name(vf->pdev), r);
	vf->has_port = !r;
}

static void sim_port_remove(struct sim_vf *vf)
{
	if (vf->has_port)
		devl_port_unregister(&vf->port);
	vf->has_port = false;
}

static int sim_mode_get(struct devlink *devlink, u16 *mode)
{
	*mode = ((struct sim_pf *)devlink_priv(devlink))->mode;
	return 0;
}

static int sim_mode_set(struct devlink *devlink, u16 mode, struct netlink_ext_ack *extack)
{
	struct sim_pf *pf = devlink_priv(devlink);
	struct sim_vf *vf;

	pf->mode = mode;
	list_for_each_entry(vf, &pf->vfs, list) {
		if (mode == DEVLINK_ESWITCH_MODE_SWITCHDEV)
			sim_port_add(pf, vf);
		else
			sim_port_remove(vf);
	}
	return 0;
}

static const struct devlink_ops sim_ops = {
	.eswitch_mode_get = sim_mode_get,
	.eswitch_mode_set = sim_mode_set,
};

static struct sim_pf *sim_find(struct pci_dev *pdev)
{
	struct sim_pf *pf;

	list_for_each_entry(pf, &sim_pfs, list)
		if (pf->pdev == pdev)
			return pf;
	return NULL;
}

static void sim_pf_add(struct pci_dev *pdev)
{
	struct devlink *devlink = devlink_alloc(&sim_ops, sizeof(struct sim_pf), &pdev->dev);
	struct sim_pf *pf;

	if (!devlink)
		return;
	pf = devlink_priv(devlink);
	pf->pdev = pdev;
	pf->mode = DEVLINK_ESWITCH_MODE_LEGACY;
	INIT_LIST_HEAD(&pf->vfs);
	list_add_tail(&pf->list, &sim_pfs);
	devlink_register(devlink);
}

static void sim_vf_add(struct pci_dev *pdev)
{
	struct sim_pf *pf = sim_find(pci_physfn(pdev));
	struct sim_vf *vf = pf ? kzalloc(sizeof(*vf), GFP_KERNEL) : NULL;

	if (!vf)
		return;
	vf->pdev = pdev;
	devl_lock(priv_to_devlink(pf));
	list_add_tail(&vf->list, &pf->vfs);
	sim_port_add(pf, vf);
	devl_unlock(priv_to_devlink(pf));
}

static void sim_vf_free(struct sim_vf *vf)
{
	sim_port_remove(vf);
	list_del(&vf->list);
	kfree(vf);
}

static void sim_vf_remove(struct pci_dev *pdev)
{
	struct sim_pf *pf = sim_find(pci_physfn(pdev));
	struct sim_vf *vf, *next;

	if (!pf)
		return;
	devl_lock(priv_to_devlink(pf));
	list_for_each_entry_safe(vf, next, &pf->vfs, list)
		if (vf->pdev == pdev)
			sim_vf_free(vf);
	devl_unlock(priv_to_devlink(pf));
}

static void sim_pf_remove(struct sim_pf *pf)
{
	struct devlink *devlink = priv_to_devlink(pf);
	struct sim_vf *vf, *next;

	list_del(&pf->list);
	devlink_unregister(devlink);
	devl_lock(devlink);
	list_for_each_entry_safe(vf, next, &pf->vfs, list)
		sim_vf_free(vf);
	devl_unlock(devlink);
	devlink_free(devlink);
}

static int sim_on_bus(struct notifier_block *block, unsigned long event, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);

	mutex_lock(&sim_lock);
	if (event == BUS_NOTIFY_ADD_DEVICE && pdev->is_virtfn)
		sim_vf_add(pdev);
	else if (event == BUS_NOTIFY_ADD_DEVICE && pdev->is_physfn)
		sim_pf_add(pdev);
	else if (event == BUS_NOTIFY_DEL_DEVICE && pdev->is_virtfn)
		sim_vf_remove(pdev);
	else if (event == BUS_NOTIFY_DEL_DEVICE && sim_find(pdev))
		sim_pf_remove(sim_find(pdev));
	mutex_unlock(&sim_lock);
	return NOTIFY_DONE;
}

static struct notifier_block sim_block = { .notifier_call = sim_on_bus };

static int __init sim_init(void)
{
	struct pci_dev *pdev = NULL;
	int r;

	r = bus_register_notifier(&pci_bus_type, &sim_block);
	if (r)
		return r;
	mutex_lock(&sim_lock);
	for_each_pci_dev(pdev)
		if (pdev->is_physfn && !sim_find(pdev))
			sim_pf_add(pdev);
	pdev = NULL;
	for_each_pci_dev(pdev)
		if (pdev->is_virtfn)
			sim_vf_add(pdev);
	mutex_unlock(&sim_lock);
	return 0;
}

static void __exit sim_exit(void)
{
	struct sim_pf *pf, *next;

	bus_unregister_notifier(&pci_bus_type, &sim_block);
	mutex_lock(&sim_lock);
	list_for_each_entry_safe(pf, next, &sim_pfs, list)
		sim_pf_remove(pf);
	mutex_unlock(&sim_lock);
}

module_init(sim_init);
module_exit(sim_exit);
MODULE_DESCRIPTION("devlink with migratable VFs, for tests");
MODULE_LICENSE("GPL");
