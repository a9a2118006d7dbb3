/* SPDX-License-Identifier: ISC */

/* Writes the TLS ClientHello that OpenSSL sends for the host name HOST to
 * stdout.  A router that reads the server name and never looks further takes
 * it for the start of a TLS connection; what follows can be any bytes. */

#include <stdio.h>

#include <openssl/ssl.h>

int
main(int argc, char **argv)
{
	const char *hello;

	if (argc != 2) {
		fprintf(stderr, "hello: expected HOST\n");
		return 2;
	}
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	if (ssl == NULL || in == NULL || out == NULL)
		return 1;
	SSL_set_bio(ssl, in, out);
	if (SSL_set_tlsext_host_name(ssl, argv[1]) != 1)
		return 1;
	/* With nothing to read the handshake stops after its first flight. */
	SSL_connect(ssl);
	long hello_len = BIO_get_mem_data(out, &hello);
	size_t n = fwrite(hello, 1, (size_t)hello_len, stdout);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return n == (size_t)hello_len && n > 0 && fflush(stdout) == 0 ? 0 : 1;
}
