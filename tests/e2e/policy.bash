# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set here or by helpers.bash for the tests
# shellcheck disable=SC2119,SC2120 # some callers give arguments

# mcp-proxy with a policy before a server that answers what it was asked; with
# the asking of bridge.bash.

DENIED='The policy of this server does not allow'
FAILED='The policy of this server could not be applied, so this was denied.'

# start_echo [OPTION...]: the upstream; UPSTREAM is its port.
start_echo()
{
	mkdir -p "$T/got"
	start_ready upstream node "$ROOT/tests/fakes/echo-upstream.mjs" \
		--ready-fd 9 --dir "$T/got" "$@"
	UPSTREAM=${READY[upstream]}
}

# judge [PROGRAM] starts that upstream and a proxy whose policy is standard
# input, each line below "policy:", with the program.
judge()
{
	start_echo
	write_policy "$@" | write_config
	run_proxy
}

write_policy()
{
	echo "$allow_loopback"
	echo "audit: $T/audit"
	echo "policy:"
	sed 's/^/  /'
	if (($# > 0)); then
		printf '%s\n' "$1" >"$T/p.jq"
		echo "  program: $T/p.jq"
	fi
	echo "  message_size: ${SIZE:-64k}"
}

# count_got prints how many requests reached the upstream.
count_got()
{
	find "$T/got" -name '*.body' | wc -l
}

# audited FILTER prints what the filter makes of each decision by the policy.
audited()
{
	jq -r "select(.event == \"decide\" and .rule != \"route\" and
		.direction == \"request\") | $1" \
		"$T/audit"
}

# call NAME [ARGUMENTS] asks for a tool, with the id 7.
call_tool()
{
	local arguments=${2:-'{}'}

	ask "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"$1\",\"arguments\":$arguments}}"
}

# request METHOD [PARAMS]
request()
{
	local params=${2:-'{}'}

	ask "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"$1\",\"params\":$params}"
}

GOT_CALL='{"jsonrpc":"2.0","id":7,"result":{"got":"tools/call"}}'

# denied_call TEXT prints the answer to a denied call.
denied_call()
{
	echo "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$1\"}],\"isError\":true}}"
}

# denied TEXT prints the answer to another denied request.
denied()
{
	echo "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":403,\"message\":\"$1\",\"data\":{\"code\":\"denied\",\"blame\":\"policy\"}}}"
}
