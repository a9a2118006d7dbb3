# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2154 # set by the helpers

# mcp-proxy cert: what it makes, openssl(1) accepts; what is wrong, it finds.

load helpers.bash

cert()
{
	run_tool "$1" "$BIN/mcp-proxy" cert "${@:2}"
}

sha() { sha256sum "$T/d/$1"; }

# days_left PATH N: cert check has said so; a second may have passed since.
days_left()
{
	[[ $output == *"$1: $2 days left"* ||
		$output == *"$1: $(($2 - 1)) days left"* ]]
}

@test "cert make makes a CA and a certificate that openssl verifies" {
	requires openssl
	cert 0 make --dir "$T/d" --domain t.example --name extra.example \
		--name 127.0.0.1
	eq "$output" "$(printf "$T/d/%s\n" ca.crt ca.key tls.crt tls.key)"
	eq "$(stat -c '%a %n' "$T"/d/*.key | cut -d' ' -f1 | uniq)" 600
	eq "$(stat -c %a "$T/d")" 700
	openssl verify -x509_strict -purpose sslserver -CAfile "$T/d/ca.crt" \
		-verify_hostname docs.t.example "$T/d/tls.crt"
	for name in t.example extra.example; do
		openssl verify -CAfile "$T/d/ca.crt" -verify_hostname "$name" \
			"$T/d/tls.crt"
	done
	openssl verify -CAfile "$T/d/ca.crt" -verify_ip 127.0.0.1 "$T/d/tls.crt"
	run -2 openssl verify -CAfile "$T/d/ca.crt" \
		-verify_hostname a.docs.t.example "$T/d/tls.crt"
	run -0 openssl x509 -in "$T/d/tls.crt" -noout -checkend $((89 * 86400))
	run -1 openssl x509 -in "$T/d/tls.crt" -noout -checkend $((91 * 86400))
	run -0 openssl x509 -in "$T/d/ca.crt" -noout -checkend $((1825 * 86400))
}

@test "cert make uses the CA that is there and keeps a certificate" {
	cert 0 make --dir "$T/d" --domain t.example
	ca=$(sha ca.crt) tls=$(sha tls.crt)
	cert 1 make --dir "$T/d" --domain u.example
	one_error 'tls.crt or tls.key exists'
	eq "$(sha tls.crt)" "$tls"
	cert 0 make --dir "$T/d" --domain u.example --force
	eq "$output" "$(printf "$T/d/%s\n" tls.crt tls.key)"
	eq "$(sha ca.crt)" "$ca"
	[[ $(sha tls.crt) != "$tls" ]]
	cert 0 check --cert "$T/d/tls.crt" --key "$T/d/tls.key" \
		--ca "$T/d/ca.crt" --domain u.example
}

@test "cert make does not make half a CA whole" {
	cert 0 make --dir "$T/d" --domain t.example
	rm "$T/d/ca.key"
	cert 1 make --dir "$T/d" --domain t.example --force
	one_error 'ca.key: No such file or directory'
}

@test "cert make can make an RSA key of 4096 bits" {
	requires openssl
	cert 0 make --dir "$T/d" --domain t.example --key rsa4096 --days 7
	[[ $(openssl x509 -in "$T/d/tls.crt" -noout -text) == \
		*"Public-Key: (4096 bit)"* ]]
	cert 0 check --cert "$T/d/tls.crt" --key "$T/d/tls.key" \
		--ca "$T/d/ca.crt"
	days_left "$T/d/tls.crt" 7
}

@test "cert renew does nothing until the end is near" {
	requires openssl
	cert 0 make --dir "$T/d" --domain t.example --name x.example --days 40
	old=$(sha tls.crt)
	cert 0 renew --dir "$T/d"
	eq "$output" ""
	eq "$(sha tls.crt)" "$old"
	cert 0 renew --dir "$T/d" --before 41d
	eq "$output" "$(printf "$T/d/%s\n" tls.crt tls.key)"
	[[ $(sha tls.crt) != "$old" ]]
	openssl verify -CAfile "$T/d/ca.crt" -verify_hostname x.example \
		"$T/d/tls.crt"
	cert 0 check --cert "$T/d/tls.crt" --key "$T/d/tls.key" \
		--ca "$T/d/ca.crt" --domain t.example
	eq "${#lines[@]}" 2
	days_left "$T/d/ca.crt" 1826
	days_left "$T/d/tls.crt" 90
}

@test "cert check prints what is wrong and exits 1" {
	cert 0 make --dir "$T/d" --domain t.example
	cert 0 make --dir "$T/e" --domain t.example
	cert 1 check --cert "$T/d/tls.crt" --key "$T/e/tls.key" \
		--ca "$T/e/ca.crt" --domain other.example
	eq "$(printf '%s\n' "${lines[@]:0:4}")" \
		"$T/d/tls.crt: no name covers hosts of other.example, \
such as *.other.example
$T/d/tls.crt: not signed directly by the CA of $T/e/ca.crt
$T/d/tls.crt: AuthorityKeyIdentifier is not the SubjectKeyIdentifier of \
$T/e/ca.crt
$T/e/tls.key: does not belong to $T/d/tls.crt"
	days_left "$T/e/ca.crt" 1826
	days_left "$T/d/tls.crt" 90
	eq "$stderr" ""
}

@test "cert check judges certificates that others made" {
	requires openssl
	make_certs "$T/o" docs.t.example
	cert 1 check --cert "$T/o/server.pem" --key "$T/o/server.key" \
		--ca "$T/o/ca.pem" --domain u.example
	eq "${lines[0]}" "$T/o/server.pem: no name covers hosts of u.example, \
such as *.u.example"
	eq "${#lines[@]}" 3
}

@test "cert tells wrong use from failure" {
	for args in "" "mak" "make --dir $T/d" "make --domain t.example" \
		"make --dir $T/d --domain 1.2.3.4" \
		"make --dir $T/d --domain t.example --key dsa" \
		"make --dir $T/d --domain t.example --days 0" \
		"make --dir $T/d --domain t.example operand" "renew" \
		"check --cert x"; do
		# shellcheck disable=SC2086 # words
		cert 2 $args
		[[ ${stderr_lines[1]} == "Try 'mcp-proxy cert"* ]]
		[[ ! -e $T/d ]]
	done
	cert 2
	eq "${stderr_lines[0]}" 'mcp-proxy: a command is required'
	cert 2 mak
	eq "${stderr_lines[0]}" "mcp-proxy: no such command 'mak'"
	cert 2 --mak
	eq "${stderr_lines[0]}" "mcp-proxy: option: '--mak': unknown"
	cert 1 renew --dir "$T/none"
	one_error 'none/tls.crt: No such file or directory'
	cert 1 make --dir "$T/no/such" --domain t.example
	one_error 'no/such: No such file or directory'
	cert 1 make --dir "$T/d" --domain t.example --name 'a b'
	one_error "'a b': no DNS name"
}

@test "cert says when its output cannot be written" {
	requires full
	# shellcheck disable=SC2016 # for the inner shell
	run_tool 1 bash -c '"$1" cert --help >/dev/full' - "$BIN/mcp-proxy"
	one_error 'standard output: No space left on device'
}
