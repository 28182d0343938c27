-- wrk's script: GETs the paths of a file, in random order. Argument: the file, with a path on each line, or a path, a tab and
-- the ETag that the client already has. BENCH_REST in the environment: milliseconds that each connection rests between two
-- requests, on average; without it none.
local requests = {}
local rest = tonumber(os.getenv("BENCH_REST"))

function init(arguments)
  for line in io.lines(arguments[1]) do
    local path, tag = line:match("^(%S+)\t?(.*)$")
    requests[#requests + 1] = wrk.format("GET", path, tag ~= "" and { ["If-None-Match"] = tag } or nil)
  end
  math.randomseed(os.time())
end

-- Nothing is put together here: the generator shares its cores with what it measures.
function request()
  return requests[math.random(#requests)]
end

-- wrk asks for it only where it is defined.
if rest then
  function delay() return math.random(0, 2 * rest) end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format("figures %f %f %f %f %d", summary.requests / summary.duration * 1e6, summary.bytes / summary.requests, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
