-- One tools/call, again and again: every answer is read and compared, and the totals are printed as JSON.
-- Arguments after the URL and "--": the body, the text a right answer holds, then headers as "Name: value".
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  wrk.method = "POST"
  wrk.body = args[1]
  expected = args[2]
  wrong = 0
  example = ""
  for i = 3, #args do
    local name, value = args[i]:match("^([^:]+): (.*)$")
    wrk.headers[name] = value
  end
end

function response(status, headers, body)
  if status ~= 200 or not body:find(expected, 1, true) or body:find('"isError":true', 1, true) then
    wrong = wrong + 1
    example = status .. " " .. body:sub(1, 300)
  end
end

function done(summary, latency, requests)
  local wrong, example = 0, ""
  for _, thread in ipairs(threads) do
    wrong = wrong + thread:get("wrong")
    example = thread:get("example")
  end
  local errors = summary.errors
  io.write(string.format(
    'figures {"answers": %d, "seconds": %.6f, "wrong": %d, "broken": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, wrong, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
  io.write("example " .. example .. "\n")
end
