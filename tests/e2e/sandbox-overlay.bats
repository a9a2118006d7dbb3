#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154,SC2016

# --overlay: what the command changes stays apart until it is committed.

load helpers
load sandbox-attack

setup()
{
	tool_setup
	requires userns
	umask 022
	chmod 755 "$T"
	W=$T/ws
	mkdir -p "$W/dir" "$W/gone"
	echo one >"$W/file"
	echo two >"$W/dir/two"
	echo three >"$W/gone/three"
	ln -s file "$W/link"
}

# overlaid OPTION... -- COMMAND...: in the workspace.
overlaid()
{
	"$BIN/sandbox-exec" --overlay "$W" --workdir "$W" "$@"
}

edit='echo more >>file; rm -r gone; rm dir/two; echo new >dir/new;
	mkdir made; echo deep >made/deep; ln -sf /etc/passwd link'

# only_workspace: nothing but it was left beside it.
only_workspace()
{
	eq "$(cd "$T" && find . -maxdepth 1 -name '.sandbox-exec*')" ''
}

@test "overlay: the command sees its writes, the host does not" {
	run_tool 0 overlaid -- sh -c "$edit; cat file; ls dir made"
	eq "$output" $'one\nmore\ndir:\nnew\n\nmade:\ndeep'
	eq "$(cat "$W/file")" one
	eq "$(cd "$W" && find . | sort | tr '\n' ' ')" \
		'. ./dir ./dir/two ./file ./gone ./gone/three ./link '
	only_workspace
}

@test "overlay: --diff lists deletions first and leaves nothing" {
	run_tool 0 overlaid --diff -- sh -c "$edit"
	eq "$output" "$(printf '%s\t%s\n' D "$W/dir/two" D "$W/gone/" \
		A "$W/dir/new" M "$W/file" M "$W/link" A "$W/made/" \
		A "$W/made/deep")"
	eq "$(cat "$W/file")" one
	only_workspace
}

@test "overlay: --diff --json is an object a line" {
	requires jq
	run_tool 0 overlaid --diff --json -- sh -c "$edit"
	eq "$(jq -r '.change + " " + .type + " " + .path' <<<"$output" |
		head -n 3)" $'deleted file dir/two\ndeleted directory gone\nadded file dir/new'
}

@test "overlay: --diff --json loses no byte of a name" {
	requires jq
	run_tool 0 overlaid --diff --json -- sh -c 'echo >"$(printf "a\200")"
		echo >"$(printf "a\303\244")"'
	eq "$(jq -r '.path + " " + .path_hex' <<<"$output")" \
		$'a\xef\xbf\xbd 6180\na\xc3\xa4 '
}

# The pipe is the command's as well: it is full, and nobody waits any more who
# writes to it.
fill='use Fcntl; mkdir "made";
	for my $h (*STDOUT, *STDERR) {
		fcntl $h, F_SETFL, O_WRONLY | O_NONBLOCK;
		1 while syswrite $h, "." x 4096;
		1 while syswrite $h, ".";
	}'

command_is_over()
{
	compgen -G "$T/.sandbox-exec-*" >/dev/null && ! pgrep -P "${PID[box]}" >"$T/children"
}

@test "overlay: a command cannot suppress the diff, nor what is said to it" {
	local fifo=$T/fifo hold

	mkfifo "$fifo"
	exec {hold}<>"$fifo"
	"$BIN/sandbox-exec" --overlay "$W" --workdir "$W" --diff --commit -- \
		perl -e "$fill; mkdir '.vscode'" </dev/null >"$fifo" 2>&1 3>&- &
	PID[box]=$!
	wait_until command_is_over
	cat <"$fifo" >"$T/read" 3>&- {hold}>&- &
	PID[reader]=$!
	exec {hold}>&-
	wait_exit box
	eq "$STATUS" 1
	wait_exit reader
	eq "$(sed 's/^\.*\([^.]\)/\1/' "$T/read" | head -n 3)" "A	$W/.vscode/	(a protected name)
A	$W/made/
sandbox-exec: $W/.vscode: a protected name"
}

@test "overlay: a diff that cannot be written is an error" {
	requires full
	bash -c '"$@" >/dev/full' - "$BIN/sandbox-exec" --overlay "$W" \
		--workdir "$W" --diff -- mkdir made 2>"$T/err" || STATUS=$?
	eq "$STATUS" 1
	eq "$(<"$T/err")" 'sandbox-exec: standard output: No space left on device'
	only_workspace
}

@test "overlay: a name cannot forge a line of the diff" {
	run_tool 0 overlaid --diff -- sh -c 'touch "$(printf "a\nD\tb\033[2J")"'
	eq "$output" "A	$W/a\\x0aD\\x09b\\x1b[2J"
}

# A terminal takes U+009B for the start of a control sequence, some the byte
# alone; U+202E turns what follows around.
@test "overlay: a name cannot steer a terminal that shows the diff" {
	local name want

	while read -r name want; do
		run_tool 0 overlaid --diff -- sh -c "touch \"\$(printf '$name')\""
		eq "$output" "A	$W/$want"
	done <<-'END'
	\302\2332J \xc2\x9b2J
	\2332J \x9b2J
	\342\200\256gnp.exe \xe2\x80\xaegnp.exe
	a\342\200 a\xe2\x80
	a\134x0ab a\x5cx0ab
	\303\244 ä
	END
}

@test "overlay: a name cannot steer a terminal that is told why there is no commit" {
	local name want

	while read -r name want; do
		run_tool 1 overlaid --changes "$T/kept" --commit -- sh -c \
			"name=\$(printf '$name'); mkdir \"\$name\" && echo x >\"\$name/.envrc\""
		[[ $stderr == *"$W/$want/.envrc: a protected name"* ]]
		run_tool 0 overlaid --changes "$T/kept" --discard
	done <<-'END'
	\302\2332J \xc2\x9b2J
	\2332J \x9b2J
	\342\200\256gnp.exe \xe2\x80\xaegnp.exe
	\303\244 ä
	END
}

@test "overlay: --commit makes the changes" {
	run_tool 0 overlaid --commit -- sh -c "$edit; chmod 4755 file || true"
	eq "$(cat "$W/file")" $'one\nmore'
	eq "$(readlink "$W/link")" /etc/passwd
	eq "$(cd "$W" && find . | sort | tr '\n' ' ')" \
		'. ./dir ./dir/new ./file ./link ./made ./made/deep '
	eq "$(find "$W" -perm /6000)" ''
	eq "$(find "$W" ! -user "$(id -un)")" ''
	only_workspace
}

@test "overlay: a file becomes a directory and the other way round" {
	run_tool 0 overlaid --commit -- sh -c \
		'rm file; mkdir file; echo x >file/x; rm -r dir; echo y >dir'
	eq "$(cat "$W/file/x" "$W/dir")" $'x\ny'
}

@test "overlay: --changes keeps them for a later look and commit" {
	run_tool 0 overlaid --changes "$T/kept" -- sh -c 'echo x >>file'
	run_tool 0 overlaid --changes "$T/kept" -- sh -c 'echo y >>file'
	run_tool 0 overlaid --changes "$T/kept" --diff
	eq "$output" "M	$W/file"
	eq "$(cat "$W/file")" one
	run_tool 0 overlaid --changes "$T/kept" --commit
	eq "$(cat "$W/file")" $'one\nx\ny'
	run_tool 0 overlaid --changes "$T/kept" --diff
	eq "$output" ''
}

@test "overlay: --discard drops them" {
	run_tool 0 overlaid --changes "$T/kept" -- sh -c 'echo x >>file'
	run_tool 0 overlaid --changes "$T/kept" --discard
	run_tool 0 overlaid --changes "$T/kept" --commit --diff
	eq "$output" ''
	eq "$(cat "$W/file")" one
}

@test "overlay: a file that the host changed meanwhile refuses the commit" {
	run_tool 0 overlaid --changes "$T/kept" -- sh -c \
		'echo x >>file; echo new >other'
	echo mine >>"$W/file"
	run_tool 1 overlaid --changes "$T/kept" --commit
	[[ $stderr == *"$W/file: changed on the host since the start"* ]]
	eq "$(cat "$W/file")" $'one\nmine'
	[[ ! -e $W/other ]]
}

@test "overlay: so does one that the host removed, made or put below" {
	run_tool 0 overlaid --changes "$T/kept" -- sh -c 'echo x >>file'
	rm "$W/file"
	run_tool 1 overlaid --changes "$T/kept" --commit
	[[ $stderr == *"$W/file: removed on the host since the start"* ]]
	run_tool 0 overlaid --changes "$T/kept" --discard

	run_tool 0 overlaid --changes "$T/kept" -- sh -c 'echo x >born'
	echo y >"$W/born"
	run_tool 1 overlaid --changes "$T/kept" --commit
	eq "$(cat "$W/born")" y
	run_tool 0 overlaid --changes "$T/kept" --discard

	run_tool 0 overlaid --changes "$T/kept" -- rm -r gone
	echo y >"$W/gone/born"
	run_tool 1 overlaid --changes "$T/kept" --commit
	[[ -e $W/gone/three ]]
}

@test "overlay: a renamed file is no conflict" {
	run_tool 0 overlaid --commit --diff -- sh -c \
		'mv file dir/moved; mkdir new; mv dir/two new; mv gone went'
	eq "$(cat "$W/dir/moved" "$W/new/two" "$W/went/three")" \
		$'one\ntwo\nthree'
	[[ ! -e $W/file && ! -e $W/gone ]]
}

@test "overlay: a directory that the host removed refuses the commit" {
	run_tool 0 overlaid --changes "$T/kept" -- sh -c 'echo x >>dir/two'
	rm -r "$W/dir"
	run_tool 1 overlaid --changes "$T/kept" --commit
	[[ ! -e $W/dir ]]
}

@test "overlay: protected names are not committed, and nothing else is" {
	mkdir -p "$W/.git/hooks"
	touch "$W/.git/HEAD"
	for name in .bashrc .git/config .git/hooks/pre-commit dir/.envrc \
		.GIT/hooks/x; do
		run_tool 1 overlaid --commit --changes "$T/kept" -- sh -c \
			"mkdir -p \$(dirname $name) && echo x >$name; echo x >>file; :"
		if [[ $stderr != *'a protected name'* ]]; then
			[[ ! -e $W/$name ]]
		fi
		eq "$(cat "$W/file")" one
		run_tool 0 overlaid --changes "$T/kept" --discard
	done
}

@test "overlay: a failed command is not committed, its work is kept" {
	run_tool 3 overlaid --changes "$T/kept" --commit -- sh -c \
		'echo x >>file; exit 3'
	eq "$(cat "$W/file")" one
	run_tool 0 overlaid --changes "$T/kept" --commit
	eq "$(cat "$W/file")" $'one\nx'
}

@test "overlay: links that the command made are not followed" {
	mkdir "$T/outside"
	run_tool 0 overlaid --commit -- sh -c \
		"rm -r dir; ln -s $T/outside dir; mv file moved"
	run_tool 0 overlaid --commit -- sh -c 'rm dir; mkdir dir; echo x >dir/x'
	eq "$(ls -A "$T/outside")" ''
	# A directory that becomes a link between the run and the commit.
	run_tool 0 overlaid --changes "$T/kept" -- sh -c 'echo y >>dir/x'
	mv "$W/dir" "$W/was"
	ln -s "$T/outside" "$W/dir"
	echo x >"$T/outside/x"
	run_tool 1 overlaid --changes "$T/kept" --commit
	eq "$(cat "$T/outside/x")" x
}

@test "overlay: special files and endless depth are refused" {
	run_tool 1 overlaid --changes "$T/kept" --commit -- mkfifo pipe
	[[ $stderr == *'neither a file'* && ! -e $W/pipe ]]
	run_tool 0 overlaid --changes "$T/kept" --discard
	run_tool 1 overlaid --changes "$T/kept" --commit -- sh -c \
		'i=0; while [ $i -lt 300 ]; do mkdir d && cd d || exit; i=$((i+1)); done'
	[[ ! -e $W/d ]]
	run_tool 0 overlaid --changes "$T/kept" --discard
	eq "$(ls -A "$T/kept")" ''
}

@test "overlay: directories that the command made unreadable go too" {
	run_tool 0 overlaid --diff -- sh -c \
		'mkdir -p locked/in; touch locked/in/f; chmod 500 locked/in'
	only_workspace
}

@test "overlay: the changes cannot be where the command writes" {
	run_tool 125 overlaid --changes "$W/kept" -- true
	run_tool 125 overlaid --rw "$T" --changes "$T/kept" -- true
	mkdir -m 777 "$T/open"
	run_tool 125 overlaid --changes "$T/open" -- true
}

@test "overlay: one run at a time uses the changes" {
	start_bg first "$BIN/sandbox-exec" --overlay "$W" --changes "$T/kept" -- \
		sh -c 'echo ready >&2; exec tail -f /dev/null'
	wait_until is_file "$T/kept"
	wait_until has_line "$T/first.err" ready
	run_tool 125 overlaid --changes "$T/kept" -- true
	[[ $stderr == *'in use'* ]]
}

# unchanged: the workspace is what it was.
unchanged()
{
	eq "$(cd "$W" && find . | sort | tr '\n' ' ')" \
		'. ./dir ./dir/two ./file ./gone ./gone/three ./link '
	eq "$(cat "$W/file" "$W/dir/two")" $'one\ntwo'
}

# A limit stands for a disk that is full.
@test "overlay: what there is no room for is not committed, and nothing else is" {
	run_tool 0 overlaid --changes "$T/kept" -- sh -c "$edit
		yes | head -c 300000 >made/large"
	run_tool 1 bash -c 'ulimit -f 100; exec "$@"' - "$BIN/sandbox-exec" \
		--overlay "$W" --changes "$T/kept" --commit
	[[ $stderr == *"$W/made/large: commit: File too large"* ]]
	unchanged
	run_tool 0 overlaid --changes "$T/kept" --commit
	eq "$(cat "$W/file")" $'one\nmore'
	eq "$(stat -c %s "$W/made/large")" 300000
	eq "$(cd "$W" && find . | sort | tr '\n' ' ')" \
		'. ./dir ./dir/new ./file ./link ./made ./made/deep ./made/large '
}

@test "overlay: nor what the directory's owner has closed" {
	local as=()

	if ((EUID == 0)); then
		make_user
		chown -R "$USER_ID:$USER_ID" "$W"
		as=("${AS_USER[@]}")
	else
		BOX=$BIN/sandbox-exec
	fi
	chmod 555 "$W/dir"
	chmod 777 "$T"
	for change in 'echo new >dir/new' 'rm dir/two'; do
		run_tool 0 "${as[@]}" "$BOX" --overlay "$W" --workdir "$W" \
			--changes "$T/kept" -- sh -c \
			"rm -r gone file; chmod 755 dir; $change"
		run_tool 1 "${as[@]}" "$BOX" --overlay "$W" \
			--changes "$T/kept" --commit
		[[ $stderr == *"$W/dir/"*': commit: Permission denied'* ]]
		unchanged
		run_tool 0 "${as[@]}" "$BOX" --overlay "$W" \
			--changes "$T/kept" --discard
	done
	chmod 755 "$W/dir"
}

# u::rw-,g::---,m::r--,o::---: the mode says that the group may read.
list=0x0200000001000600ffffffff04000000ffffffff10000400ffffffff20000000ffffffff

@test "overlay: who may read a file of the host's stays as it was" {
	chmod 640 "$W/file" "$W/dir/two"
	setfattr -n system.posix_acl_access -v "$list" "$W/file" ||
		skip "no access lists here"
	setfattr -n system.posix_acl_access -v "$list" "$W/dir/two"
	run_tool 0 overlaid --commit -- sh -c 'echo more >>file;
		rm dir/two; echo again >dir/two; chmod 640 dir/two'
	for f in file dir/two; do
		eq "$(getfattr -e hex --absolute-names -d -m - "$W/$f" |
			sed -n 's/^system.posix_acl_access=//p')" "$list"
	done
	eq "$(cat "$W/file" "$W/dir/two")" $'one\nmore\nagain'
}

@test "overlay: what a file leaves out is left out on the host" {
	run_tool 0 overlaid --commit -- sh -c \
		'truncate -s 1g sparse; echo end >>sparse'
	eq "$(stat -c %s "$W/sparse")" "$(((1 << 30) + 4))"
	eq "$(tail -c 4 "$W/sparse")" end
	(($(stat -c %b "$W/sparse") < 1024))
}

@test "overlay: an ordinary user's" {
	requires root
	make_user
	chown -R "$USER_ID:$USER_ID" "$W"
	mkdir -m 700 "$T/by-user"
	chown "$USER_ID:$USER_ID" "$T/by-user"
	run_tool 0 as_user "$BOX" --overlay "$W" --workdir "$W" --commit \
		--diff -- sh -c "$edit"
	eq "$(cat "$W/file")" $'one\nmore'
	eq "$(stat -c %u "$W/made/deep")" "$USER_ID"
	run_tool 0 as_user "$BOX" --overlay "$W" --workdir "$W" --changes \
		"$T/by-user/kept" -- sh -c 'echo x >>file'
	eq "$(stat -c %u "$T/by-user/kept")" "$USER_ID"
	run_tool 0 as_user "$BOX" --overlay "$W" --changes \
		"$T/by-user/kept" --discard
}
