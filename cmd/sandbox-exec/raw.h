/* SPDX-License-Identifier: ISC */
/* System calls that leave errno alone: for a process that shares its memory,
 * and so errno, with one that uses it meanwhile.  As syscall(2), but the value
 * is the kernel's own: an error is a negative number. */
#ifndef ADIT_SANDBOX_RAW_H
#define ADIT_SANDBOX_RAW_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#if defined __x86_64__

static inline long
raw_call(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(number), "D"(a), "S"(b),
	    "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return ret;
}

#elif defined __aarch64__

static inline long
raw_call(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2),
	    "r"(x3), "r"(x4) : "memory", "cc");
	return x0;
}

#else
#error "how this processor is asked for a system call"
#endif

/* Writes all of text to a small file of /proc; path is relative to dir_fd.
 * Returns 0, or a positive error number. */
static inline int
raw_write_file(int dir_fd, const char *path, const char *text, size_t len)
{
	long fd = raw_call(SYS_openat, dir_fd, (long)(uintptr_t)path,
	    O_WRONLY | O_CLOEXEC, 0, 0);
	long n;

	if (fd < 0)
		return (int)-fd;
	n = raw_call(SYS_write, fd, (long)(uintptr_t)text, (long)len, 0, 0);
	raw_call(SYS_close, fd, 0, 0, 0, 0);
	return n < 0 ? (int)-n : 0;
}

#endif
