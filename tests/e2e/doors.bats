# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# The same tool calls through all three doors give the same results: frames to
# sandbox-exec, MCP through the tunnel and the proxy, and the worker of a
# session elsewhere.

load helpers.bash
load tunnel.bash
load agents.bash

setup_file()
{
	"$ROOT/tests/peers/install.sh" "$PEERS"
}

setup() { agents_setup; }

# make_calls: $T/calls, a JSON list of [tool, input].
make_calls()
{
	cat >"$T/calls" <<-'END'
	[["bash", {"command": "pwd"}],
	 ["bash", {"command": "x=1; cd /; echo out; echo err >&2; (exit 7)"}],
	 ["bash", {"command": "echo $x $PWD; cd \"$OLDPWD\""}],
	 ["bash", {"command": "true"}],
	 ["bash", {"command": "printf 'a\\377b'"}],
	 ["bash", {"command": "cat"}],
	 ["bash", {"command": "sleep 9", "timeout_ms": 200}],
	 ["bash", {"command": "exit 3"}],
	 ["bash", {}],
	 ["bash", {"restart": true}],
	 ["bash", {"command": "seq 100000"}],
	 ["write", {"file_path": "d/a.txt", "content": "one\ntwo é\n"}],
	 ["write", {"file_path": "d", "content": ""}],
	 ["read", {"file_path": "d/a.txt"}],
	 ["read", {"file_path": "d/a.txt", "view_range": [2, 2]}],
	 ["read", {"file_path": "none"}],
	 ["read", {"file_path": "/etc/passwd"}],
	 ["read", {}],
	 ["edit", {"file_path": "d/a.txt", "old_string": "two", "new_string": "2"}],
	 ["edit", {"file_path": "d/a.txt", "old_string": "two", "new_string": "2"}],
	 ["glob", {"pattern": "**/*.txt"}],
	 ["glob", {"pattern": "/x"}],
	 ["grep", {"pattern": "on[e]"}],
	 ["grep", {"pattern": "("}],
	 ["grep", {"pattern": "nothing"}]]
	END
}

# results FILE: with WORKDIR for what pwd printed.
results()
{
	local dir

	dir=$(head -n 1 "$1" | jq -r .text)
	[[ $dir == /* ]]
	sed "s,$dir,WORKDIR,g" "$1" | jq -c '{is_error, text}'
}

door_frames()
{
	mkdir "$T/frames"
	node "$ROOT/tests/fakes/serve-calls.mjs" "$T/calls" '{}' \
		"$BIN/sandbox-exec" --serve --rw "$T/frames" \
		--workdir "$T/frames" >"$T/by-frames"
}

door_tunnel()
{
	mkdir "$T/tunnel"
	make_tunnel
	start_edge
	make_proxy 1
	sed -i '/^routes:/,$d' "$T/proxy.yaml"
	cat >>"$T/proxy.yaml" <<-END
	routes:
	  docs:
	    command: [$BIN/sandbox-exec, --mcp, --rw, $T/tunnel,
	      --workdir, $T/tunnel]
	END
	start_connector connector -- "$BIN/mcp-proxy" --config "$T/proxy.yaml"
	NODE_EXTRA_CA_CERTS=$T/certs/ca.crt "$ROOT/tests/peers/run" "$PEERS" \
		call-tools.mjs --url "https://$NAME:$AGENTS/mcp" \
		--connect "127.0.0.1:$AGENTS" --calls "$T/calls" >"$T/by-tunnel"
}

door_worker()
{
	STEPS=$T/steps
	jq '{steps: ([["attached"]] + map(["ask"] + .) + [["idle"], ["again"]])}' \
		"$T/calls" >"$STEPS"
	play worker
	jq -c 'select(.route == "send") | .body.events[0] |
		{is_error, text: .content[0].text}' "$T/worker.log" >"$T/by-worker"
}

@test "the same calls give the same results through every door" {
	make_calls
	door_frames
	door_tunnel
	door_worker
	results "$T/by-frames" >"$T/frames.json"
	eq "$(wc -l <"$T/frames.json")" "$(jq length "$T/calls")"
	diff "$T/frames.json" <(results "$T/by-tunnel")
	diff "$T/frames.json" <(results "$T/by-worker")
}
