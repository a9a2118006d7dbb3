-- SPDX-License-Identifier: ISC

-- The load of `bridge` for wrk: tools/call of echo in a session, each request
-- with an id of its own.  BENCH_SESSION is the session, BENCH_NAME prefixes
-- the results.

local name = os.getenv("BENCH_NAME") or "bridge"
local before = '{"jsonrpc":"2.0","id":'
local after = ',"method":"tools/call","params":{"name":"echo","arguments":' ..
	'{"message":"' .. string.rep("x", 100) .. '"}}}'
local count = tonumber(os.getenv("BENCH_FIRST") or "1")

wrk.method = "POST"
wrk.headers["Host"] = os.getenv("BENCH_HOST")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
wrk.headers["MCP-Protocol-Version"] = "2025-06-18"
wrk.headers["Mcp-Session-Id"] = os.getenv("BENCH_SESSION")

function request()
	count = count + 1
	return wrk.format(nil, nil, nil, before .. count .. after)
end

function response(status, headers, body)
	if status ~= 200 or not string.find(body, "xxxx", 1, true) then
		wrong = (wrong or 0) + 1
	end
end

local threads = {}

function setup(thread)
	table.insert(threads, thread)
end

function done(summary, latency)
	local errors = summary.errors
	local failed = errors.connect + errors.read + errors.write +
		errors.status + errors.timeout
	for _, thread in ipairs(threads) do
		failed = failed + (thread:get("wrong") or 0)
	end
	print(string.format("%s_ops %d count", name, summary.requests))
	print(string.format("%s_errors %d count", name, failed))
	print(string.format("%s_rate %.1f call/s", name,
		summary.requests / summary.duration * 1e6))
	print(string.format("%s_p50 %.1f us", name, latency:percentile(50)))
	print(string.format("%s_p99 %.1f us", name, latency:percentile(99)))
end
