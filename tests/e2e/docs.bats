# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2086,SC2016 # set by run; words of a command

# What is written twice says the same: --help, manual, completion, README.

load helpers.bash
load tools.bash

@test "every program has a manual page and a completion" {
	while read -r tool; do
		[[ -f $(manual "$tool") ]] || { echo "no page for $tool"; false; }
		[[ -f $ROOT/completions/$tool ]] ||
			{ echo "no completion for $tool"; false; }
	done < <(tools)
}

# under HEADING reads man_options and prints the options under it.
under()
{
	awk -F '\t' -v heading="$1" '$1 == heading {print $2}'
}

# options_agree TOOL: every option of a command has an entry in the manual,
# under the command's name or among those of all; every entry is an option.
options_agree()
{
	local tool=$1 page words line

	page=$(manual "$tool")
	man_options "$page" >"$T/man"
	: >"$T/all"
	while read -r words; do
		help_options "$tool" $words | tee -a "$T/all" >"$T/help"
		under "$words" <"$T/man" >"$T/own"
		while IFS= read -r line; do
			grep -Fqx -- "$line" "$T/help" || {
				echo "$tool $words: not an option: $line"
				return 1
			}
		done <"$T/own"
		while IFS= read -r line; do
			grep -Fqx -- "$line" <(cut -f 2 "$T/man") || {
				echo "$tool $words: not in the manual: $line"
				return 1
			}
		done <"$T/help"
	done < <(commands "$tool")
	while IFS= read -r line; do
		grep -Fqx -- "$line" "$T/all" || {
			echo "$tool: in the manual only: $line"
			return 1
		}
	done < <(cut -f 2 "$T/man")
}

@test "the options in --help are those in the manual" {
	while read -r tool; do
		options_agree "$tool"
	done < <(tools)
}

@test "completion offers the options in --help, of each command" {
	local tool words

	while read -r tool words; do
		help_options "$tool" $words | cut -d ' ' -f 2 | sort >"$T/help"
		completed "$tool" $words >"$T/completed"
		diff "$T/help" "$T/completed" ||
			{ echo "in $tool $words"; false; }
	done < <(each_command)
}

@test "every manual has a list of exit statuses" {
	while read -r tool; do
		awk '/^\.Sh / {on = $0 == ".Sh EXIT STATUS"}
			on' "$(manual "$tool")" >"$T/statuses"
		codes=(0 1 2)
		[[ $tool != sandbox-exec ]] || codes=(124 125 126 127)
		for code in "${codes[@]}"; do
			grep -Eq "^\.It (Sy |Li )?$code( |$)" "$T/statuses" || {
				echo "$tool: no exit status $code"
				false
			}
		done
	done < <(tools)
}

# The environment variables that a program's sources name.
variables()
{
	grep -ohE '"(TUNNEL_|MCP_|FRAME_|ADIT_|NOTIFY_|ANTHROPIC_)[A-Z_]+"' \
		"$ROOT/cmd/$1"/*.c | tr -d '"' | sort -u
}

@test "every environment variable is in the manual" {
	while read -r tool; do
		while read -r name; do
			grep -q "$name" "$(manual "$tool")" ||
				{ echo "$tool: $name"; false; }
		done < <(variables "$tool")
	done < <(tools)
}

@test "the examples of mcp-proxy.yaml(5) are valid" {
	local file

	"$BIN/mcp-proxy" cert make --dir "$T/c" --domain t.example \
		--name localhost >"$T/made"
	awk -v dir="$T" '/^\.Sh / {on = $2 == "EXAMPLES"}
		/^\.Ed/ {inside = 0}
		on && inside {print >(dir "/" n ".yaml")}
		on && /^\.Bd/ {inside = 1; n++}' "$ROOT/man/mcp-proxy.yaml.5"
	mv "$T/5.yaml" "$T/c/wiki.jq"
	"$BIN/mcp-proxy" agent add -f "$T/c/agents" ci >"$T/token"
	(umask 077 && echo 'Authorization: Bearer x' >"$T/c/wiki.headers")
	echo '{"keys": [{"kty": "OKP", "crv": "Ed25519",
		"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}' \
		>"$T/c/login-keys.json"
	sed -i "s,/etc/adit/internal-ca,$T/c/ca,; s,/etc/adit/,$T/c/,
		s,_file: tls,_file: $T/c/tls," "$T"/[1-9].yaml
	[[ -f $T/4.yaml ]]
	for file in "$T"/[1-9].yaml; do
		PATH=$BIN:$PATH run_tool 0 "$BIN/mcp-proxy" --check --config "$file"
	done
}

@test "every page that a manual refers to exists" {
	local ours=0

	while read -r page; do
		case $page in
		*-up.*|*-edge.*|*-proxy*|*-dump.*|*-exec.*|*-worker.*|adit*)
			[[ -f $ROOT/man/$page ]] || { echo "$page"; false; }
			ours=$((ours + 1))
			;;
		esac
	done < <(sed -n 's/^\.Xr \([^ ]*\) \([1-8]\).*/\1.\2/p' "$ROOT"/man/* |
		sort -u)
	((ours >= 6))
}

# Each command line in the README's indented blocks, continued lines joined.
readme_lines()
{
	sed -n 's/^    //p' "$ROOT/README.md" |
		sed -e ':a' -e '/\\$/{N;s/\\\n *//;ba}'
}

@test "the README is short and names only what there is" {
	local line word tool words target found=0

	(($(wc -l <"$ROOT/README.md") <= 120))
	while read -r line; do
		line=${line##*sudo }
		set -- ${line%%&&*}
		if [[ ${1-} == make ]]; then
			target=${2-all}
			grep -Eq "^$target:" "$ROOT/Makefile" ||
				{ echo "no target: $line"; false; }
			continue
		fi
		[[ -x $BIN/${1:-.none} ]] || continue
		found=$((found + 1))
		tool=$1
		words=
		while [[ ${2-} =~ ^[a-z]+$ ]] &&
			grep -qx "${words:+$words }$2" <(commands "$tool" |
				sed 'p;s/ [a-z]*$//'); do
			words=${words:+$words }$2
			shift
		done
		for word in "${@:2}"; do
			[[ $word != -- ]] || break
			[[ $word == --* ]] || continue
			grep -q -- "^. ${word#--}\$" <(help_options "$tool" $words) ||
				{ echo "$tool $words: $word"; false; }
		done
	done < <(readme_lines)
	((found >= 3))
}

@test "the README's programs and files exist" {
	local name found=0

	while read -r name; do
		[[ -x $BIN/$name ]] || { echo "no program $name"; false; }
		found=$((found + 1))
	done < <(sed -n 's/^| `\([a-z-]*\)` |.*/\1/p' "$ROOT/README.md")
	eq "$found" "$(tools | wc -l)"
}

@test "make help lists every target that the README names" {
	run_tool 0 make -C "$ROOT" help
	for target in demo check asan fuzz bench lint install; do
		[[ $output == *"  $target "* ]]
	done
}

# units: writes those of adit(7) to files of their names, with the programs
# that are tested.
units()
{
	local i=0 name names

	mapfile -t names < <(grep -o 'adit-[a-z]*\.service' "$ROOT/man/adit.7")
	awk -v dir="$T" '/^\.Bd/ {in_block = 1; next} /^\.Ed/ {in_block = 0}
		in_block && /^\[Service\]/ {out = dir "/" ++n}
		in_block && out {gsub(/\\e/, "\\"); print >out}
		!in_block {out = ""}' "$ROOT/man/adit.7"
	for name in "${names[@]}"; do
		i=$((i + 1))
		sed "s,/usr/local/bin,$BIN,; s/^User=.*/User=daemon/" "$T/$i" \
			>"$T/$name"
		UNITS+=("$T/$name")
	done
}

@test "the units of adit(7) are valid, and so are their commands" {
	local unit tool word
	local -a command

	units
	eq "${#UNITS[@]}" 3
	run_tool 0 systemd-analyze verify --man=no "${UNITS[@]}"
	# Older ones do not know it yet.
	eq "$(grep -v "'DelegateSubgroup' in section" <<<"$output$stderr")" ""
	for unit in "${UNITS[@]}"; do
		read -r -d '' -a command < <(
			sed -n '/^ExecStart=/,/[^\\]$/p' "$unit" |
				sed 's/^ExecStart=//; s/\\$//') || true
		tool=${command[0]##*/}
		[[ ${command[1]} == --* ]] || tool+=" ${command[1]}"
		for word in "${command[@]}"; do
			[[ $word != -- ]] || break
			[[ $word != --* ]] ||
				grep -q -- "^. ${word#--}\$" <(help_options $tool) ||
				{ echo "$tool: $word"; false; }
		done
	done
}
