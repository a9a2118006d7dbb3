# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by the helpers
# shellcheck disable=SC2016 # the sandbox's shell expands

# The policy of sandbox-exec(1): options, the policy file, what it fixes, what
# is masked and what is protected; as root and as an ordinary user.

load helpers.bash
load sandbox-exec.bash

setup_file() { setup_file_sandbox; }
teardown_file() { teardown_file_sandbox; }
setup() { sandbox_setup; }
teardown() { sandbox_teardown; }

# sx STATUS ARGUMENT...: the program as the present user, at home in $W.
sx()
{
	local want=$1

	shift
	run_tool "$want" "${AS[@]}" env HOME="$W" "$SX" "$@"
}

wrong_options()
{
	sx 125 --net sometimes true
	eq "${stderr_lines[0]}" \
		"sandbox-exec: --net: 'sometimes': not none, host or allow"
	eq "${stderr_lines[1]}" "Try 'sandbox-exec --help'."
	sx 125 --mem 1 true
	[[ ${stderr_lines[0]} == *"--mem: '1': not a size such as 64m"* ]]
	sx 125 --allow 127.1 true
	sx 125 --allow 'a..b' true
	sx 125 --net none --allow example.org true
	sx 125 --rw /does/not/exist true
	[[ ${stderr_lines[0]} == *"No such file or directory"* ]]
	as mkdir o
	sx 125 --overlay o --changes o/inner true
	[[ $stderr == *"in a directory that the command may change"* ]]
	[[ ! -e o/inner ]]
	sx 125 --diff true
	sx 125 --json true
	sx 125 --unknown true
	sx 125
	eq "${stderr_lines[0]}" "sandbox-exec: no command"
}

@test "a wrong option ends with 125 and one line that names it" {
	each wrong_options
}

policy_mistakes()
{
	printf '%s\n' 'nett: none' 'mem: 7' 'allow: [example.org, "*"]' \
		'mem: 1g' >"$W/p.yaml"
	sx 125 --policy "$W/p.yaml" true
	eq "$stderr" "sandbox-exec: $W/p.yaml:4:1: mem: given twice, first in line 2
sandbox-exec: $W/p.yaml:1:1: 'nett': unknown key; did you mean 'net'?
sandbox-exec: $W/p.yaml:2:6: mem: '7': not a size such as 64m, at least 1048576b
sandbox-exec: $W/p.yaml:3:22: allow: '*': no host name of letters, digits and hyphens"
	sx 125 --policy "$W/absent.yaml" true
	one_error 'absent.yaml: No such file'
}

@test "every mistake in a policy file is told at its place" {
	each policy_mistakes
}

policy_fixed()
{
	as mkdir work other
	printf '{"rw": ["%s/work"], "net": "none", "env": ["A=1"], "pids": 100,
		"tmpfs": ["/x:8m"], "fixed": ["all"]}' "$W" >"$SX_DIR/fixed.json"
	sx 0 --policy "$SX_DIR/fixed.json" -- sh -c 'echo $A >work/a &&
		! ls other && ! grep "Max processes *100 " /proc/self/limits'
	eq "$(cat work/a)" 1
	for looser in "--net host" "--allow example.org" "--rw $W/other" \
		"--ro $W/other" "--env A=2" "--env HOME=/" "--pids 101" \
		"--home real" "--without masks" "--without protection" \
		"--fd 3" "--overlay $W/other" "--tmpfs /x:9m" "--tmpfs /x" \
		"--tmpfs /y:2g" "--tmp-size 2g"; do
		# shellcheck disable=SC2086 # two words
		sx 125 --policy "$SX_DIR/fixed.json" $looser true
		[[ ${stderr_lines[0]} == *"the policy file fixes this"* ]]
	done
	sx 0 --policy "$SX_DIR/fixed.json" --pids 50 --ro "$W/work" \
		--tmpfs /x:4m --tmpfs /y:1g --mask '*.x' -- sh -c '! touch work/b'
}

@test "options tighten what a policy file fixes and loosen nothing" {
	each policy_fixed
}

own_policy()
{
	echo 'net: host' >"$W/p.yaml"
	sx 125 --policy "$W/p.yaml" --rw "$W" true
	[[ ${stderr_lines[0]} == *"in a directory that the command may change"* ]]
	sx 0 --policy "$W/p.yaml" --ro "$W" true
	as cp "$W/p.yaml" "$W/.sandbox-exec.yaml"
	sx 0 --policy "$W/p.yaml" --ro "$W" -- readlink /proc/self/ns/net
	eq "$output" "$(readlink /proc/self/ns/net)"
	sx 0 --rw "$W" --workdir "$W" -- readlink /proc/self/ns/net
	[[ $output != "$(readlink /proc/self/ns/net)" ]]
}

@test "a policy never comes from where the command can write" {
	each own_policy
}

masks()
{
	as mkdir -p .ssh .config/gh sub/deep
	echo secret | as tee .ssh/id .netrc .config/gh/hosts sub/deep/.env \
		sub/a.pem .bash_history >sub/plain
	as ln -s ../a.pem sub/deep/link.pem
	as chmod 000 sub/a.pem
	sx 0 --rw "$W" --mask .env --mask '*.pem' -- sh -c '
		chmod 600 sub/a.pem 2>/dev/null
		cat .ssh/* .netrc .config/gh/* sub/deep/.env sub/a.pem \
			sub/deep/link.pem .bash_history
		cat sub/plain'
	eq "$output" secret
	sx 0 --ro "$W" --ro .ssh/id -- cat .ssh/id
	eq "$output" secret
	sx 0 --ro "$W" --without masks -- cat .netrc
	eq "$output" secret
	sx 0 --home real -- sh -c 'cat ~/.netrc ~/.ssh/*; cat ~/sub/plain;
		! touch ~/new'
	eq "$output" secret
	sx 0 -- sh -c 'ls -A ~; echo x >~/new'
	eq "$output" ""
	[[ ! -e new ]]
}

@test "credentials and --mask look empty, to their owner too" {
	each masks
}

masks_behind_links()
{
	local home option

	as mkdir -p real/.aws all
	as ln -s real link
	as ln -s . up
	echo SECRET >"$SX_DIR/secret"
	as sh -c 'tee .netrc real/.netrc real/.aws/credentials' \
		<"$SX_DIR/secret" >"$SX_DIR/out"
	for home in real link up/link; do
		for option in "--home=real" "--ro=$W" "--ro=$W/link:/h" \
			"--rw=$W/up/real" "--ro=~/" "--ro=/"; do
			run_tool 0 "${AS[@]}" env HOME="$W/$home" "$SX" \
				"$option" --env HOME=/tmp -- sh -c '
				cat /h/.netrc "$1"/real/.netrc \
					"$1"/link/.aws/credentials \
					"$1/$2/.netrc" 2>/dev/null
				true' sh "$W" "$home"
			eq "$output" ''
		done
	done
}

@test "credentials are masked wherever links lead and HOME points" {
	each masks_behind_links
}

masked_grant()
{
	as mkdir sub
	as sh -c 'echo SECRET | tee .env >sub/.env'
	sx 0 --ro .env --ro sub/.env:/y/.env --mask '**/.env' -- sh -c '
		cat .env /y/.env'
	eq "$output" ''
	sx 0 --ro sub/.env --mask sub/.env -- cat sub/.env
	eq "$output" ''
	sx 0 --ro sub/.env --mask other/.env --mask env -- cat sub/.env
	eq "$output" SECRET
}

@test "--mask holds for a file that is granted itself" {
	each masked_grant
}

# masked_as MASK GRANT PATH [NAME=VALUE...]: no sandbox with this mask shows
# what is in PATH.
masked_as()
{
	run_tool 0 "${AS[@]}" env "${@:4}" "$SX" --ro "$2" --mask "$1" -- \
		sh -c 'cat "$1" 2>/dev/null; true' sh "$3"
	eq "$output" ''
	run_tool 0 "${AS[@]}" env "${@:4}" "$SX" --ro "$2" -- cat "$3"
	eq "$output" SECRET
}

# shellcheck disable=SC2088 # the tildes are sandbox-exec's
masks_by_other_names()
{
	as mkdir -p real/sub/deep 'a[b]/sub'
	echo SECRET >"$SX_DIR/secret"
	as sh -c 'tee real/f real/sub/f real/sub/deep/f "a[b]/f" \
		"a[b]/.netrc"' <"$SX_DIR/secret" >"$SX_DIR/out"
	as ln -s real link
	as ln -s real/sub/f file
	masked_as "$W/link/f" real real/f
	masked_as "$W/link/**/f" real real/sub/deep/f
	masked_as "$W/file" real real/sub/f
	masked_as '~/f' real real/f "HOME=$W/link"
	masked_as "$W/real/f" real:/x /x/f
	masked_as "$W/real" real/sub:/x /x/f
	masked_as "$W/*/f" real:/x /x/f
	masked_as "$W/**/f" real/sub:/x /x/deep/f
	masked_as 'sub/f' real/sub:/x /x/f
	masked_as sub real/sub:/x /x/f
	masked_as '~/f' 'a[b]' 'a[b]/f' "HOME=$W/a[b]"
	masked_as "$W/a\\[b]/f" 'a[b]:/x' /x/f
	run_tool 0 "${AS[@]}" env HOME="$W/a[b]" "$SX" --home real -- sh -c \
		'cat ~/.netrc && cat ~/f'
	eq "$output" SECRET
	sx 0 --ro real:/h --env HOME=/h -- sh -c 'cat ~/f; ls -A ~'
	eq "$output" SECRET$'\n'f$'\n'sub
}

@test "a mask holds by whatever name a file is granted, and through links" {
	each masks_by_other_names
}

# Nobody may list the directory, but names in it can be guessed.
masks_in_closed()
{
	local mask dir=$SX_DIR/closed

	mkdir -p "$dir/d/sub"
	echo SECRET | tee "$dir/d/.env" "$dir/d/.netrc" >"$dir/d/sub/.env"
	chmod 711 "$dir/d"
	for mask in .env d/.env "$dir/d/.env" "$dir/*/.env" d; do
		sx 0 --ro "$dir" --mask "$mask" -- sh -c '
			cat "$1/d/.env" 2>/dev/null; true' sh "$dir"
		eq "$output" ''
	done
	sx 0 --ro "$dir" --mask '**/sub/.env' -- sh -c '
		cat "$1/d/sub/.env"; cat "$1/d/.env"' sh "$dir"
	eq "$output" SECRET
	run_tool 0 "${AS[@]}" env HOME="$dir/d" "$SX" --home real -- sh -c '
		cat ~/.netrc; cat ~/.env'
	eq "$output" SECRET
	rm -r "$dir"
}

@test "masks hold in a directory that cannot be listed" {
	each masks_in_closed
}

# Its group is none of the sandbox's, so that its mode holds for what looks for
# masks; its owner can change that.
@test "no command opens a directory that was closed to the masks" {
	((EUID == 0)) || skip "needs root to give files away"
	be_user
	AS=(setpriv "--reuid=$SX_USER" "--regid=$SX_USER" --groups 4343)
	mkdir own
	echo SECRET >own/.env
	chown "$SX_USER:4343" own own/.env
	chmod 000 own
	for mask in .env "$W/own/.env" "$W/own/*"; do
		sx 125 --rw "$W" --mask "$mask" -- true
		one_error "masks: $W/own: closed, and the command could open it"
	done
	sx 125 --rw own:/x --mask .env -- true
	one_error "masks: /x: closed, and the command could open it"
	sx 0 --ro "$W" --mask .env -- sh -c '! chmod 700 own 2>/dev/null'
	sx 0 --rw "$W" -- sh -c 'chmod 700 own && cat own/.env'
	eq "$output" SECRET
}

listed_home()
{
	local in=()

	awk -F: -v OFS=: -v who="$WHO" -v home="$W" \
		'$1 == who { $6 = home } 1' /etc/passwd >"$SX_DIR/passwd"
	((EUID == 0)) || in=(--map-current-user)
	echo SECRET >"$SX_DIR/secret"
	as cp "$SX_DIR/secret" .netrc
	for home in "HOME=/tmp" "--unset=HOME"; do
		run_tool 0 unshare "${in[@]}" --mount sh -c 'mount --bind "$0" \
			/etc/passwd && exec "$@"' "$SX_DIR/passwd" \
			"${AS[@]}" env "$home" "$SX" --ro "$W" -- cat .netrc
		eq "$output" ''
	done
}

@test "the home directory that /etc/passwd names is one, whatever HOME is" {
	each listed_home
}

# in_etc DIRECTORY ARGUMENT...: where DIRECTORY is /etc, two files show what
# they have.
in_etc()
{
	run_tool 0 unshare --mount sh -c 'mount --bind "$0" /etc && exec "$@"' \
		"$1" "${AS[@]}" "$SX" "${@:2}"
	eq "$output" SECRET$'\n'SECRET
}

@test "keys and passwords in /etc are masked" {
	((EUID == 0)) || skip "needs root to put files in /etc"
	local etc=$SX_DIR/etc name as
	local usual=(shadow shadow- ssh/ssh_host_rsa_key security/opasswd)
	local any=(shadow.old gshadow.org ssh/my_key)
	local plain=(other ssh/ssh_host_rsa_key.pub)

	mkdir -p "$etc/ssh" "$etc/security"
	for name in "${usual[@]}" "${any[@]}" "${plain[@]}"; do
		echo SECRET >"$etc/$name"
	done
	for as in "" "setpriv --reuid=4242 --regid=4242 --clear-groups"; do
		read -ra AS <<<"$as"
		in_etc "$etc" -- cat "${usual[@]/#//etc/}" \
			"${plain[@]/#//etc/}"
		in_etc "$etc" --ro /etc -- cat "${usual[@]/#//etc/}" \
			"${any[@]/#//etc/}" "${plain[@]/#//etc/}"
		in_etc "$etc" --ro /etc:/x -- cat "${usual[@]/#//x/}" \
			"${any[@]/#//x/}" "${plain[@]/#//x/}"
	done
}

odd_homes()
{
	local home

	for home in /usr /usr/src/app /etc/x /bin /proc/x /dev/null \
		/var/run/x /lib64; do
		run_tool 0 "${AS[@]}" env HOME="$home" "$SX" -- sh -c '
			test -x /bin/ls && cd && : >x &&
			test "$HOME" = "$PWD" -a "$HOME" != "$1"' \
			sh "$home"
	done
	run_tool 0 "${AS[@]}" env HOME=/usr/share "$SX" --home real -- \
		sh -c 'cd && pwd && ls doc >/dev/null && ! touch x 2>/dev/null'
	eq "$output" /usr/share
	run_tool 125 "${AS[@]}" env HOME=/ "$SX" --home real -- true
	eq "${stderr_lines[0]}" \
		"sandbox-exec: --home: 'real': HOME is no path below '/'"
}

@test "a home directory where there is no place for one is elsewhere" {
	each odd_homes
}

renaming_masks()
{
	as mkdir d
	echo secret | as tee d/.env >/dev/null
	sx 0 --rw "$W" --mask .env -- sh -c 'mv d/.env d/x; rm -f d/.env
		mv d e; ln d/.env f; cp e/.env g; cat d/.env e/.env f g d/x; true'
	eq "$output" ""
	eq "$(as cat d/.env e/.env 2>/dev/null)" secret
}

@test "a masked file cannot be moved, linked or removed into view" {
	each renaming_masks
}

protection()
{
	local before

	as git init -q .
	as git init -q sub
	as touch .bashrc .git/hooks/old
	before=$(find . | sort)
	sx 0 --rw "$W" -- sh -c '
		for f in .git/config .git/hooks/old .git/hooks/pre-commit \
			sub/.git/config .bashrc; do
			if echo evil 2>/dev/null >$f; then echo "wrote $f"; fi
		done
		for d in .git .git/hooks .git/config sub sub/.git .bashrc; do
			perl -e "rename q($d), q(moved) and print q(moved $d)"
		done
		rm -rf .git/hooks .git/config .bashrc 2>/dev/null
		ls .git/hooks/old .git/config .bashrc >/dev/null &&
			touch .git/objects/new plain && rm .git/objects/new plain'
	eq "$output" ""
	eq "$(find . | sort)" "$before"
}

@test "hooks, configuration and start-up files cannot be changed or moved" {
	requires git
	each protection
}

protection_lifted()
{
	as git init -q .
	as mkdir .vscode .idea
	sx 0 --rw "$W" --rw "$W/.vscode" --rw "$W/.git" -- sh -c '
		echo x >.vscode/f
		for f in .idea/f .git/config .git/hooks/pre-commit; do
			if echo x 2>/dev/null >$f; then echo "wrote $f"; fi
		done
		perl -e "rename q(.vscode), q(moved) and print q(moved)"'
	eq "$output" ''
	[[ -e .vscode/f ]]
}

@test "a protected name that is granted itself can be changed" {
	requires git
	each protection_lifted
}

protection_elsewhere()
{
	as git init -q --bare store/bare.git
	as git init -q --separate-git-dir store/apart.git work
	sx 0 --rw "$W" -- sh -c '
		for d in store/bare.git store/apart.git; do
			for f in $d/config $d/hooks/pre-commit; do
				if echo evil 2>/dev/null >$f; then echo "wrote $f"; fi
			done
		done
		for d in store store/*.git; do
			perl -e "rename q($d), q(moved) and print q(moved $d)"
		done
		echo x 2>/dev/null >work/.git && echo "wrote work/.git"
		touch store/bare.git/objects/new'
	eq "$output" ''
}

@test "git directories without a working copy beside them are protected" {
	requires git
	each protection_elsewhere
}

protection_cut()
{
	as mkdir many
	(cd many && seq 4200 | as xargs mkdir)
	sx 0 --rw "$W" true
	[[ $stderr == *'warning: protection: too many files'* ]]
	sx 125 --require full --rw "$W" true
	sx 0 --require full --ro "$W" true
	sx 0 --overlay "$W" --commit touch "$W/new"
	eq "${#stderr_lines[@]}" 1
	[[ $stderr == *"warning: $W: too many files to look for all rep"* ]]
	[[ -e new ]]
}

@test "a search for repositories that is cut short is told" {
	each protection_cut
}

protection_missing()
{
	as git init -q .
	as rm -r .git/hooks
	sx 0 --rw "$W" -- sh -c 'mkdir .git/hooks
		echo x >.envrc; ln -s /etc/passwd .profile; echo x >plain'
	[[ ! -e .git/hooks && ! -e .envrc && ! -L .profile && -e plain ]]
	[[ -d .git/hooks.sandbox-exec && -e .envrc.sandbox-exec ]]
	eq "${#stderr_lines[@]}" 3
	[[ $stderr == *".envrc: a protected name: renamed to .envrc.sandbox-exec"* ]]
}

@test "protected names that were missing leave no trace before or after" {
	requires git
	each protection_missing
}

protection_of_inner()
{
	local dir

	as git init -q .
	as git init -q a/inner
	as git init -q --bare a/bare.git
	as git init -q --bare .git/modules/m
	as mv a/inner/.git/config a/inner/settings
	as ln -s ../settings a/inner/.git/config
	as mkdir evil
	sx 0 --rw "$W" --time 1m -- sh -c '
		for dir in a/inner/.git a/bare.git .git/modules/m; do
			echo ../../evil >$dir/commondir
			while [ -e $dir/commondir ]; do sleep 0.01; done
		done
		ln -sf ../../evil/config a/inner/.git/config
		while [ -e a/inner/.git/config ]; do sleep 0.01; done
		git init -q own
		echo ../../evil >own/.git/commondir'
	eq "${#stderr_lines[@]}" 4
	for dir in a/inner/.git a/bare.git .git/modules/m; do
		[[ ! -e $dir/commondir && -e $dir/commondir.sandbox-exec ]]
	done
	[[ $stderr == *"$W/a/bare.git/commondir: a protected name: renamed"* ]]
	[[ -L a/inner/.git/config.sandbox-exec && -e own/.git/commondir ]]
	# Under another name, with one path in another.
	as rm -r a/bare.git/commondir.sandbox-exec
	sx 0 --ro "$W:/w" --rw "$W/a:/w/a" --time 1m -- sh -c '
		echo ../../evil >/w/a/bare.git/commondir
		while [ -e /w/a/bare.git/commondir ]; do sleep 0.01; done'
	[[ -e a/bare.git/commondir.sandbox-exec ]]
}

@test "a repository further down gets no other settings either" {
	requires git
	each protection_of_inner
}

protection_at_once()
{
	as git init -q .
	# Each name, in the command's own eyes, is gone soon: not at the end.
	sx 0 --rw "$W" --time 1m -- sh -c '
		for name in .envrc .vscode .git/commondir; do
			mkdir $name
			while [ -e $name ]; do sleep 0.01; done
		done
		for i in "" -1 -2 -3 -4 -5 -6 -7 -8 -9 -10 -11; do
			mkdir .mcp.json.sandbox-exec$i
		done
		mkdir .mcp.json
		while [ -e .mcp.json ]; do sleep 0.01; done'
	eq "${#stderr_lines[@]}" 4
	as rm -rf .mcp.json* .envrc* .vscode*
	# Whatever the caller ignores.
	AS+=(perl -e '$SIG{IO} = "IGNORE"; exec @ARGV')
	sx 0 --rw "$W" --time 1m -- sh -c '
		mkdir .idea
		while [ -e .idea ]; do sleep 0.01; done'
	sx 137 --rw "$W" --time 1m -- sh -c '
		while :; do mkdir .envrc 2>/dev/null; done'
	eq "${stderr_lines[-1]}" "sandbox-exec: protected names: the command made them again and again and was ended"
	[[ ! -e .envrc ]]
}

@test "protected names that are made vanish while the command runs" {
	requires git
	each protection_at_once
}

# Nobody reads what the supervisor says, and the command has filled the pipe.
protection_unread()
{
	local fifo=$W.fifo hold

	mkfifo "$fifo"
	exec {hold}<>"$fifo"
	"${AS[@]}" "$SX" --rw "$W" --time 3s -- perl -e '
		if (fork == 0) { syswrite STDERR, "x" x 65536 for 1 .. 3; exit }
		select undef, undef, undef, 0.2;
		for my $name (qw(.envrc .bashrc)) {
			open my $f, ">", $name;
			select undef, undef, undef, 0.01 while -e $name;
		}
		exec qw(tail -f /dev/null)' </dev/null 2>"$fifo" 3>&- &
	PID[box]=$!
	wait_until is_file .bashrc.sandbox-exec
	# When the command is dead there is time to wait for the reader.
	sed 's/^x*//' <"$fifo" >"$W.read" 3>&- {hold}>&- &
	PID[reader]=$!
	exec {hold}>&-
	wait_exit box
	eq "$STATUS" 124
	wait_exit reader
	eq "$(<"$W.read")" "sandbox-exec: warning: $W/.envrc: a protected name: renamed to .envrc.sandbox-exec
sandbox-exec: warning: $W/.bashrc: a protected name: renamed to .bashrc.sandbox-exec
sandbox-exec: time limit: the command was ended"
}

@test "a command cannot hold up what protects names by filling a pipe" {
	each protection_unread
}

# In the background of a terminal that stops who writes to it from there.
protection_in_background()
{
	cat >"$W.sh" <<-END
	$(printf '%q ' "${AS[@]}" "$SX") --rw '$W' --time 1m -- sh -c '
		stty tostop
		for name in .envrc .bashrc; do
			mkdir \$name
			while [ -e \$name ]; do sleep 0.01; done
		done' &
	wait \$!
	echo "status \$?"
	END
	run_tool 0 script -qec "bash -m $W.sh" /dev/null
	[[ $output == *'renamed to .envrc.sandbox-exec'* ]]
	[[ $output == *'status 0'* ]]
}

@test "a command cannot stop what protects names by its terminal" {
	each protection_in_background
}

own_repositories()
{
	sx 0 --rw "$W" -- sh -ec '
		git init -q new
		cd new
		git config user.email a@example.org
		git config user.name a
		echo "exit 1" >.git/hooks/pre-push
		echo x >f
		git add f
		git commit -qm f
		cd ..
		git clone -q new copy
		git -C copy log --format=%s
		git init -q .
		git config user.name b
		ls -d .git/hooks new/.git/hooks copy/.git/hooks | wc -l'
	eq "$output" $'f\n3'
	eq "$stderr" ''
}

@test "a repository that the command makes is its own" {
	requires git
	each own_repositories
}

git_works()
{
	as git init -q .
	as git config user.email a@example.org
	as git config user.name a
	sx 0 --rw "$W" -- sh -c 'echo x >f && git add f && git commit -qm f &&
		git checkout -q -b other && git log --oneline | wc -l'
	eq "$output" 1
	eq "$(as git log --format=%s)" f
}

@test "git works in a protected repository" {
	requires git
	each git_works
}

too_many()
{
	as mkdir many
	(cd many && seq 4200 | as xargs touch)
	sx 125 --ro "$W" --mask '[0-9]*' -- true
	one_error 'masks: .*: too many matches'
}

@test "masks that cannot be applied in full stop the run" {
	each too_many
}

places()
{
	as mkdir -p a/b
	echo host | as tee a/b/f >/dev/null
	sx 0 --rw a/b:/work --ro a --workdir /work -- sh -c "
		cat f && echo inside >g && ! touch $W/a/b/h"
	eq "$output" host
	eq "$(cat a/b/g)" inside
	sx 0 --rw a/b --ro a -- sh -c "echo x >a/b/g && ! touch a/g"
	sx 0 --ro a --rw a/b -- sh -c "echo x >a/b/g && ! touch a/g"
	sx 0 --tmpfs /scratch:1m -- sh -c 'head -c 900000 /dev/zero >/scratch/a &&
		! head -c 900000 /dev/zero >/scratch/b'
}

@test "the deeper path decides, in any order" {
	each places
}

# Renaming what leads to a read-only part would put another in its place.
places_stay()
{
	as mkdir -p a/b/c a/d
	echo host | as tee a/b/c/f >/dev/null
	sx 0 --rw a --ro a/b/c -- sh -c '
		for d in b b/c; do
			perl -e "rename q('"$W"'/a/$d), q('"$W"'/a/moved) and print q(moved)"
		done
		mv a/d a/e && mkdir a/b/new && echo x >a/b/new/f
		cd a/b && rm -rf c; mv c moved; mkdir -p c; echo evil >c/f; true' \
		2>/dev/null
	eq "$output" ''
	eq "$(cat a/b/c/f)" host
	[[ -d a/e && -f a/b/new/f ]]
}

@test "a read-only part of a writable directory stays where it is" {
	each places_stay
}

explained()
{
	requires jq
	sx 0 --explain --json --ro /usr/share --allow 'B.Example.' \
		--allow a.example --env SECRET=hunter2
	eq "$(jq -r '.policy.allow | join(" ")' <<<"$output")" \
		"a.example b.example"
	[[ $(jq -r .digest <<<"$output") =~ ^[0-9a-f]{64}$ ]]
	[[ $output != *hunter2* ]]
}

@test "--explain --json shows the canonical policy and no values" {
	each explained
}

@test "help, manual and completion list the same options" {
	"$BIN/sandbox-exec" --help | grep -oE '^ .{1,6}--[a-z-]+' |
		sed 's/.*--//' | sort >"$T/help"
	sed -nE 's/^\.It Fl (. , Fl )?-([a-z-]+)( .*)?$/\2/p' \
		"$ROOT/man/sandbox-exec.1" | sort >"$T/man"
	awk '/COMPREPLY.*compgen -W .--ro/ {on = 1} on {print} /--. \\$/ {on = 0}' \
		"$ROOT/completions/sandbox-exec" | grep -oE -- '--[a-z-]+' |
		sed 's/^--//' | sort -u >"$T/completion"
	[[ $(wc -l <"$T/help") -gt 30 ]]
	diff "$T/help" "$T/man"
	diff "$T/help" "$T/completion"
}
