#include "closed_loop.hpp"

#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <exception>

#include "window.hpp"

namespace statehouse::bench {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

struct Run {
  AsyncStore& store;
  const Load& load;
  Window window;
  Measurement result;
};

asio::awaitable<void> work(Run& run, std::size_t worker) {
  Requests requests(run.load.keys, run.load.kind, run.load.seed, worker);
  Tally& tally = run.result.tally;
  while (run.window.more()) {
    const Key& key = requests.key();
    const bool writes = requests.writes();
    const auto began = steady_clock::now();
    try {
      if (writes) {
        co_await run.store.write(key, requests.value());
      } else {
        const std::optional<std::string> found = co_await run.store.read(key);
        if (!found) tally.fail("no row for a key");
      }
    } catch (const std::exception& failure) {
      tally.fail(failure.what());
    }
    run.window.record(tally, run.result.per_worker[worker], writes, steady_clock::now() - began);
  }
}

}  // namespace

Measurement run_closed_loop(asio::io_context& io, AsyncStore& store, const Load& load) {
  const auto workers = static_cast<std::size_t>(load.in_flight);
  Run run{store, load, Window(load), {}};
  run.result.per_worker.resize(workers);
  std::exception_ptr failure;
  for (std::size_t worker = 0; worker < workers; ++worker)
    asio::co_spawn(io, work(run, worker), [&](std::exception_ptr error) {
      if (error != nullptr) failure = error;
    });
  io.restart();
  io.run();
  run.window.finish(run.result);
  if (failure != nullptr) std::rethrow_exception(failure);
  return std::move(run.result);
}

}  // namespace statehouse::bench
