# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by the helpers

# What sandbox-worker says and does before and besides its work: options, exit
# statuses, the scripts of --on-work, what the kernel shows of its secrets.

load helpers.bash

KEY=sk-ant-oat01-secret

# service SCRIPT: a service that answers each request with what SCRIPT, in
# JavaScript, does with req, res, count and body; sets URL.
service()
{
	cat >"$T/service.mjs" <<-END
	import http from 'node:http';
	import fs from 'node:fs';
	let count = 0;
	const json = (res, v, status = 200) => res.writeHead(status,
	    {'content-type': 'application/json'}).end(JSON.stringify(v));
	const item = (id, more = {}) => ({id, type: 'work',
	    environment_id: 'env_1', data: {type: 'session', id: 'sesn_1'},
	    secret: Buffer.from(JSON.stringify({sessions_token: 'token-1'}))
	    .toString('base64url'), ...more});
	const server = http.createServer((req, res) => {
		let body = '';
		req.on('data', (d) => body += d);
		req.on('end', () => {
			count++;
			fs.appendFileSync('$T/requests', req.method + ' ' +
			    req.url + ' ' + req.headers.authorization + ' ' +
			    body + '\\n');
			$1
		});
	});
	server.listen(0, '127.0.0.1', () => fs.writeSync(9,
	    server.address().port + '\\n'));
	END
	start_ready service node "$T/service.mjs"
	URL=http://127.0.0.1:${READY[service]}
}

key_file()
{
	(umask 077 && echo "$KEY" >"$T/key")
}

poll()
{
	key_file
	run_tool "$1" "$BIN/sandbox-worker" poll --environment-id env_1 \
		--environment-key-file "$T/key" --base-url "$URL" "${@:2}"
}

requests()
{
	cut -d ' ' -f 1,2,4,5 "$T/requests"
}

@test "what is required is named" {
	run_tool 2 "$BIN/sandbox-worker"
	run_tool 2 "$BIN/sandbox-worker" serve
	run_tool 2 "$BIN/sandbox-worker" poll
	eq "${stderr_lines[0]}" "sandbox-worker: --environment-id or $(:
		)\$ANTHROPIC_ENVIRONMENT_ID is required"
	run_tool 2 "$BIN/sandbox-worker" poll --environment-id e
	[[ ${stderr_lines[0]} == *"ANTHROPIC_ENVIRONMENT_KEY is required" ]]
	run_tool 2 "$BIN/sandbox-worker" run
	eq "${stderr_lines[0]}" \
		"sandbox-worker: --work-id or \$ANTHROPIC_WORK_ID is required"
	run_tool 2 env ANTHROPIC_WORK_ID=w ANTHROPIC_ENVIRONMENT_ID=e \
		ANTHROPIC_SESSION_ID=s "$BIN/sandbox-worker" run
	eq "$stderr" "sandbox-worker: an environment key is required when $(:
		)there is no work secret work=w session=s"
}

@test "options that make no sense together or alone are refused" {
	local words why

	key_file
	while IFS='|' read -r words why; do
		# shellcheck disable=SC2086 # words
		run_tool 2 "$BIN/sandbox-worker" poll --environment-id e \
			--environment-key-file "$T/key" $words
		eq "${stderr_lines[0]}" "sandbox-worker: $why"
	done <<-'END'
	--max-sessions 2|--max-sessions: --workspaces is required for more than one
	--workdir . --workspaces .|--workdir and --workspaces exclude each other
	--max-sessions 0|--max-sessions: '0': not 1 to 256
	--max-idle soon|--max-idle: 'soon': not a time such as 60s
	--memory-sync 1s|--memory-sync: '1s': not off, or 5s and more
	--memory-deletions some|--memory-deletions: 'some': not enabled, log-only or disabled
	--log-format xml|--log-format: 'xml': not text or json
	--block 1s|--block: '1s': not 0 to 999 ms
	--base-url ftp://127.0.0.1|the base URL: neither https nor http
	--base-url http://api.example|the base URL: the token would go there in the clear: use https, or --allow-http
	--base-url https://user:password@api.example|the base URL: more than scheme, host, port and path
	--base-url https://api.example/?a=b|the base URL: more than scheme, host, port and path
	operand|operands are not taken
	END
}

@test "a key file that others can read is refused, and the key is not shown" {
	echo "$KEY" >"$T/key"
	chmod 644 "$T/key"
	run_tool 2 "$BIN/sandbox-worker" poll --environment-id e \
		--environment-key-file "$T/key"
	[[ $stderr != *"$KEY"* ]]
}

@test "a key that is refused ends polling with status 3" {
	local status_code

	for status_code in 401 403 404; do
		service "json(res, {type: 'error', error: {type: 'some_error',
		    message: 'no'}, request_id: 'r'}, $status_code);"
		poll 3
		eq "${stderr_lines[-1]}" \
			"sandbox-worker: polling: $status_code some_error: no"
		eq "$(requests)" "GET /v1/environments/env_1/work/poll?$(:
			)block_ms=999 $KEY "
		stop service
		rm "$T/requests"
	done
}

@test "a call that fails is made again at once, and then later" {
	service 'if (count < 3) res.writeHead(500).end();
		else json(res, null);'
	poll 0 --drain
	eq "$(requests | wc -l)" 3
	[[ $stderr != *"tried again"* ]]
	stop service
	rm "$T/requests"
	service 'if (count < 4) res.writeHead(429, {"retry-after-ms": "1234"})
			.end();
		else json(res, null);'
	poll 0 --drain
	eq "$(requests | wc -l)" 4
	[[ $stderr == *"polling: 429, tried again in 1234 ms"* ]]
	stop service
	rm "$T/requests"
	service 'if (count < 4) res.writeHead(400, {"x-should-retry": "true"})
			.end();
		else json(res, null);'
	poll 3 --drain
	eq "$(requests | wc -l)" 3
}

@test "a redirect is not followed" {
	service 'if (count == 1) res.writeHead(302, {location: "/else"}).end();
		else json(res, null);'
	poll 0 --drain
	[[ $stderr == *"polling: 302 a redirect, not followed"* ]]
	run -1 grep else "$T/requests"
}

@test "calls that are not encrypted go to no proxy" {
	service 'json(res, null);'
	http_proxy=http://127.0.0.1:9 all_proxy=http://127.0.0.1:9 \
		poll 0 --drain
	eq "$(requests | wc -l)" 1
}

@test "a file that sessions can read or change is refused" {
	key_file
	mkdir "$T/work"
	cp -p "$T/key" "$T/work/key"
	echo '{}' >"$T/work/choose.jq"
	run_tool 2 "$BIN/sandbox-worker" poll --environment-id e \
		--environment-key-file "$T/work/key" --workdir "$T/work"
	eq "${stderr_lines[0]}" "sandbox-worker: --environment-key-file $(:
		)$T/work/key: sessions can write where it lies"
	run_tool 2 "$BIN/sandbox-worker" poll --environment-id e \
		--environment-key-file "$T/key" --workspaces "$T" \
		--policy-jq "$T/work/choose.jq"
	run_tool 2 "$BIN/sandbox-worker" run --work-id w --session-id s \
		--environment-id e --workdir "$T/work" --state "$T/work"
	eq "${stderr_lines[0]}" "sandbox-worker: --state $T/work: $(:
		)sessions can write where it lies"
}

@test "--on-work runs the script for each item, by the vendor's contract" {
	cat >"$T/script" <<-'END'
	#!/bin/sh
	cat >"$OUT/item"
	env | grep ^ANTHROPIC_ | sort >"$OUT/variables"
	echo to standard output
	END
	chmod +x "$T/script"
	service 'if (req.url.includes("/poll") && count == 1)
			json(res, item("work_1"));
		else if (req.url.endsWith("/stop")) res.writeHead(204).end();
		else json(res, null);'
	OUT=$T ANTHROPIC_WORK_SECRET=x ANTHROPIC_OTHER=y poll 0 --drain \
		--on-work "$T/script"
	eq "$output" ""
	[[ $stderr == *"to standard output"* ]]
	eq "$(cat "$T/variables")" "ANTHROPIC_BASE_URL=$URL
ANTHROPIC_ENVIRONMENT_ID=env_1
ANTHROPIC_ENVIRONMENT_KEY=$KEY
ANTHROPIC_OTHER=y
ANTHROPIC_SESSION_ID=sesn_1
ANTHROPIC_WORK_ID=work_1"
	eq "$(jq -r .id,.data.id "$T/item")" "work_1
sesn_1"
	[[ $(jq -r .secret "$T/item") != null ]]
	requests >"$T/calls"
	diff - "$T/calls" <<-END
	GET /v1/environments/env_1/work/poll?block_ms=999 $KEY 
	POST /v1/environments/env_1/work/work_1/ack $KEY 
	POST /v1/environments/env_1/work/work_1/stop $KEY {}
	GET /v1/environments/env_1/work/poll?block_ms=999 $KEY 
	END
}

@test "a script that cannot be run is fatal, and its item is stopped" {
	service 'if (req.url.includes("/poll")) json(res, item("work_1"));
		else json(res, {});'
	key_file
	run -127 "$BIN/sandbox-worker" poll --environment-id env_1 \
		--environment-key-file "$T/key" --base-url "$URL" \
		--on-work "$T/nothing"
	[[ $(requests) == *"work_1/stop $KEY {}"* ]]
	echo text >"$T/text"
	poll 126 --on-work "$T/text"
}

@test "an item that is no session is stopped, not given to the script" {
	service 'if (req.url.includes("/poll") && count == 1)
			json(res, item("work_1", {data: {type: "healthcheck",
			    id: "h"}}));
		else json(res, null);'
	poll 0 --drain --on-work "$T/nothing"
	[[ $(requests) == *"work_1/stop $KEY {}"* ]]
}

@test "an item that is offered again and again is ended" {
	echo '#!/bin/sh' >"$T/script"
	chmod +x "$T/script"
	service 'if (req.url.includes("/poll"))
			json(res, count < 13 ? item("work_1") : null);
		else json(res, {});'
	poll 0 --drain --on-work "$T/script"
	eq "$(requests | grep -c '/stop .* {}$')" 3
	eq "$(requests | grep -c '/stop .* {"force":true}$')" 1
	[[ $stderr == *"work_1: it was claimed 3 times before: it is ended"* ]]
}

@test "SIGTERM ends a script and then the poller" {
	cat >"$T/script" <<-'END'
	#!/bin/sh
	trap 'echo ended >"$OUT/ended"; exit 7' TERM
	echo begun >"$OUT/begun"
	while :; do sleep 0.1; done
	END
	chmod +x "$T/script"
	service 'if (req.url.includes("/poll")) json(res, item("work_1"));
		else json(res, {});'
	key_file
	start_bg worker env OUT="$T" "$BIN/sandbox-worker" poll \
		--environment-id env_1 --environment-key-file "$T/key" \
		--base-url "$URL" --on-work "$T/script"
	wait_until test -s "$T/begun"
	stop worker
	eq "$STATUS" 0
	[[ -s $T/ended ]]
	[[ $(requests) == *"work_1/stop $KEY {}"* ]]
}

@test "--item-fd takes an item with its key" {
	service 'if (req.url.endsWith("/stop")) res.writeHead(204).end();
		else if (req.url.includes("/heartbeat")) json(res,
		    {last_heartbeat: "1", lease_extended: true, state: "active",
		    ttl_seconds: 30});
		else json(res, {status: "terminated"});'
	jq -n --arg key "$KEY" '{id: "work_1", environment_id: "env_1",
		environment_key: $key, data: {type: "session", id: "s/1"}}' \
		>"$T/item"
	run_tool 0 "$BIN/sandbox-worker" run --item-fd 5 --base-url "$URL" \
		5<"$T/item"
	[[ $(requests) == *"GET /v1/sessions/s%2F1 $KEY"* ]]
	[[ $(requests) == *"/stop $KEY {\"force\":true}" ]]
	# An id that is a step up stays what it is.
	jq '.data.id = ".."' "$T/item" >"$T/up"
	run_tool 0 "$BIN/sandbox-worker" run --item-fd 5 --base-url "$URL" \
		5<"$T/up"
	[[ $(requests) == *"GET /v1/sessions/.. $KEY"* ]]
	echo '{"id": 7}' >"$T/item"
	run_tool 2 "$BIN/sandbox-worker" run --item-fd 5 5<"$T/item"
}

@test "the kernel shows none of the secrets" {
	service 'if (req.url.includes("/poll")) return;
		json(res, {});'
	start_bg worker env "ANTHROPIC_ENVIRONMENT_KEY=$KEY" \
		"ANTHROPIC_WORK_SECRET=$KEY" "$BIN/sandbox-worker" poll \
		--environment-id env_1 --base-url "$URL"
	start_bg other "$BIN/sandbox-worker" poll --environment-id env_1 \
		--base-url "$URL" "--environment-key=$KEY"
	wait_until has_requests 2
	run -1 grep -a "$KEY" "/proc/${PID[worker]}/environ"
	run -1 grep -a "$KEY" "/proc/${PID[other]}/cmdline"
	grep -q "every process could read it" "$T/other.err"
}

has_requests()
{
	[[ -e $T/requests && $(wc -l <"$T/requests") -ge $1 ]]
}

@test "--log-format json writes an object for each line" {
	service 'json(res, null);'
	poll 0 --drain --log-format json -v
	eq "$(jq -r .component <<<"$stderr" | sort -u)" sandbox-worker
	eq "$(jq -r 'select(.msg == "no work, polling goes on").level' \
		<<<"$stderr")" info
}

@test "--metrics and --status-fd tell what happens" {
	service 'json(res, count == 1 ? {} : null);'
	poll 0 --drain --metrics "$T/metrics" --ready-fd 8 8>"$T/ready"
	eq "$(cat "$T/ready")" ""
	grep -qx "sandbox_worker_polls_total 2" "$T/metrics"
	grep -qx "sandbox_worker_poll_failures_total 1" "$T/metrics"
	grep -qx "sandbox_worker_empty_polls_total 1" "$T/metrics"
	grep -qE "^sandbox_worker_last_progress_timestamp_seconds [0-9]+$" \
		"$T/metrics"
}

warned_times()
{
	(($(grep -c 'warning: .*/metrics' "$T/worker.err") == $1))
}

@test "metrics that cannot be written are told once, until they can" {
	local polls

	service 'json(res, null);'
	key_file
	mkdir "$T/metrics"
	start_bg worker "$BIN/sandbox-worker" poll --environment-id env_1 \
		--environment-key-file "$T/key" --base-url "$URL" \
		--metrics "$T/metrics/m"
	wait_file "$T/metrics/m"
	mv "$T/metrics" "$T/away"
	wait_line worker 'warning: .*/metrics'
	polls=$(wc -l <"$T/requests")
	wait_until has_requests $((polls + 4))
	warned_times 1
	mkdir "$T/metrics"
	wait_file "$T/metrics/m"
	rm -r "$T/metrics"
	wait_until warned_times 2
}

@test "headers of the operator go with every call" {
	service 'if (req.headers["x-team"] === "blue") json(res, null);
		else json(res, {}, 401);'
	ANTHROPIC_CUSTOM_HEADERS=$'X-Team: blue\nX-Other: a' poll 0 --drain
	ANTHROPIC_CUSTOM_HEADERS='Authorization: mine' poll 2 --drain
	ANTHROPIC_CUSTOM_HEADERS='no header' poll 2 --drain
}
