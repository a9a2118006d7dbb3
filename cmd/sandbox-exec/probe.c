/* SPDX-License-Identifier: ISC */
#include "cmd/sandbox-exec/probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/sandbox-exec/userns.h"
#include "common/io.h"
#include "common/sock.h"
#include "common/str.h"

enum { IPPROTO_MPTCP_NUMBER = 262, DISCARD_PORT = 9 };

static bool
opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	bool ok = fd != -1;

	io_close(&fd);
	return ok;
}

static bool
refuses_system_write(const struct policy *p)
{
	(void)p;
	return !opened("/usr/sandbox-exec-probe", O_WRONLY | O_CREAT) &&
	    !opened("/etc/sandbox-exec-probe", O_WRONLY | O_CREAT) &&
	    !opened("/sandbox-exec-probe", O_WRONLY | O_CREAT);
}

static bool
refuses_kernel_settings(const struct policy *p)
{
	(void)p;
	return !opened("/proc/sys/kernel/core_pattern", O_WRONLY) &&
	    !opened("/proc/sysrq-trigger", O_WRONLY);
}

static bool
refuses_shadow(const struct policy *p)
{
	char byte;
	int fd = open("/etc/shadow", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? 0 : read(fd, &byte, 1);

	(void)p;
	io_close(&fd);
	return n <= 0;
}

static bool
refuses_capabilities(const struct policy *p)
{
	struct __user_cap_header_struct header = {
		_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct have[2] = {{0}};

	(void)p;
	return syscall(SYS_capget, &header, have) == 0 &&
	    (have[0].permitted | have[1].permitted | have[0].effective |
	    have[1].effective) == 0 &&
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static bool
refuses_namespaces(const struct policy *p)
{
	(void)p;
	return unshare(CLONE_NEWUSER) == -1 && unshare(CLONE_NEWNS) == -1;
}

static bool
refuses_mounts(const struct policy *p)
{
	(void)p;
	return mount("none", "/tmp", "tmpfs", 0, NULL) == -1 &&
	    fsopen("tmpfs", 0) == -1;
}

static bool
refuses_calls(const struct policy *p)
{
	static const long calls[] = {
		SYS_keyctl, SYS_add_key, SYS_bpf, SYS_perf_event_open,
		SYS_userfaultfd, SYS_io_uring_setup, SYS_kexec_load,
		SYS_process_vm_readv, SYS_pidfd_getfd, SYS_setns,
	};

	(void)p;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		errno = 0;
		if (syscall(calls[i], 0, 0, 0, 0, 0) != -1 ||
		    (errno != EPERM && errno != ENOSYS))
			return false;
	}
	return true;
}

/* The host may not let that be limited (userns.h). */
static bool
refuses_watches(const struct policy *p)
{
	int fds[USERNS_INOTIFY_MAX + 1];
	bool refused = false;
	size_t n = 0;

	(void)p;
	while (!refused && n <= USERNS_INOTIFY_MAX) {
		fds[n] = inotify_init1(IN_CLOEXEC);
		refused = fds[n++] == -1;
	}
	while (n > 0)
		io_close(&fds[--n]);
	return refused;
}

static bool
refuses_ptrace(const struct policy *p)
{
	(void)p;
	return ptrace(PTRACE_ATTACH, 1, NULL, NULL) == -1;
}

static bool
refuses_terminal(const struct policy *p)
{
	char byte = '\n';

	(void)p;
	return ioctl(0, TIOCSTI, &byte) == -1 && errno == EPERM;
}

/* An address that no host has (RFC 5737): only whether there is a way. */
static bool
refuses_connect(const struct policy *p)
{
	struct sock_addr a;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	(void)p;
	if (fd == -1)
		return true;
	ok = sock_parse_ip("192.0.2.1", DISCARD_PORT, &a) == 0 &&
	    connect(fd, &a.any, a.len) == 0;
	io_close(&fd);
	return !ok;
}

static bool
refuses_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);
	bool ok = fd != -1;

	io_close(&fd);
	return !ok;
}

static bool
refuses_odd_sockets(const struct policy *p)
{
	(void)p;
	return refuses_socket(AF_VSOCK, SOCK_STREAM, 0) &&
	    refuses_socket(AF_PACKET, SOCK_RAW, 0) &&
	    refuses_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) &&
	    refuses_socket(AF_ALG, SOCK_SEQPACKET, 0) &&
	    refuses_socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP_NUMBER);
}

/* Ours and init, the first, are all there is. */
static bool
refuses_processes(const struct policy *p)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	(void)p;
	if (d == NULL)
		return getppid() == 1 || getpgid(1) == -1;
	while ((entry = readdir(d)) != NULL)
		count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
	closedir(d);
	return count <= 2;
}

static bool
refuses_ipc(const struct policy *p)
{
	struct shm_info info;

	(void)p;
	/* The number of segments in this namespace: a new one has none. */
	return shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info) == -1 ||
	    info.used_ids == 0;
}

static bool
refuses_set_id(const struct policy *p)
{
	int fd = memfd_create("probe", MFD_CLOEXEC);
	bool refused = fd == -1 || fchmod(fd, S_ISUID | 0755) == -1;

	(void)p;
	io_close(&fd);
	return refused;
}

static bool
has_no_network(const struct policy *p, bool full)
{
	(void)full;
	return p->net == POLICY_NET_NONE;
}

static bool
is_not_promised(const struct policy *p, bool full)
{
	(void)p;
	(void)full;
	return false;
}

static bool
has_namespaces(const struct policy *p, bool full)
{
	(void)p;
	return full;
}

/* Datagrams by half a pair, in case other sockets are refused. */
static bool
is_reached(const char *path, int type)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int pair[2] = {-1, -1};
	bool ok = false;

	if (type == SOCK_STREAM)
		pair[0] = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	else if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == -1)
		return false;
	if (pair[0] != -1 &&
	    str_format(to.sun_path, sizeof to.sun_path, "%s", path) == 0)
		ok = connect(pair[0], (struct sockaddr *)&to, sizeof to) == 0;
	io_close(&pair[0]);
	io_close(&pair[1]);
	return ok;
}

static bool
refuses_host_sockets(const struct policy *p)
{
	(void)p;
	return !is_reached("/run/docker.sock", SOCK_STREAM) &&
	    !is_reached("/run/dbus/system_bus_socket", SOCK_STREAM) &&
	    !is_reached("/run/systemd/journal/dev-log", SOCK_DGRAM) &&
	    !is_reached("/run/systemd/notify", SOCK_DGRAM);
}

const struct probe probes[] = {
	{"files", "writing to the system's directories",
	    refuses_system_write, NULL},
	{"files", "reading password hashes", refuses_shadow, NULL},
	{"files", "making a set-user-ID file", refuses_set_id, NULL},
	{"files", "the host's service sockets", refuses_host_sockets, NULL},
	{"kernel", "changing kernel settings", refuses_kernel_settings,
	    NULL},
	{"kernel", "capabilities", refuses_capabilities, NULL},
	{"kernel", "nested namespaces", refuses_namespaces, NULL},
	{"kernel", "mounting", refuses_mounts, NULL},
	{"kernel", "calls that sandboxed code has no use for",
	    refuses_calls, NULL},
	{"kernel", "taking most of the caller's inotify instances",
	    refuses_watches, is_not_promised},
	{"processes", "seeing other processes", refuses_processes,
	    has_namespaces},
	{"processes", "tracing the init process", refuses_ptrace, NULL},
	{"processes", "the host's shared memory", refuses_ipc, NULL},
	{"terminal", "typing into the terminal", refuses_terminal, NULL},
	{"network", "reaching a host", refuses_connect, has_no_network},
	{"network", "raw, packet, VM and multipath sockets",
	    refuses_odd_sockets, NULL},
};
const size_t probe_count = sizeof probes / sizeof *probes;
