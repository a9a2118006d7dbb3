# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2153,SC2154 # set by the helpers
# shellcheck disable=SC2016 # the sandbox's shell expands

# What makes git and shells run something later, and the ways around what
# keeps it (sandbox-exec(1), Protected names): after each attack somebody
# outside runs git, as root and as an ordinary user.

load helpers.bash
load sandbox-exec.bash

setup_file() { setup_file_sandbox; }
teardown_file() { teardown_file_sandbox; }

setup()
{
	requires git
	sandbox_setup
}

teardown() { sandbox_teardown; }

as()
{
	"${AS[@]}" env HOME="$SX_DIR" "$@"
}

git_as()
{
	as git -c safe.directory='*' "$@"
}

# make_repository DIR: with one commit, below $W.
make_repository()
{
	git_as init -q "$W/$1"
	git_as -C "$W/$1" config user.email a@example.org
	git_as -C "$W/$1" config user.name a
	git_as -C "$W/$1" commit -q --allow-empty -m first
}

# What the attacks call.
TOOLS='
	settings() {
		printf "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = \"touch $W/got; false\"\n"
	}
	hook() {
		printf "#!/bin/sh\ntouch $W/got\n" >"$1/pre-commit"
		chmod +x "$1/pre-commit"
	}
	git_directory() {
		mkdir -p "$1/objects" "$1/refs"
		echo "ref: refs/heads/main" >"$1/HEAD"
		settings >"$1/config"
		printf "\tworktree = .\n" >>"$1/config"
	}
'

# attack DIR SCRIPT: runs the script in DIR below $W.
attack()
{
	run_tool 0 "${AS[@]}" env HOME="$SX_DIR" "$SX" --rw "$W" \
		--workdir "$W/$1" --env "W=$W" --time 1m -- \
		sh -c "$TOOLS$2
		true"
	STDERR=$stderr
}

# holds DIR...: whether git there, outside, runs nothing of the sandbox's.
holds()
{
	local dir

	for dir; do
		git_as -C "$W/$dir" status >/dev/null 2>&1 || true
		git_as -C "$W/$dir" commit --allow-empty -qm second \
			>/dev/null 2>&1 || true
		if [[ -e $W/got ]]; then
			echo "git in $dir ran what the sandbox left"
			return 1
		fi
	done
}

# works DIR: whether that is still the repository that it was.
works()
{
	eq "$(git_as -C "$W/$1" log --format=%s | tail -n 1)" first
}

# The tools of the attacks work where nothing keeps them from it.
unprotected()
{
	local what

	for what in 'settings >.git/config' 'hook .git/hooks' \
		'mv .git/HEAD .git/gone; git_directory .'; do
		make_repository r
		run_tool 0 "${AS[@]}" "$SX" --rw "$W/r" --workdir "$W/r" \
			--without protection --env "W=$W" -- \
			sh -c "$TOOLS$what"
		run holds r
		eq "$status $output" '1 git in r ran what the sandbox left'
		as rm -rf r got
	done
}

@test "what is not protected can be attacked so" {
	each unprotected
}

bare_beside()
{
	make_repository r
	run_tool 0 "${AS[@]}" "$SX" --rw "$W/r" --workdir "$W/r" \
		--env "W=$W" -- sh -c "$TOOLS
			mv .git/HEAD .git/gone
			git_directory ."
	eq "${#stderr_lines[@]}" 1
	[[ $stderr == *"$W/r/HEAD: a protected name: renamed to HEAD.sandbox-exec" ]]
	holds r
	# The same in a repository further down.
	make_repository a/b
	attack a/b '
		mv .git/HEAD .git/gone
		git_directory .'
	[[ $STDERR == *"$W/a/b/HEAD: a protected name: renamed"* ]]
	holds a/b
	# Where there is no other repository it is the command's.
	mkdir -p "$W/own"
	chown --reference "$W" "$W/own"
	attack . 'git init -q --bare own/r.git'
	eq "$STDERR" ''
}

@test "no directory with a repository in it becomes one itself" {
	each bare_beside
}

git_link()
{
	make_repository r
	as mv r/.git r/real
	as ln -s real r/.git
	attack r '
		rm .git
		cp -r real .git
		settings >.git/config
		settings >real/config
		mv real moved
		git_directory real'
	holds r
	# It leads out of what is shown.
	make_repository s
	as mv s/.git far
	as ln -s ../far s/.git
	run_tool 0 "${AS[@]}" "$SX" --rw "$W/s" --workdir "$W/s" \
		--env "W=$W" -- sh -c "$TOOLS
			rm .git
			git_directory .git
			true"
	[[ $stderr == *"$W/s/.git: a protected name: renamed to .git.sandbox-exec"* ]]
	holds s
	# It leads deeper than repositories are looked for.
	make_repository t
	as mkdir -p t/1/2/3/4/5
	as mv t/.git t/1/2/3/4/5/real
	as ln -s 1/2/3/4/5/real t/.git
	attack t '
		settings >.git/config
		mv 1 moved
		cp -r moved 1
		settings >.git/config
		git commit -q --allow-empty -m inside'
	holds t
	works t
}

@test "a repository that is linked to is kept like any other" {
	each git_link
}

git_file()
{
	make_repository r
	as mkdir -p r/1/2/3/4/5
	as mv r/.git r/1/2/3/4/5/real
	as sh -c 'echo "gitdir: 1/2/3/4/5/real" >r/.git'
	attack r '
		settings >1/2/3/4/5/real/config
		mv 1 moved
		mkdir -p 1/2/3/4/5/real
		settings >1/2/3/4/5/real/config
		rm .git
		git commit -q --allow-empty -m inside'
	holds r
	works r
}

@test "a repository that a file names is kept like any other" {
	each git_file
}

named_hooks()
{
	make_repository r
	git_as -C r config core.hooksPath tools/hooks
	git_as -C r config include.path ../more
	git_as config -f r/more include.path tools/most
	as mkdir -p r/tools/hooks
	git_as config -f r/tools/most core.hooksPath tools/others
	as mkdir r/tools/others
	attack r '
		hook tools/hooks
		hook tools/others
		settings >more
		settings >tools/most
		mv tools moved
		mkdir -p tools/hooks
		hook tools/hooks'
	holds r
	works r
	# Names that are no names, and settings that never end.
	git_as config -f r/more --add include.path ../more
	git_as config -f r/more --add core.hooksPath .
	git_as config -f r/more --add core.hooksPath /
	git_as config -f r/more --add include.path /dev/zero
	attack r 'echo x >writable'
	[[ -e r/writable ]]
}

@test "hooks elsewhere and settings that are included are kept" {
	each named_hooks
}

named_hooks_elsewhere()
{
	make_repository r
	git_as -C r config core.hooksPath tools/hooks
	git_as -C r worktree add -q ../copy
	git_as -C r config extensions.worktreeConfig true
	git_as -C r worktree add -q ../third
	git_as -C third config --worktree core.hooksPath others
	git_as -C r -c protocol.file.allow=always submodule --quiet \
		add "$W/copy" sub
	git_as -C r/sub config core.hooksPath tools/hooks
	as mkdir -p r/tools/hooks copy/tools/hooks r/sub/tools/hooks \
		third/others
	attack . '
		for dir in r copy r/sub; do
			hook $dir/tools/hooks
			mv $dir/tools $dir/moved
			mkdir -p $dir/tools/hooks
			hook $dir/tools/hooks
		done
		hook third/others'
	holds r copy r/sub third
}

@test "so are those of other working copies and of submodules" {
	each named_hooks_elsewhere
}

host_paths()
{
	local way

	make_repository r
	as mkdir -p r/hooks r/dir
	as touch r/dir/rc
	as ln -s "$W/r/dir/rc" r/.envrc
	as ln -s r link
	for way in "r $W/r/hooks" "r:/inside $W/r/hooks" \
		"link $W/link/hooks" "link:/inside $W/link/hooks" \
		"r:/inside ~/${W##*/}/r/hooks"; do
		git_as -C r config core.hooksPath "${way#* }"
		run_tool 0 "${AS[@]}" env HOME="$SX_DIR" "$SX" \
			--rw "$W/${way%% *}" --env "W=$W" -- sh -c "$TOOLS"'
				cd /inside 2>/dev/null || cd "$W/r"
				hook hooks
				echo changed >dir/rc
				true'
		holds r
		eq "$(<r/.envrc)" ''
	done
	run_tool 1 "${AS[@]}" env HOME="$SX_DIR" "$SX" --overlay "$W/r" \
		--workdir "$W/r" --env "W=$W" --commit -- \
		sh -c "$TOOLS"'hook hooks'
	[[ $stderr == *"$W/r/hooks/pre-commit: a protected name"* ]]
}

@test "what is named by a path of the host is kept by its name inside" {
	each host_paths
}

moved_targets()
{
	make_repository r
	as rm -r r/.git/hooks
	as mkdir -p r/tools/sub/hooks r/dir/sub
	as ln -s ../tools/sub/hooks r/.git/hooks
	as touch r/dir/sub/rc
	as ln -s dir/sub/rc r/.envrc
	attack r '
		hook tools/sub/hooks
		mv tools moved
		mkdir -p tools/sub/hooks
		hook tools/sub/hooks
		echo changed >dir/sub/rc
		mv dir moved2
		mkdir -p dir/sub
		echo changed >dir/sub/rc'
	holds r
	eq "$(<r/.envrc)" ''
}

@test "what a link leads to stays where it is" {
	each moved_targets
}

led_away()
{
	make_repository r
	as mkdir r/dir
	as touch r/dir/rc
	as ln -s dir r/other
	as ln -s dir/rc r/middle
	as ln -s middle r/.envrc
	as ln -s other/rc r/.bashrc
	as ln -s dir/none r/.profile
	as ln -s "$W/outside" r/.zshrc
	run_tool 0 "${AS[@]}" "$SX" --rw "$W/r" --workdir "$W/r" -- sh -c '
		echo changed >.envrc
		echo changed >.bashrc
		rm middle other
		echo changed >middle
		mkdir other
		echo changed >other/rc
		echo changed >.profile
		true'
	for name in .envrc .bashrc .profile; do
		[[ $stderr == *"$W/r/$name: a protected name: renamed to $name.sandbox-exec"* ]]
		[[ ! -e r/$name ]]
	done
	eq "$(<r/dir/rc)" ''
	[[ -L r/.zshrc ]]
}

@test "a link that leads elsewhere is no protected name any more" {
	each led_away
}

listed_names()
{
	local name names

	# As the manual has them, from the shells' to the last.
	mapfile -t names < <(sed -n '/^\.Ss Protected names/,/^\.Pa \.ssh/{
		/^\.Pa [.o].*/s/^\.Pa \([^ ]*\).*/\1/p
	}' "$ROOT/man/sandbox-exec.1")
	((${#names[@]} >= 40))
	for name in "${names[@]}"; do
		as sh -c 'echo old >"$0"' "$name"
	done
	run_tool 0 "${AS[@]}" "$SX" --rw "$W" --workdir "$W" -- sh -c '
		for name; do
			echo new >"$name"; rm "$name"; mv "$name" moved
		done 2>/dev/null; true' sh "${names[@]}"
	for name in "${names[@]}"; do
		eq "$name: $(<"$name")" "$name: old"
	done
}

@test "every name that the manual lists is kept" {
	each listed_names
}

granted_within()
{
	local dir

	as mkdir -p .vscode/{rw,overlay,tmp,rw/ro}
	run_tool 0 "${AS[@]}" "$SX" --rw "$W" --rw "$W/.vscode/rw" \
		--overlay "$W/.vscode/overlay" --tmpfs "$W/.vscode/tmp" \
		--ro "$W/.vscode/rw/ro" --workdir "$W/.vscode" -- sh -c '
			for dir in rw overlay tmp . rw/ro; do
				touch $dir/x && echo "$dir" || :
			done 2>/dev/null'
	eq "$output" $'rw\noverlay\ntmp'
}

@test "what is given below a protected name is as it was given" {
	each granted_within
}

# home_list FROM TO DIR: adds to NAMES what the manual lists between the lines,
# in that directory.
home_list()
{
	local name

	while read -r name; do
		NAMES+=("$3$name/x")
	done < <(sed -n "/$1/,/$2/s/^\\.Pa \\([^/ ]*\\)\\( .*\\)\\?$/\\1/p" \
		"$ROOT/man/sandbox-exec.1" | grep -vx .config)
}

# box_home DIR OPTION...: runs $SCRIPT, in DIR, for each of NAMES, where
# $W/home is the home directory.
box_home()
{
	local dir=$1

	shift
	run_tool 0 "${AS[@]}" env HOME="$W/home" "$SX" "$@" --workdir "$dir" -- \
		sh -c "for name; do $SCRIPT; done 2>/dev/null; true" \
		sh "${NAMES[@]}"
}

home_names()
{
	local way name NAMES=()

	home_list '^In home directories' '^in their' ''
	home_list '^\.Pa .config ,' '^in their' .config/
	home_list '^\.Pa .local.share' '^\.Pp' .local/share/
	((${#NAMES[@]} > 40))
	for name in "${NAMES[@]}"; do
		as mkdir -p "$(dirname "home/$name")"
		as sh -c 'echo old >"$0"' "home/$name"
	done
	as mkdir -p home/.config/other home/sub
	as ln -s home link
	# The directory, what it is in, what is in it, by other names; last where
	# the command's own is on top of it.
	SCRIPT='echo new >"$name"; rm "$name"; mv "$name" moved
		mv "${name%/*}" moved; mv "${name%%/*}" moved'
	for way in "$W/home $W/home" "$W/link $W/home" \
		"$W/home:/inside /inside" "$W:/inside /inside/home" \
		"$W/home/.config $W/home" "$W $W/home"; do
		box_home "${way#* }" --rw "${way% *}"
		eq "$stderr" ''
		for name in "${NAMES[@]}"; do
			eq "$way $name: $(<"home/$name")" "$way $name: old"
		done
	done
	SCRIPT='echo new >"$name"; echo new >"/inside/${name#*/}"'
	box_home "$W/home" --rw "$W/home" --rw "$W/home/.config:/inside"
	eq "$(<home/.config/git/x)" old
	SCRIPT=': >.config/other/x; : >.config/y; : >sub/z'
	box_home "$W/home" --rw "$W/home"
	[[ -e home/.config/other/x && -e home/.config/y && -e home/sub/z ]]
	# What is given by its own path can be changed.
	SCRIPT='echo new >"$name"'
	box_home "$W/home" --rw "$W/home" --rw "$W/home/.config/nvim"
	eq "$(<home/.config/nvim/x) $(<home/.config/git/x)" 'new old'
	# It is somebody's home directory, or nobody's.
	run_tool 0 "${AS[@]}" env HOME="$W/none" "$SX" --rw "$W/home" \
		--workdir "$W/home" -- sh -c 'echo new >.config/git/x'
	eq "$(<home/.config/git/x)" new
	# What is not there is not left there either.
	as rm -r home
	as mkdir -p home/.config home/.local/share
	NAMES=(.vim/vimrc .config/git/config .local/share/systemd/user/x)
	SCRIPT='mkdir -p "${name%/*}"; echo new >"$name"'
	for way in "$W/home $W/home" "$W/home/.config $W/home" \
		"$W:/inside /inside/home"; do
		box_home "${way#* }" --rw "${way% *}"
		[[ $stderr == *"$W/home/.config/git: a protected name: renamed to git.sandbox-exec"* ]]
		eq "$(as find home/.config home/.local -maxdepth 3 -printf '%P\n' |
			grep -v sandbox-exec | xargs)" share
		as rm -r home
		as mkdir -p home/.config home/.local/share
	done
}

@test "what a home directory runs or reads by itself is kept" {
	each home_names
}

home_overlay()
{
	local name

	as mkdir -p home/.config/fish
	for name in .config/fish/config.fish .config/git/config .vim/vimrc \
		.local/share/systemd/user/x.service; do
		run_tool 1 "${AS[@]}" env HOME="$W/home" "$SX" \
			--overlay "$W/home" --workdir "$W/home" --commit -- \
			sh -c 'mkdir -p "${0%/*}" && echo new >"$0"' "$name"
		[[ $stderr == *"$W/home/"*': a protected name'* ]]
	done
	run_tool 0 "${AS[@]}" env HOME="$W/home" "$SX" \
		--overlay "$W/home" --workdir "$W/home" --commit -- \
		sh -c 'mkdir .config/other .local; : >.config/other/x'
	[[ -e home/.config/other/x && -e home/.local ]]
	eq "$(as find home/.config/fish home/.vim 2>/dev/null)" home/.config/fish
}

@test "nor is it changed by an overlay" {
	each home_overlay
}

mercurial()
{
	local dir

	for dir in . r a/b; do
		as mkdir -p "$dir/.hg"
		as sh -c 'echo old >"$0"' "$dir/.hg/hgrc"
	done
	attack . '
		for dir in . r a/b; do
			echo new >$dir/.hg/hgrc
			mv $dir/.hg/hgrc $dir/.hg/was
			mv $dir/.hg $dir/was
			mkdir -p $dir/.hg
			echo new >$dir/.hg/hgrc
			: >$dir/.hg/branch
		done 2>/dev/null'
	eq "$STDERR" ''
	for dir in . r a/b; do
		eq "$(<$dir/.hg/hgrc)" old
		[[ -e $dir/.hg/branch ]]
		as rm "$dir/.hg/hgrc"
	done
	attack . '
		echo new >.hg/hgrc
		echo new >r/.hg/sharedpath
		mkdir -p own/.hg
		echo new >own/.hg/hgrc'
	eq "${#stderr_lines[@]}" 2
	[[ $STDERR == *"$W/.hg/hgrc: a protected name: renamed to hgrc.sandbox-exec"* &&
		$STDERR == *"$W/r/.hg/sharedpath: a protected name: renamed"* ]]
	[[ ! -e .hg/hgrc && ! -e r/.hg/sharedpath && -e own/.hg/hgrc ]]
}

@test "settings of Mercurial's repositories are kept" {
	each mercurial
}

# refused NAME SCRIPT: what the script changes in an overlay of r is not made.
refused()
{
	run_tool 1 "${AS[@]}" env HOME="$SX_DIR" "$SX" --overlay "$W/r" \
		--workdir "$W/r" --env "W=$W" --commit -- \
		sh -c "$TOOLS$2"
	[[ $stderr == *"$W/r/$1: a protected name"* ]]
	holds r
	works r
}

overlay()
{
	make_repository r
	git_as -C r config core.hooksPath tools/hooks
	git_as -C r config include.path ../more/settings
	as mkdir -p r/tools/hooks r/dir
	as touch r/dir/rc
	as ln -s dir r/other
	as ln -s middle r/.envrc
	as ln -s other/rc r/middle
	as ln -s dir/none r/.bashrc
	git_as init -q --bare r/bare
	refused HEAD '
		mv .git/HEAD .git/gone
		git_directory .'
	refused tools/hooks/pre-commit 'hook tools/hooks'
	refused tools 'rm -r tools; echo x >tools'
	refused more/settings 'mkdir more; settings >more/settings'
	refused dir/rc 'echo changed >dir/rc'
	refused middle 'ln -sf f middle; echo changed >f'
	refused other 'rm other; mkdir other; echo changed >other/rc'
	refused dir/none 'echo changed >dir/none'
	refused bare/commondir 'echo ../x >bare/commondir'
	refused bare/config 'settings >bare/config'
	run_tool 0 "${AS[@]}" env HOME="$SX_DIR" "$SX" --overlay "$W/r" \
		--workdir "$W/r" --commit -- sh -c '
			echo x >dir/more
			echo y >tools/file
			echo z >more.txt
			git commit -q --allow-empty -m third'
	eq "$(<r/dir/more)$(<r/tools/file)$(<r/more.txt)" xyz
	works r
	# The directory itself is a link's target, deep in a tree.
	as mkdir -p t/1/2/3/4
	as mv r/.git t/1/2/3/4/real
	as ln -s 1/2/3/4/real t/.git
	run_tool 1 "${AS[@]}" env HOME="$SX_DIR" "$SX" --overlay "$W/t" \
		--workdir "$W/t" --commit -- sh -c "$TOOLS"'
			settings >.git/config'
	[[ $stderr == *"$W/t/1/2/3/4/real/config: a protected name"* ]]
}

@test "no changes of an overlay are made where links and settings lead" {
	each overlay
}

# starts: what an earlier command left costs the next one no more than a
# warning.
starts()
{
	run_tool 0 timeout 20 "${AS[@]}" env HOME="$SX_DIR" "$SX" --rw "$W" \
		-- true
	eq "${#stderr_lines[@]}" 1
	[[ $stderr == *"too many files to look for all repositories"* ]]
}

left_behind()
{
	local deep

	make_repository r
	attack r '
		git init -q own
		mkdir many
		for i in $(seq 5000); do
			>many/$i
			echo "[include] path = ../../many/$i"
		done >own/.git/config'
	starts
	attack r '
		yes "[include] path = ../big" | head -n 30000 >own/.git/config
		yes "#" | head -c 1048576 >own/big'
	starts
	attack r '
		yes "[core] hookspath = ../many" | head -n 30000 >own/.git/config'
	starts
	deep=$(printf 'd/%.0s' {1..500})
	attack r "
		git init -q own
		for i in 1 2 3; do
			mkdir -p $deep
			cd $deep
		done
		>file
		cd $W/r/own
		for name in .bashrc .profile .zshrc .envrc .exrc; do
			ln -s ../$deep$deep${deep}file \$name
		done"
	starts
}

@test "a repository that a command left does not hold up the next one" {
	each left_behind
}
