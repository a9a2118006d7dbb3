/* SPDX-License-Identifier: ISC */
#include "common/credential.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "common/clock.h"
#include "common/io.h"
#include "common/str.h"

enum {
	TOKEN_RANDOM_LEN = 32,
	CERT_FILE_LEN_MAX = 256 << 10,
};

static const char token_prefix[] = "adit_";

void
credential_new_token(char out[static CREDENTIAL_TOKEN_LEN + 1])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_";
	uint8_t random[TOKEN_RANDOM_LEN + 1] = {0};
	char *at = out + sizeof token_prefix - 1;

	memcpy(out, token_prefix, sizeof token_prefix);
	random_bytes(random, TOKEN_RANDOM_LEN);
	/* 256 bits in groups of 6: 43 digits, the last two bits are zero. */
	for (size_t bit = 0; bit < TOKEN_RANDOM_LEN * 8; bit += 6) {
		uint16_t two = be16_get(random + bit / 8);

		*at++ = digits[two >> (10 - bit % 8) & 63];
	}
	*at = '\0';
	explicit_bzero(random, sizeof random);
}

struct credential
credential_of_token(struct bytes token)
{
	struct credential c;

	SHA256(token.ptr, token.len, c.digest);
	return c;
}

int
credential_of_cert_file(const char *path, struct credential *ret,
    struct error *e)
{
	unsigned int len = sizeof ret->digest;
	X509 *cert = NULL;
	struct buf b;
	BIO *bio;
	int r = -1;

	buf_init(&b, CERT_FILE_LEN_MAX);
	if (io_read_file(path, &b, e) == 0) {
		bio = BIO_new_mem_buf(buf_bytes(&b).ptr, (int)buf_len(&b));
		if (bio != NULL)
			cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		BIO_free(bio);
		if (cert == NULL ||
		    X509_digest(cert, EVP_sha256(), ret->digest, &len) != 1)
			error_set(e, "%s: no certificate in PEM", path);
		else
			r = 0;
		X509_free(cert);
		ERR_clear_error();
	}
	buf_reset(&b);
	return r;
}

bool
credential_eq(const struct credential *a, const struct credential *b)
{
	return CRYPTO_memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

const char *
credential_id(const struct credential *c,
    char out[static CREDENTIAL_ID_LEN + 1])
{
	str_hex(out, bytes_of(c->digest, CREDENTIAL_ID_LEN / 2));
	return out;
}

void
credential_format(const struct credential *c,
    char out[static 2 * CREDENTIAL_DIGEST_LEN + 1])
{
	str_hex(out, bytes_of(c->digest, sizeof c->digest));
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
credential_parse(const char *text, struct credential *ret)
{
	struct credential c;

	if (strlen(text) != 2 * sizeof c.digest)
		return -1;
	for (size_t i = 0; i < sizeof c.digest; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		c.digest[i] = (uint8_t)(high << 4 | low);
	}
	*ret = c;
	return 0;
}

bool
credential_is_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= CREDENTIAL_NAME_CAP || name[0] == '-' ||
	    name[0] == '_')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}
