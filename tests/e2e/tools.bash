# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2154 # ROOT, BIN

# What the programs say about themselves, for the tests of all of them.

# tools prints every program's name.
tools()
{
	local main

	for main in "$ROOT"/cmd/*/main.c; do
		main=${main%/main.c}
		echo "${main##*/}"
	done
}

# commands TOOL prints one line per command: its words after the program's
# name, so an empty line for a program that is itself a command.
commands()
{
	local words help line

	if help=$("$BIN/$1" --help) &&
		[[ $help != "usage: $1 COMMAND"* ]]; then
		echo
	fi
	while read -r words; do
		while IFS= read -r line; do
			[[ $line =~ ^\ \ ([a-z]+)\ \ +[A-Z] ]] &&
				echo "${words:+$words }${BASH_REMATCH[1]}"
		done < <(
			# shellcheck disable=SC2086 # words of a command
			"$BIN/$1" $words --help | sed '/^$/q;d'
			# shellcheck disable=SC2086
			"$BIN/$1" $words --help | grep -v '^  *-'
		)
	done < <(
		[[ $help != "usage: $1 COMMAND"* ]] || echo
		sed -n "s/.*See also '$1 \(.*\) --help'.*/\1/p" <<<"$help"
	)
}

# each_command prints "TOOL WORD..." for every command there is.
each_command()
{
	local tool words

	while read -r tool; do
		while read -r words; do
			echo "$tool${words:+ $words}"
		done < <(commands "$tool")
	done < <(tools)
}

# help_options TOOL WORD... prints "x long" or "- long" for every option that
# --help shows.
help_options()
{
	local tool=$1

	shift
	"$BIN/$tool" "$@" --help | sed -n \
		-e 's/^  -\(.\), --\([a-z0-9-]*\).*/\1 \2/p' \
		-e 's/^      --\([a-z0-9-]*\).*/- \1/p' | sort -k 2
}

# manual TOOL prints the path of its page.
manual()
{
	echo "$ROOT/man/$1".[18]
}

# man_options PAGE prints "HEADING<tab>x long" for every option that has an
# entry, with the sub-heading that it is under.
man_options()
{
	awk '/^\.S[hs] / {heading = $0; sub(/^\.S[hs] /, "", heading)}
		/^\.It Fl / {
			letter = "-"
			name = ""
			for (i = 2; i <= NF; i++) {
				if ($i != "Fl") continue
				word = $(i + 1)
				if (word ~ /^-/) name = substr(word, 2)
				else if (length(word) == 1) letter = word
			}
			print heading "\t" letter " " name
		}' "$1"
}

# completed TOOL WORD... prints the long options that completion offers.
completed()
{
	bash -c '
		tool=$1
		. "$2/completions/$tool" || exit 1
		spec=$(complete -p "$tool") || exit 1
		[[ $spec =~ -F\ ([^ ]+) ]] || exit 1
		shift 2
		COMP_WORDS=("$tool" "$@" --)
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		COMP_LINE="${COMP_WORDS[*]}"
		COMP_POINT=${#COMP_LINE}
		COMPREPLY=()
		"${BASH_REMATCH[1]}" "$tool" -- "${COMP_WORDS[-2]}"
		printf "%s\n" "${COMPREPLY[@]}"
	' _ "$1" "$ROOT" "${@:2}" | sed -n 's/^--\([a-z0-9-][a-z0-9-]*\)=*[ ]*$/\1/p' | sort
}
