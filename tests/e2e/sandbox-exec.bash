# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here or by the helpers

# For tests of sandbox-exec: each statement is tried as root and as an
# ordinary user, so far as this test is root.

# setup_file_sandbox sets SX_DIR: a directory that everybody can reach, with
# the program and what emulates a host without namespaces; and SX_USER,
# an ordinary user, unless that is a number already.  Files of tests run beside
# each other, and each ends with its own.
setup_file_sandbox()
{
	SX_DIR=$(mktemp -d /tmp/sandbox-test.XXXXXX)
	export SX_DIR
	chmod 755 "$SX_DIR"
	cp "$BIN/sandbox-exec" "$SX_DIR/"
	"${CC:-cc}" -D_GNU_SOURCE -o "$SX_DIR/refuse" "$ROOT/tests/fakes/refuse-namespaces.c" \
		-lseccomp
	if ((EUID == 0)) && [[ ! ${SX_USER-} ]]; then
		export SX_USER=sandbox-test-$BASHPID SX_ADDED=1
		useradd --system --no-create-home --shell /usr/sbin/nologin \
			"$SX_USER"
	fi
}

teardown_file_sandbox()
{
	if [[ ${SX_ADDED-} ]]; then
		# A process of it may be on its way out yet.
		userdel --force "$SX_USER"
	fi
	rm -rf "$SX_DIR"
}

# sandbox_setup sets SX, the program; W, a directory of the present user's
# that is empty.
sandbox_setup()
{
	tool_setup
	SX=$SX_DIR/sandbox-exec
	be_self
}

sandbox_teardown()
{
	local status=0

	tool_teardown || status=$?
	rm -rf "$SX_DIR"/w.*
	return "$status"
}

new_workspace()
{
	W=$(mktemp -d "$SX_DIR/w.XXXXXX")
	((${#AS[@]} == 0)) || chown "$SX_USER" "$W"
	cd "$W" || return 1
}

be_self()
{
	AS=()
	WHO=$(id -un)
	new_workspace
}

be_user()
{
	AS=(setpriv "--reuid=$SX_USER" "--regid=$SX_USER"
		--clear-groups)
	WHO=$SX_USER
	new_workspace
}

# as COMMAND...: on the host, as the present user.
as()
{
	"${AS[@]}" "$@"
}

# each FUNCTION [ARGUMENT...]: runs it as the present user and, if that is
# root, as the ordinary one.
each()
{
	be_self
	echo "# as $WHO"
	"$@"
	((EUID == 0)) || return 0
	be_user
	echo "# as $WHO"
	"$@"
	be_self
}

# sx STATUS ARGUMENT...: runs sandbox-exec, which must end so.
sx()
{
	local want=$1

	shift
	if ((want == 127)); then
		# bats warns of a 127 that it was not told of.
		run -127 --separate-stderr "${AS[@]}" "$SX" "$@" </dev/null
	else
		run_tool "$want" "${AS[@]}" "$SX" "$@"
	fi
}

# count_named NAME: processes called so.
count_named()
{
	local n

	n=$(pgrep -cx -- "$1") || (($? == 1)) || return
	echo "$n"
}

is_none_named() { (($(count_named "$1") == 0)); }
is_all_named() { (($(count_named "$1") == $2)); }
