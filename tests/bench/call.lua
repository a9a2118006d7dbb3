-- SPDX-License-Identifier: ISC

-- The HTTP load for wrk: a POST of a 140-byte tools/call with the headers an
-- MCP client sends.  BENCH_HOST is the Host; BENCH_NAME prefixes the results,
-- which are printed as "name value unit" lines after wrk's own text.

local name = os.getenv("BENCH_NAME") or "http"
local body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' ..
	'{"name":"echo","arguments":{"message":"'
local tail = '"}}}'

wrk.method = "POST"
wrk.body = body .. string.rep("x", 140 - #body - #tail) .. tail
wrk.headers["Host"] = os.getenv("BENCH_HOST")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
wrk.headers["User-Agent"] = "bench"
wrk.headers["MCP-Protocol-Version"] = "2025-06-18"
wrk.headers["Mcp-Session-Id"] = "0123456789abcdef0123456789abcdef"
wrk.headers["Authorization"] = "Bearer 0123456789abcdef"

function done(summary, latency)
	local errors = summary.errors
	local failed = errors.connect + errors.read + errors.write +
		errors.status + errors.timeout
	print(string.format("%s_ops %d count", name, summary.requests))
	print(string.format("%s_errors %d count", name, failed))
	print(string.format("%s %.1f req/s", name,
		summary.requests / summary.duration * 1e6))
	print(string.format("%s_p50 %.1f us", name, latency:percentile(50)))
	print(string.format("%s_p99 %.1f us", name, latency:percentile(99)))
end
