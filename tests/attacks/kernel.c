/* SPDX-License-Identifier: ISC */
/* Interfaces of the kernel that sandboxed code has no use for. */
#include "attack.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>

#define NAMESPACE_FLAG(n) ((n) | SIGCHLD)

static long
keyring(char **a)
{
	(void)a;
	return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "attack", 0, 0,
	    0);
}

static long
key_add(char **a)
{
	(void)a;
	return syscall(SYS_add_key, "user", "attack", "x", 1,
	    KEY_SPEC_USER_KEYRING);
}

static long
key_request(char **a)
{
	(void)a;
	return syscall(SYS_request_key, "user", "attack", "x",
	    KEY_SPEC_USER_KEYRING);
}

static long
bpf_map(char **a)
{
	union bpf_attr attr = {0};

	(void)a;
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = attr.value_size = 4;
	attr.max_entries = 1;
	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr);
}

static long
perf(char **a)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof attr,
		.config = PERF_COUNT_SW_TASK_CLOCK, .exclude_kernel = 1,
	};

	(void)a;
	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long
userfault(char **a)
{
	(void)a;
	return syscall(SYS_userfaultfd, O_CLOEXEC | 1);
}

static long
uring(char **a)
{
	char params[120] = {0};

	(void)a;
	return syscall(SYS_io_uring_setup, 2, params);
}

/* Waits for a child that a clone made, if any. */
static long
reap(long pid)
{
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

static long
clone_user(char **a)
{
	(void)a;
	return reap(syscall(SYS_clone, NAMESPACE_FLAG(CLONE_NEWUSER), 0, 0, 0,
	    0));
}

/* The flags are compared, not the register. */
static long
clone_user_high(char **a)
{
	(void)a;
	return reap(syscall(SYS_clone, NAMESPACE_FLAG(CLONE_NEWUSER) |
	    0x100000000ULL, 0, 0, 0, 0));
}

static long
clone3_user(char **a)
{
	struct clone_args args = {.flags = CLONE_NEWUSER,
		.exit_signal = SIGCHLD};

	(void)a;
	return reap(syscall(SYS_clone3, &args, sizeof args));
}

static long
unshare_user(char **a)
{
	(void)a;
	return unshare(CLONE_NEWUSER);
}

static long
unshare_mount(char **a)
{
	(void)a;
	return unshare(CLONE_NEWNS);
}

static long
unshare_net(char **a)
{
	(void)a;
	return unshare(CLONE_NEWUSER | CLONE_NEWNET);
}

static long
unshare_time(char **a)
{
	(void)a;
	return unshare(0x80);
}

static long
setns_init(char **a)
{
	int fd = open("/proc/1/ns/user", O_RDONLY);

	(void)a;
	return fd == -1 ? -1 : setns(fd, CLONE_NEWUSER);
}

static long
setns_self(char **a)
{
	int fd = open("/proc/self/ns/mnt", O_RDONLY);

	(void)a;
	return fd == -1 ? -1 : setns(fd, CLONE_NEWNS);
}

static long
mount_tmpfs(char **a)
{
	(void)a;
	return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static long
mount_bind(char **a)
{
	(void)a;
	return mount("/tmp", "/usr", NULL, MS_BIND, NULL);
}

static long
remount_root(char **a)
{
	(void)a;
	return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL);
}

static long
unmount(char **a)
{
	return umount2(a[0], MNT_DETACH);
}

static long
new_fs(char **a)
{
	(void)a;
	return fsopen("tmpfs", 0);
}

static long
tree_open(char **a)
{
	(void)a;
	return open_tree(AT_FDCWD, "/usr", OPEN_TREE_CLONE);
}

static long
tree_move(char **a)
{
	(void)a;
	return move_mount(AT_FDCWD, "/tmp", AT_FDCWD, "/usr", 0);
}

static long
mount_attr(char **a)
{
	struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};

	(void)a;
	return mount_setattr(AT_FDCWD, "/usr", 0, &attr, sizeof attr);
}

static long
pivot(char **a)
{
	(void)a;
	return syscall(SYS_pivot_root, "/", "/tmp");
}

static long
change_root(char **a)
{
	(void)a;
	return chroot("/tmp");
}

/* CVE-class "shocker": a file by its handle, whatever the root is. */
static long
by_handle(char **a)
{
	struct {
		struct file_handle h;
		unsigned char bytes[128];
	} handle = {.h = {.handle_bytes = 8, .handle_type = 1}};
	int fd = open("/usr", O_RDONLY);

	(void)a;
	handle.bytes[0] = 2; /* the root directory's inode of ext4 */
	return open_by_handle_at(fd, &handle.h, O_RDONLY);
}

static long
to_handle(char **a)
{
	struct {
		struct file_handle h;
		unsigned char bytes[128];
	} handle = {.h = {.handle_bytes = 128}};
	int id;

	(void)a;
	return name_to_handle_at(AT_FDCWD, "/usr", &handle.h, &id, 0);
}

static long
swap_on(char **a)
{
	(void)a;
	return syscall(SYS_swapon, "/dev/null", 0);
}

static long
quota(char **a)
{
	(void)a;
	return syscall(SYS_quotactl, 0x800001 << 8, NULL, 0, NULL);
}

static long
kexec(char **a)
{
	(void)a;
	return syscall(SYS_kexec_load, 0, 0, NULL, 0);
}

static long
kexec_file(char **a)
{
	(void)a;
	return syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0);
}

static long
module_load(char **a)
{
	(void)a;
	return syscall(SYS_init_module, "", 0, "");
}

static long
module_file(char **a)
{
	(void)a;
	return syscall(SYS_finit_module, 0, "", 0);
}

static long
module_remove(char **a)
{
	(void)a;
	return syscall(SYS_delete_module, "no-such-module", O_NONBLOCK);
}

static long
boot(char **a)
{
	(void)a;
	return syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
	    LINUX_REBOOT_CMD_CAD_OFF, NULL);
}

static long
host_name(char **a)
{
	(void)a;
	return sethostname("attack", 6);
}

static long
domain_name(char **a)
{
	(void)a;
	return setdomainname("attack", 6);
}

/* Both set the time to what it is. */
static long
time_set(char **a)
{
	struct timeval now;

	(void)a;
	gettimeofday(&now, NULL);
	return settimeofday(&now, NULL);
}

static long
clock_set(char **a)
{
	struct timespec now;

	(void)a;
	clock_gettime(CLOCK_REALTIME, &now);
	return clock_settime(CLOCK_REALTIME, &now);
}

static long
clock_tune(char **a)
{
	struct timex t = {.modes = ADJ_FREQUENCY};

	(void)a;
	return adjtimex(&t);
}

static long
accounting(char **a)
{
	(void)a;
	return acct(NULL);
}

static long
kernel_log(char **a)
{
	char line[64];

	(void)a;
	return syscall(SYS_syslog, 3, line, sizeof line);
}

#ifdef __x86_64__
static long
io_ports(char **a)
{
	(void)a;
	return syscall(SYS_iopl, 3);
}

static long
segment(char **a)
{
	char ldt[16] = {0};

	(void)a;
	return syscall(SYS_modify_ldt, 1, ldt, sizeof ldt);
}

/* The other tables of system calls. */
static long
int80(char **a)
{
	long r;

	(void)a;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory");
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}

static long
x32(char **a)
{
	(void)a;
	return syscall(0x40000000 | SYS_getpid);
}
#endif

static long
seccomp_off(char **a)
{
	(void)a;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_DISABLED, 0, 0, 0);
}

static long
privileges_again(char **a)
{
	(void)a;
	return prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static long
secure_bits(char **a)
{
	(void)a;
	return prctl(PR_SET_SECUREBITS, 0, 0, 0, 0);
}

static long
capabilities(char **a)
{
	struct __user_cap_header_struct header = {
		_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct all[2] = {
		{1U << CAP_SYS_CHROOT, 1U << CAP_SYS_CHROOT, 0}, {0}};

	(void)a;
	return syscall(SYS_capset, &header, all);
}

static long
ambient(char **a)
{
	(void)a;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0,
	    0);
}

static long
bounding(char **a)
{
	(void)a;
	errno = EPERM;
	return prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 1 ? 0 : -1;
}

static long
limit_raise(char **a)
{
	struct rlimit l = {RLIM_INFINITY, RLIM_INFINITY};
	__rlimit_resource_t resource = (__rlimit_resource_t)atoi(a[0]);

	if (setrlimit(resource, &l) != 0 || getrlimit(resource, &l) != 0)
		return -1;
	errno = EPERM;
	return l.rlim_cur == RLIM_INFINITY ? 0 : -1;
}

static long
nicer(char **a)
{
	(void)a;
	return setpriority(PRIO_PROCESS, 0, -10);
}

static long
realtime(char **a)
{
	struct sched_param p = {.sched_priority = 1};

	(void)a;
	return sched_setscheduler(0, SCHED_FIFO, &p);
}

/* Types into a terminal of its own: the number is compared in 32 bits. */
static long
terminal(char **a)
{
	unsigned long request = strcmp(a[0], "sti") == 0 ? TIOCSTI :
	    strcmp(a[0], "linux") == 0 ? TIOCLINUX :
	    strcmp(a[0], "cons") == 0 ? TIOCCONS : TIOCSETD;
	int outer, inner, line = 0;
	char c = 'x';

	if (openpty(&outer, &inner, NULL, NULL, NULL) != 0)
		return -1;
	if (a[1] != NULL)
		request |= 1UL << 32;
	setsid();
	ioctl(inner, TIOCSCTTY, 0);
	return syscall(SYS_ioctl, inner, request, request == TIOCSETD ?
	    (void *)&line : (void *)&c);
}

static long
secret_memory(char **a)
{
	(void)a;
	return syscall(447, 0);
}

static long
watch_all(char **a)
{
	(void)a;
	return syscall(SYS_fanotify_init, 0, O_RDONLY);
}

/* A call that is younger than the filter. */
static long
unknown_call(char **a)
{
	(void)a;
	return syscall(467, -1, "", 0, NULL, 0);
}

/* Any call by its number, with arguments that are wrong for each. */
static long
call(char **a)
{
	return syscall(atoi(a[0]), -1L, -1L, -1L, -1L, -1L, -1L);
}

/* A namespace of a process by way of its descriptor, Linux 6.11. */
static long
pidfd_namespace(char **a)
{
	int fd = (int)syscall(SYS_pidfd_open, atoi(a[0]), 0);

	return fd == -1 ? -1 : ioctl(fd, _IO(0xff, atoi(a[1])), 0);
}

/* What a namespace is below of, and which mounts others have. */
static long
namespace_ioctl(char **a)
{
	char path[64], room[64] = "";

	snprintf(path, sizeof path, "/proc/self/ns/%s", a[0]);
	return ioctl(open(path, O_RDONLY), strtoul(a[1], NULL, 0), room);
}

/* An ioctl of a file or of the file system that it is in. */
static long
file_ioctl(char **a)
{
	char room[256] = "";

	return ioctl(open(a[0], O_RDONLY), strtoul(a[1], NULL, 0), room);
}

/* Without a reserve the map is made even if the machine has none. */
static long
huge_map(char **a)
{
	(void)a;
	return mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE |
	    MAP_ANONYMOUS | MAP_NORESERVE | MAP_HUGETLB, -1, 0) ==
	    MAP_FAILED ? -1 : 0;
}

static long
huge_file(char **a)
{
	(void)a;
	return syscall(SYS_memfd_create, "x", 4 /* MFD_HUGETLB */);
}

static long
huge_segment(char **a)
{
	(void)a;
	return syscall(SYS_shmget, 0 /* IPC_PRIVATE */, 2 << 20, 04000 |
	    01000 | 0600 /* SHM_HUGETLB | IPC_CREAT */);
}

const struct attack kernel_attacks[] = {
	{"keyring", keyring}, {"key-add", key_add}, {"huge-map", huge_map},
	{"huge-file", huge_file}, {"huge-segment", huge_segment},
	{"key-request", key_request}, {"bpf", bpf_map}, {"perf", perf},
	{"userfaultfd", userfault}, {"io-uring", uring},
	{"clone-user", clone_user}, {"clone-user-high", clone_user_high},
	{"clone3-user", clone3_user}, {"unshare-user", unshare_user},
	{"unshare-mount", unshare_mount}, {"unshare-net", unshare_net},
	{"unshare-time", unshare_time}, {"setns-init", setns_init},
	{"setns-self", setns_self}, {"mount-tmpfs", mount_tmpfs},
	{"mount-bind", mount_bind}, {"remount-root", remount_root},
	{"unmount", unmount}, {"fsopen", new_fs}, {"open-tree", tree_open},
	{"move-mount", tree_move}, {"mount-setattr", mount_attr},
	{"pivot-root", pivot}, {"chroot", change_root},
	{"open-by-handle", by_handle}, {"name-to-handle", to_handle},
	{"swapon", swap_on}, {"quotactl", quota}, {"kexec", kexec},
	{"kexec-file", kexec_file}, {"module-load", module_load},
	{"module-file", module_file}, {"module-remove", module_remove},
	{"reboot", boot}, {"hostname", host_name},
	{"domainname", domain_name}, {"settimeofday", time_set},
	{"clock-settime", clock_set}, {"adjtimex", clock_tune},
	{"acct", accounting}, {"syslog", kernel_log},
#ifdef __x86_64__
	{"iopl", io_ports}, {"modify-ldt", segment}, {"int80", int80},
	{"x32", x32},
#endif
	{"seccomp-off", seccomp_off}, {"new-privileges", privileges_again},
	{"securebits", secure_bits}, {"capset", capabilities},
	{"ambient", ambient}, {"bounding", bounding},
	{"rlimit", limit_raise}, {"nice", nicer}, {"realtime", realtime},
	{"terminal", terminal}, {"memfd-secret", secret_memory},
	{"fanotify", watch_all}, {"unknown-call", unknown_call},
	{"call", call}, {"pidfd-namespace", pidfd_namespace},
	{"namespace", namespace_ioctl}, {"ioctl", file_ioctl},
	{NULL, NULL},
};
