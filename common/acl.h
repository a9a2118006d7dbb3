/* SPDX-License-Identifier: ISC */
/* Reads the access list of a file, acl(5), as the kernel gives it: with one,
 * the bits for the group in the file's mode are the most that anybody on the
 * list may do, and do not say who is on it. */
#ifndef ADIT_ACL_H
#define ADIT_ACL_H

#include "common/bytes.h"

#define ACL_ATTRIBUTE "system.posix_acl_access"

enum { ACL_LEN_MAX = 1024 };

/* Whether nobody but the file's owner, root and the user self may do anything
 * with the file by this value of ACL_ATTRIBUTE.  One that cannot be understood
 * lets everybody.  posix_acl_xattr.h of the kernel. */
bool acl_is_private(struct bytes value, uint32_t self);

#endif
