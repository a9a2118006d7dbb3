# SPDX-License-Identifier: ISC
# shellcheck shell=bash

# Installs the peers' Debian packages that are missing, without leaving one
# of their services running.

policy=/usr/sbin/policy-rc.d

# Programs and their packages.
needed=(sshd:openssh-server ssh:openssh-client dropbear:dropbear-bin
	stunnel4:stunnel4 nginx:nginx-light haproxy:haproxy wrk:wrk
	openssl:openssl)

# packages_missing sets MISSING to the packages whose programs are not here.
packages_missing()
{
	local pair

	MISSING=()
	for pair in "${needed[@]}"; do
		command -v "${pair%%:*}" >/dev/null || MISSING+=("${pair#*:}")
	done
}

# policy-rc.d is asked by Debian's packages before they start a service.
policy_forbid()
{
	[[ ! -e $policy ]] || return 1
	printf '#!/bin/sh\nexit 101\n' |
		"${as_root[@]}" install -m 755 /dev/stdin "$policy"
}

services_disable()
{
	local package

	command -v systemctl >/dev/null || return 0
	for package in "$@"; do
		case $package in
		openssh-server) "${as_root[@]}" systemctl disable -q ssh ;;
		nginx-light) "${as_root[@]}" systemctl disable -q nginx ;;
		haproxy) "${as_root[@]}" systemctl disable -q haproxy ;;
		esac
	done
}

packages_install()
{
	local as_root=() ours=false status

	packages_missing
	((${#MISSING[@]} > 0)) || return 0
	((EUID == 0)) || as_root=(sudo)
	echo "bench: installing Debian packages: ${MISSING[*]}" >&2
	"${as_root[@]}" apt-get update -q >&2 || return
	policy_forbid && ours=true
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
		--no-install-recommends "${MISSING[@]}" >&2
	status=$?
	if $ours; then
		"${as_root[@]}" rm -f "$policy"
	fi
	((status == 0)) || return
	services_disable "${MISSING[@]}"
}
