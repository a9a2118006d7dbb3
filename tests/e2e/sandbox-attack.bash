# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154

# For tests that attack a sandbox: the programs of tests/attacks, an ordinary
# user, and tables of attempts.

# make_user: USER_ID, an id that nobody has, AS_USER, what runs a command as that
# user, and BOX, the program where it can be executed.
make_user()
{
	local dir=$T

	USER_ID=$((61000 + BASHPID % 3000))
	AS_USER=(env -u XDG_RUNTIME_DIR USER=tester setpriv
		--reuid "$USER_ID" --regid "$USER_ID" --clear-groups
		--inh-caps=-all)
	BOX=$T/sandbox-exec
	cp "$BIN/sandbox-exec" "$BOX"
	while [[ $dir == */bats* || $dir == "$T" ]]; do
		chmod a+x "$dir"
		dir=${dir%/*}
	done
}

# as_user COMMAND...
as_user()
{
	"${AS_USER[@]}" "$@"
}

as_self() { "$@"; }

# make_attack DIR: compiles tests/attacks to DIR/attack.
make_attack()
{
	"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O1 -static -o "$1/attack" \
		"$ROOT"/tests/attacks/*.c -lutil
}

# attempt_in COMMAND...: sets GOT to the last line of its output, or to what
# ended it.
attempt_in()
{
	local out status=0

	out=$("$@" </dev/null 2>/dev/null) || status=$?
	GOT=${out##*$'\n'}
	((status <= 128)) || GOT="killed by $((status - 128))"
	[[ $GOT ]] || GOT="status $status"
}

# attempts: reads a table from standard input and makes each attempt once for
# each user of USERS with OPTIONS.  A line:
#
#	what is tried: command -> expected result
#
# The command is for sh, where "attack NAME" makes an attempt of
# tests/attacks; the result is a regular expression for the last line of what
# the command prints.
attempts()
{
	local row want name command user bad=0 made=0

	while IFS= read -r row; do
		[[ $row == *' -> '* && $row != '#'* ]] || continue
		want=${row##* -> }
		row=${row% -> *}
		name=${row%%: *}
		command=${row#*: }
		for user in "${USERS[@]}"; do
			attempt_in "as_$user" "$BOX" --ro "$A" \
				--env "PATH=$A:/usr/bin:/bin:/usr/sbin:/sbin" \
				"${OPTIONS[@]}" -- sh -c "$command"
			if [[ $GOT =~ ^($want)$ ]]; then
				echo "ok: $user: $name -> $GOT"
			else
				echo "GOT THROUGH? $user: $name -> $GOT (want $want)"
				bad=$((bad + 1))
			fi
		done
		contrast "$name" "$want" "$command"
		made=$((made + 1))
	done
	((made > 0))
	((bad == 0)) || {
		echo "$bad attempts did not end as expected"
		return 1
	}
}

# The same under bubblewrap, as an ordinary user: counted, not judged.  What
# ends otherwise there need not have got through; "ok" has.
contrast()
{
	((${CONTRAST:-0})) || return 0
	attempt_in as_user timeout 10 bwrap --unshare-all --cap-drop ALL \
		--new-session --die-with-parent --ro-bind / / --dev /dev \
		--proc /proc --tmpfs /tmp --ro-bind "$A" /tmp/attacks --setenv \
		PATH "/tmp/attacks:$PATH" "${BWRAP_OPTIONS[@]}" sh -c "$3"
	if [[ $GOT =~ ^($2)$ ]]; then
		echo same >>"$BATS_FILE_TMPDIR/contrast"
	else
		echo "$1: $GOT" >>"$BATS_FILE_TMPDIR/contrast"
		echo "bwrap differs: $1 -> $GOT"
	fi
}
