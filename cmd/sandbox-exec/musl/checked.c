/* SPDX-License-Identifier: ISC */
/* The checked functions of glibc that Debian's static libraries (compiled
 * with _FORTIFY_SOURCE) call and musl does not have.  A check that fails ends
 * the program, as in glibc. */
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/select.h>

/* Reserved names: those that the compiler's headers gave the calls. */
int __sprintf_chk(char *out, int flag, size_t cap, const char *format, ...);
int __fprintf_chk(FILE *f, int flag, const char *format, ...);
void *__memcpy_chk(void *to, const void *from, size_t len, size_t cap);
long __fdelt_chk(long fd);

int
__sprintf_chk(char *out, int flag, size_t cap, const char *format, ...)
{
	va_list args;
	int n;

	(void)flag;
	va_start(args, format);
	n = vsnprintf(out, cap, format, args);
	va_end(args);
	if (n >= 0 && (size_t)n >= cap)
		__builtin_trap();
	return n;
}

int
__fprintf_chk(FILE *f, int flag, const char *format, ...)
{
	va_list args;
	int n;

	(void)flag;
	va_start(args, format);
	n = vfprintf(f, format, args);
	va_end(args);
	return n;
}

void *
__memcpy_chk(void *to, const void *from, size_t len, size_t cap)
{
	if (len > cap)
		__builtin_trap();
	return memcpy(to, from, len);
}

long
__fdelt_chk(long fd)
{
	if (fd < 0 || fd >= FD_SETSIZE)
		__builtin_trap();
	return fd / (long)(8 * sizeof(long));
}

/* musl leaves relocated constants writable in a static program.  This one is
 * linked for address 0, so where its head is is what its addresses lack. */
__attribute__((constructor)) static void
protect_relocated(void)
{
	extern const Elf64_Ehdr __ehdr_start
	    __attribute__((visibility("hidden")));
	const Elf64_Phdr *h = (const void *)getauxval(AT_PHDR);
	uintptr_t page = (uintptr_t)getauxval(AT_PAGESZ);

	for (unsigned long n = getauxval(AT_PHNUM); n > 0; n--, h++) {
		uintptr_t start = (uintptr_t)&__ehdr_start + h->p_vaddr;

		if (h->p_type == PT_GNU_RELRO)
			mprotect((void *)(start & -page), (start +
			    h->p_memsz - (start & -page)) & -page,
			    PROT_READ);
	}
}
