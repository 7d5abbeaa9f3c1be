-- Recommendations for users drawn at random, as `shortlist loadtest` asks for them, by a crowd: every connection waits for
-- a time drawn from an exponential distribution before it asks again. A large crowd that seldom asks is nearly a Poisson
-- process. Called with the mean wait in milliseconds, the number of users and a seed.

local wait_ms, users

function init(args)
    wait_ms, users = tonumber(args[1]), tonumber(args[2])
    math.randomseed(tonumber(args[3]))
    wrk.headers["content-type"] = "application/json"
end

function delay()
    return -wait_ms * math.log(1 - math.random())
end

function request()
    return wrk.format("POST", "/v1/recommend", nil, string.format('{"user_id":"user-%d","k":10}', math.random(users)))
end

function done(summary, latency, requests)
    local errors = summary.errors
    print(string.format('{"seconds": %f, "ok": %d, "failed": %d, "p50_ms": %f, "p90_ms": %f, "p99_ms": %f}',
        summary.duration / 1e6, summary.requests, errors.status + errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3))
end
