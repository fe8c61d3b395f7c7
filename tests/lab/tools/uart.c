// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * uart DEV fill SEED | show
 *
 * Sets and shows what the UARTs of an mtty device hold, through its VFIO regions as a guest would.
 * "fill" sets everything that can be set, from a seed, so the same seed twice is the same state.
 * "show" empties the FIFOs and ends access to the divisors: mtty sets a divisor to zero when
 * DLAB is set, so it can be read only where it was left open. It is for the end of a test.
 */

#include <linux/serial_reg.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "tool.h"

#define PORTS_MAX 2u

/* A full FIFO of 16 looks empty to mtty (head == tail), so one less. */
#define FIFO_MAX 15u

struct port {
	int fd;
	uint64_t offset;
};

static uint8_t get(const struct port *p, unsigned int reg)
{
	uint8_t value = 0;

	if (pread(p->fd, &value, 1, (off_t)(p->offset + reg)) != 1)
		die_errno("reading a register");
	return value;
}

static void put(const struct port *p, unsigned int reg, uint8_t value)
{
	if (pwrite(p->fd, &value, 1, (off_t)(p->offset + reg)) != 1)
		die_errno("writing a register");
}

/* Return: false for a port that the device does not have. */
static bool find_port(int fd, unsigned int index, struct port *ret)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		die_errno("VFIO_DEVICE_GET_REGION_INFO");
	*ret = (struct port){ .fd = fd, .offset = info.offset };
	return info.size > 0;
}

/* splitmix64: any seed is as good as any other, 0 too. */
static uint8_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint8_t)(z ^ (z >> 31));
}

static void fill(const struct port *p, unsigned int index, uint64_t seed)
{
	uint64_t s = seed * PORTS_MAX + index;
	unsigned int n;

	put(p, UART_LCR, 0);
	put(p, UART_IER, next(&s) & 0x0f);
	put(p, UART_FCR,
	    UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT | (next(&s) & 0xc0));
	put(p, UART_MCR, (next(&s) & 0x2f) | UART_MCR_LOOP);
	put(p, UART_SCR, next(&s));
	n = 1 + next(&s) % FIFO_MAX;
	for (unsigned int i = 0; i < n; i++)
		put(p, UART_TX, next(&s));
	put(p, UART_LCR, UART_LCR_DLAB | (next(&s) & 0x7f));
	put(p, UART_DLL, next(&s));
	put(p, UART_DLM, next(&s));
}

static void show(const struct port *p, unsigned int index)
{
	uint8_t lcr = get(p, UART_LCR);

	printf("port %u: lcr %02x", index, lcr);
	if (lcr & UART_LCR_DLAB) {
		uint8_t low = get(p, UART_DLL);

		printf(" divisor %02x%02x", get(p, UART_DLM), low);
		put(p, UART_LCR, lcr & 0x7f);
	}
	printf(" ier %02x", get(p, UART_IER));
	printf(" iir %02x", get(p, UART_IIR));
	printf(" mcr %02x", get(p, UART_MCR));
	printf(" lsr %02x", get(p, UART_LSR));
	printf(" msr %02x", get(p, UART_MSR));
	printf(" scr %02x fifo", get(p, UART_SCR));
	while (get(p, UART_LSR) & UART_LSR_DR)
		printf(" %02x", get(p, UART_RX));
	putchar('\n');
}

int main(int argc, char **argv)
{
	bool fills = argc == 4 && !strcmp(argv[2], "fill");
	bool shows = argc == 3 && !strcmp(argv[2], "show");
	struct acquired acq;
	struct port port;

	if (!fills && !shows) {
		fprintf(stderr, "usage: uart DEV fill SEED\n       uart DEV show\n");
		return USAGE_STATUS;
	}
	open_device(argv[1], ACQUIRE_AUTO, &acq);
	for (unsigned int i = 0; i < PORTS_MAX; i++) {
		if (!find_port(acq.fd, i, &port))
			continue;
		if (fills)
			fill(&port, i, strtoull(argv[3], NULL, 0));
		else
			show(&port, i);
	}
	acquired_done(&acq);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
