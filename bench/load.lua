-- Sends the prepared requests of a file in turn and prints one line of figures.
-- A line of the file is a session's reference, a tab and the body of a POST; the reference may be empty.
-- With `look` as second argument every answer is looked at, which costs time: for warming up.

local prepared, at, threads = {}, 0, {}
wrong = 0

function setup(thread)
  threads[#threads + 1] = thread
end

function init(arguments)
  for line in io.lines(arguments[1]) do
    local reference, body = line:match("^(%S*)\t(.*)$")
    local headers = { ["Content-Type"] = "application/json", ["Accept"] = "application/json" }
    headers["Host"] = wrk.headers["Host"]
    if reference ~= "" then
      headers["Cookie"] = "__Host-sparekey=" .. reference
    end
    prepared[#prepared + 1] = wrk.format("POST", "/graphql", headers, body)
  end
  if arguments[2] == "look" then
    response = look
  end
end

function request()
  at = at % #prepared + 1
  return prepared[at]
end

function look(status, headers, body)
  if status ~= 200 or body:find('"errors"', 1, true) or not body:find('"data"', 1, true) then
    wrong = wrong + 1
  end
end

function done(summary, latency)
  local e, failures = summary.errors, 0
  for _, thread in ipairs(threads) do
    failures = failures + thread:get("wrong")
  end
  failures = failures + e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format(
    "figures requests=%d microseconds=%d bytes=%d p50=%d p99=%d failures=%d\n",
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99), failures))
end
