/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vfio-user by hand
 *
 * A client for tests of vfiomig-emu, written from the protocol's text and from nothing in src/: a
 * misreading there must not be shared by its test. Whatever is not as it must be fails the test
 * that is running.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Much longer than anything takes; nothing depends on how long. */
#define PATIENCE_MS 120000

/* The protocol's numbers */
/* Automake gives every file a macro of this name. */
#undef VERSION

enum {
	VERSION = 1,
	DMA_MAP = 2,
	DMA_UNMAP = 3,
	GET_INFO = 4,
	GET_REGION_INFO = 5,
	GET_IRQ_INFO = 7,
	SET_IRQS = 8,
	REGION_READ = 9,
	REGION_WRITE = 10,
	RESET = 13,
	FEATURE = 16,
	DATA_READ = 17,
	DATA_WRITE = 18,
};

enum {
	ERROR,
	STOP,
	RUNNING,
	STOP_COPY,
	RESUMING,
	RUNNING_P2P,
	PRE_COPY,
	PRE_COPY_P2P,
	N_STATES
};

#define GET (1u << 16)
#define SET (1u << 17)
#define PROBE (1u << 18)

#define FLAG_REPLY 1u
#define FLAG_NO_REPLY 0x10u
#define FLAG_ERROR 0x20u

#define BAR0 0u
#define CONFIG 7u
#define MIB (1u << 20)

/* BAR 0, of vfiomig-emu(8) */
#define REG_IDENTITY 0x00u
#define REG_COUNTER 0x08u
#define REG_DIGEST 0x10u
#define REG_CONTROL 0x18u

/* A server, and where its first socket is. */
struct emu {
	pid_t pid;
	char dir[64], path[96];
	int out; /* its standard output */
};

/**
 * emu_start() - run vfiomig-emu with options up to NULL
 *
 * Returns when as many sockets are ready as @n. Ends with the test, if not by emu_stop().
 */
void emu_start(struct emu *e, unsigned int n, ...);
void emu_restart(struct emu *e, unsigned int n, ...); /* at the same path */

/* End it by SIGTERM: it must exit with 0 and take its sockets along. */
void emu_stop(struct emu *e);

/* Wait for it to end. Return: as waitpid() says. */
int emu_wait(struct emu *e);

/* Run it to its end with one option. Return: its exit status. */
int emu_status(const char *option, ...);

/* A message, and a place for it. */
struct message {
	uint16_t id, command;
	uint32_t size, flags, error;
	uint8_t payload[MIB + 4096];
	size_t len; /* of the payload */
};

int wire_connect(const char *path);
/* The socket of device @n, connected, the version agreed on. */
int wire_open(const struct emu *e, unsigned int n);
void wire_send(int fd, uint16_t id, uint16_t command, uint32_t flags, const void *payload,
	       size_t len);
void wire_send_raw(int fd, const void *bytes, size_t len);
void wire_receive(int fd, struct message *m);
/* Whether the server closes the connection; replies that come first are passed over. */
void wire_expect_closed(int fd);
void wire_expect_silence(int fd);

/* A command and its reply. Return: 0, or the negative errno in it. */
int wire_call(int fd, uint16_t command, const void *payload, size_t len, struct message *reply);

int wire_feature(int fd, uint32_t flags, const void *data, size_t len, uint32_t argsz,
		 struct message *reply);
int wire_set_state(int fd, uint32_t state);
uint32_t wire_state(int fd);
int wire_reset(int fd);
int wire_read_region(int fd, uint32_t region, uint64_t at, void *to, uint32_t len);
int wire_write_region(int fd, uint32_t region, uint64_t at, const void *from, uint32_t len);
uint64_t wire_reg64(int fd, uint64_t at);
/* @size: in: to ask for; out: to be had. */
int wire_data_read(int fd, void *to, uint32_t *size);
int wire_data_write(int fd, const void *from, uint32_t size);

/* Bytes of a stream. */
struct stream {
	uint8_t *p;
	size_t len;
};

/* Append what there is until a read gives nothing. @chunk: of one read */
void stream_read(int fd, struct stream *s, uint32_t chunk);
/* RUNNING -> STOP_COPY, all of it, and back to STOP. */
void stream_save(int fd, struct stream *s);
/* To RESUMING, all of it, and to STOP. Return: what the last step said. */
int stream_load(int fd, const struct stream *s, uint32_t chunk);
void stream_done(struct stream *s);
