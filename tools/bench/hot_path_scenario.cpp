// What a call costs when everything is warm: get_pool on an open database, allocations per operation, an observer.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>

#include "allocations.hpp"
#include "application.hpp"
#include "pool_on_file.hpp"
#include "scenario.hpp"
#include "statehouse/observer.hpp"

namespace statehouse::bench {
namespace {

class Collector final : public benchmark::BenchmarkReporter {
 public:
  explicit Collector(Results& results) : results_(results) {}
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    // With several threads: elapsed time by the calls of all of them.
    for (const Run& run : runs)
      results_.add("get_pool/" + std::to_string(run.threads), statehouse_name, {{"ns", run.GetAdjustedRealTime()}});
  }

 private:
  Results& results_;
};

asio::awaitable<void> ask_again_and_again(DbInstances& databases, benchmark::State& state) {
  for ([[maybe_unused]] auto _ : state) {
    const Pool pool = co_await databases.get_pool("context");
    benchmark::DoNotOptimize(&pool);
  }
}

void measure_get_pool(const Bench& bench, Application& app) {
  const auto loop = [&](benchmark::State& state) {
    boost::asio::io_context io(1);
    const auto work = [&] { return ask_again_and_again(app.state.db_instances, state); };
    run_to_end(io, work);
  };
  benchmark::RegisterBenchmark("get_pool", loop)->Threads(1)->Threads(2)->Threads(8)->UseRealTime()->MinTime(0.1);
  Collector collector(bench.results);
  benchmark::RunSpecifiedBenchmarks(&collector);
  benchmark::ClearRegisteredBenchmarks();
}

/// One call at a time, after a warm-up; `call()` gives an awaitable.
template <class Call>
double allocations_per_call(boost::asio::io_context& io, Call&& call) {
  constexpr int calls = 1000;
  double result = 0;
  const auto work = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < calls; ++i) co_await call();
    const AllocationCount count;
    for (int i = 0; i < calls; ++i) co_await call();
    result = static_cast<double>(count.value()) / calls;
  };
  run_to_end(io, work);
  return result;
}

void count_allocations(const Bench& bench, Application& app) {
  bench.results.add(
      "allocations/get_pool", statehouse_name,
      {{"per_call", allocations_per_call(app.io, [&] { return app.state.db_instances.get_pool("context"); })}});
  boost::asio::io_context io(1);
  PoolOnFile store(bench.database);
  const Key& key = bench.keys.front();
  const std::string value = sample_value();
  const auto count = [&](const char* what, auto&& call) {
    bench.results.add(what, statehouse_name, {{"per_call", allocations_per_call(io, call)}});
  };
  const Pool& pool = store.pool();
  // One of them is the result's: a string of 200 bytes.
  count("allocations/query_optional, text of 200 bytes",
        [&] { return pool.query_optional<std::string>(read_sql, key.document, key.block); });
  count("allocations/query_optional, integer", [&] { return pool.query_optional<int>("SELECT 1 WHERE ? = 1", 1); });
  count("allocations/execute, text of 200 bytes",
        [&] { return pool.execute(write_sql, key.document, key.block, value); });
  count("allocations/execute, integers", [&] { return pool.execute("DELETE FROM context WHERE rowid = ?", -1); });
}

/// Is told of everything, and does nothing.
class SilentObserver final : public Observer {
 public:
  void started(OperationInfo&) noexcept override {}
  void finished(const OperationInfo&, const OperationOutcome&) noexcept override {}
};

/// The same queries with and without an observer, on the calling thread, where they cost so little that it can be seen.
/// By turns, and the fastest of many short runs counts: whatever disturbs one only makes it slower.
class ObserverCost {
 public:
  explicit ObserverCost(const std::filesystem::path& directory)
      : without_(io_.get_executor(), {.data_dir = directory / "without"}),
        with_(io_.get_executor(), {.data_dir = directory / "with", .observer = std::make_shared<SilentObserver>()}) {}

  void measure(Results& results) {
    double without = std::numeric_limits<double>::max();
    double with = without;
    const auto work = [&]() -> asio::awaitable<void> {
      const Pool silent = co_await open(without_);
      const Pool observed = co_await open(with_);
      for (int run = 0; run < runs; ++run) {
        without = std::min(without, co_await ask(silent));
        with = std::min(with, co_await ask(observed));
      }
      co_await without_.shutdown();
      co_await with_.shutdown();
    };
    run_to_end(io_, work);
    results.add("query_one inline", statehouse_name, {{"ns", without}});
    results.add("query_one inline, observer", statehouse_name, {{"ns", with}, {"more_ns", with - without}});
  }

 private:
  static constexpr int runs = 300;
  static constexpr int queries = 200;  // of each run

  static asio::awaitable<Pool> open(AppState& state) {
    co_await state.init();
    co_return co_await state.db_instances.get_pool("context");
  }
  /// Nanoseconds of one.
  static asio::awaitable<double> ask(const Pool& pool) {
    constexpr CallOptions here{.inline_read = true};
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < queries; ++i) co_await pool.query_one<int>(here, "SELECT 1 WHERE ? = 1", 1);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
    co_return took.count() / queries;
  }

  boost::asio::io_context io_{1};
  AppState without_;
  AppState with_;
};

}  // namespace

void run_hot_path(const Bench& bench, int round) {
  const ScratchDirectory directory(bench.settings.directory);
  Application app(directory.path());
  const auto open = [&]() -> asio::awaitable<void> {
    co_await app.state.init();
    co_await app.state.db_instances.get_pool("context");
  };
  run_to_end(app.io, open);
  measure_get_pool(bench, app);
  if (round == 0) count_allocations(bench, app);
  ObserverCost(directory.path()).measure(bench.results);
  const auto close = [&]() -> asio::awaitable<void> { co_await app.state.shutdown(); };
  run_to_end(app.io, close);
}

}  // namespace statehouse::bench
