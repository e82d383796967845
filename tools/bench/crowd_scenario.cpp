// Many more databases than the process may have files open: all are served, the least recently used ones sleep.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <random>
#include <stdexcept>
#include <thread>

#include "application.hpp"
#include "c_api.hpp"
#include "child_process.hpp"
#include "scenario.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/migrations/context.hpp"

namespace statehouse::bench {
namespace {

using std::chrono::steady_clock;

constexpr int in_flight = 64;
constexpr rlim_t open_files = 1024;  // what most systems give a process

std::string name_of(int index) {
  return "tenants/" + std::to_string(index);
}

void make_crowd(const ScratchDirectory& directory, int count) {
  std::filesystem::create_directory(directory / "tenants");
  const std::filesystem::path first = directory / (name_of(0) + ".db");
  {
    Connection database(first);
    migrations::context().run(database);
    database.execute(write_sql, "document", "block", sample_value());
  }
  for (int i = 1; i < count; ++i) std::filesystem::copy_file(first, directory / (name_of(i) + ".db"));
}

/// The most descriptors that were seen at once, looked at all the time.
class DescriptorWatch {
 public:
  std::size_t stop() {
    thread_.request_stop();
    thread_.join();
    return most_;
  }

 private:
  void look(const std::stop_token& stopped) {
    while (!stopped.stop_requested()) {
      const std::filesystem::directory_iterator all("/proc/self/fd");
      most_ = std::max(most_, static_cast<std::size_t>(std::distance(begin(all), end(all))));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  std::size_t most_ = 0;
  std::jthread thread_{[this](const std::stop_token& stopped) { look(stopped); }};
};

/// 64 at once, as one caller after the other asks `next` for a database. Nine of ten read.
double operations_per_second(Application& app, int operations, const std::function<int()>& next, int& errors) {
  int begun = 0;
  const auto use = [&]() -> asio::awaitable<void> {
    while (begun < operations) {
      const bool writes = begun++ % 10 == 9;
      const std::string name = name_of(next());
      try {
        const Pool pool = co_await app.state.db_instances.get_pool(name);
        if (writes) {
          co_await pool.execute(write_sql, "document", "block", sample_value());
        } else {
          co_await pool.query_one<std::string>(read_sql, "document", "block");
        }
      } catch (const Error&) {
        ++errors;
      }
    }
  };
  const auto began = steady_clock::now();
  for (int i = 0; i < in_flight; ++i) asio::co_spawn(app.io, use, asio::detached);
  app.io.restart();
  app.io.run();
  return operations / milliseconds_since(began) * 1e3;
}

Values serve_crowd(const ScratchDirectory& directory, int count, std::uint64_t seed) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = open_files;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) throw std::runtime_error("cannot set the limit of open files");
  Application app(directory.path());
  const auto init = [&]() -> asio::awaitable<void> { co_await app.state.init(); };
  run_to_end(app.io, init);
  app.state.db_instances.add_migrator("tenants/*", migrations::context());

  DescriptorWatch watch;
  int errors = 0;
  int turn = 0;
  Values values;
  values["round_robin_s"] = operations_per_second(
      app, 2 * count, [&] { return turn++ % count; }, errors);
  std::vector<double> weights;
  for (int i = 1; i <= count; ++i) weights.push_back(1.0 / i);
  std::discrete_distribution<int> zipf(weights.begin(), weights.end());
  std::mt19937_64 random(seed);
  values["zipf_s"] = operations_per_second(
      app, 4 * count, [&] { return zipf(random); }, errors);
  values["most_descriptors"] = static_cast<double>(watch.stop());
  values["errors"] = errors;
  const auto close = [&]() -> asio::awaitable<void> { co_await app.state.shutdown(); };
  run_to_end(app.io, close);
  return values;
}

}  // namespace

void run_crowd(const Bench& bench, int round) {
  const int count = bench.settings.brief ? 1000 : 10'000;
  const ScratchDirectory directory(bench.settings.directory);
  make_crowd(directory, count);
  const auto seed = bench.settings.seed + static_cast<std::uint64_t>(round);
  const std::string text = test::in_child([&] { return to_text(serve_crowd(directory, count, seed)); });
  bench.results.add("crowd/ulimit 1024", statehouse_name, from_text(text));
}

}  // namespace statehouse::bench
