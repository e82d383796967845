#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <catch2/catch_get_random_seed.hpp>
#include <future>
#include <latch>
#include <map>
#include <random>
#include <set>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

/// What several callers do while one of them shuts down. Every outcome but success and `closed` is a fault.
struct Traffic {
  explicit Traffic(ThreadedApp& app_) : app(app_) {}

  asio::awaitable<void> work(std::string name, int caller) {
    try {
      for (int i = 0;; ++i) {
        const Pool pool = co_await app.state->db_instances.get_pool(name);
        const int id = caller * 1'000'000 + i;
        co_await pool.execute("INSERT INTO t VALUES (?)", id);
        std::lock_guard lock(mutex);
        acknowledged[name].insert(id);
      }
    } catch (const Error& error) {
      std::lock_guard lock(mutex);
      if (error.code() != errc::closed) faults.emplace_back(error.what());
    }
  }

  ThreadedApp& app;
  std::mutex mutex;
  std::map<std::string, std::set<int>> acknowledged;
  std::vector<std::string> faults;
};

TEST_CASE("race: get_pool and writes against shutdown, nothing leaks and no acknowledged write is lost") {
  // caller threads                              another caller           database threads
  // get_pool, insert, get_pool, insert, ...     (a random moment)        open, migrate, insert
  //                                             shutdown
  // closed                                      report                   close
  constexpr int rounds = 60;
  const auto seed = Catch::getSeed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::size_t writes = 0;
  for (int round = 0; round < rounds; ++round) {
    CAPTURE(round);
    ThreadedApp app({}, 3);
    const std::vector<std::string> names{"a", "b", "c"};
    for (const auto& name : names)
      app.state->db_instances.add_migrator(name, migrations({"CREATE TABLE t(x INTEGER)"}));
    Traffic traffic(app);
    std::vector<std::future<void>> callers;
    for (int caller = 0; caller < 12; ++caller)
      callers.push_back(app.spawn(traffic.work(names[static_cast<std::size_t>(caller) % 3], caller)));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 8000));  // any moment will do
    auto first = app.spawn(app.state->shutdown({.grace = patience, .deadline = patience}));
    auto second = app.spawn(app.state->shutdown({.grace = 1s, .deadline = patience}));
    CHECK(first.get().clean());
    CHECK(second.get().clean());
    CHECK(app.state->db_instances.names().empty());
    CHECK(open_descriptors(app.dir.path()) == 0);
    for (auto& caller : callers) caller.get();
    CHECK(traffic.faults == std::vector<std::string>{});
    for (const auto& name : names) {
      const auto file = app.dir / (name + ".db");
      if (!std::filesystem::exists(file)) {
        CHECK(traffic.acknowledged[name].empty());
        continue;
      }
      check_closed(file);
      std::set<int> kept;
      if (value(file, "SELECT count(*) FROM sqlite_schema WHERE name = 't'") == "1")
        for (const auto& id : column(file, "SELECT x FROM t")) kept.insert(std::stoi(id));
      CHECK(kept == traffic.acknowledged[name]);  // all of them, and nothing that was said to have failed
      writes += kept.size();
    }
  }
  if (writes == 0) WARN("shutdown came before the first write in every round");
}

TEST_CASE("race: get_pool, cancellation and timeouts against openings") {
  constexpr int rounds = 40;
  for (int round = 0; round < rounds; ++round) {
    CAPTURE(round);
    ThreadedApp app({}, 3);
    std::atomic<int> opened{0};
    std::atomic<int> detached{0};
    std::atomic<int> faults{0};
    const auto call = [&](std::optional<std::chrono::milliseconds> limit) -> asio::awaitable<void> {
      try {
        co_await app.state->db_instances.get_pool("x", {.timeout = limit});
        ++opened;
      } catch (const boost::system::system_error& error) {
        ++(error.code() == errc::acquire_timeout || error.code() == asio::error::operation_aborted ? detached : faults);
      }
    };
    constexpr int callers = 24;
    std::latch ended(callers);
    // Each on a strand of its own, so that a signal and its coroutine are never touched by two threads.
    std::vector<std::unique_ptr<asio::cancellation_signal>> signals;
    for (int i = 0; i < callers; ++i) {
      auto& signal = *signals.emplace_back(std::make_unique<asio::cancellation_signal>());
      const auto strand = asio::make_strand(app.io);
      const auto limit = i % 3 == 0 ? std::optional(1ms) : std::nullopt;
      asio::co_spawn(strand, call(limit),
                     asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr) { ended.count_down(); }));
      if (i % 3 == 1) asio::post(strand, [&signal] { signal.emit(asio::cancellation_type::terminal); });
    }
    ended.wait();
    CHECK(faults == 0);
    CHECK(opened + detached == callers);
    CHECK(opened >= callers / 3);
    CHECK(app.log.count("opened x.db") == 1);
    CHECK(app.run(app.state->shutdown()).clean());
    CHECK(open_descriptors(app.dir.path()) == 0);
  }
}

TEST_CASE("race: two AppStates on one directory, at every moment at most one has a file") {
  constexpr int rounds = 30;
  const testing::TempDir dir;
  testing::LogCapture log;
  asio::thread_pool io(2);
  std::atomic<int> holders{0};
  std::atomic<int> faults{0};
  std::atomic<int> turns{0};
  const auto one = [&]() -> asio::awaitable<void> {
    for (int round = 0; round < rounds; ++round) {
      AppStateOptions options;
      options.data_dir = dir.path();
      options.database_threads = 1;
      options.logger = log.logger();
      AppState state(co_await asio::this_coro::executor, std::move(options));
      co_await state.init();
      try {
        const Pool pool = co_await state.db_instances.get_pool("x");
        if (++holders != 1) ++faults;
        co_await pool.execute("CREATE TABLE IF NOT EXISTS t(x)");
        co_await pool.execute("INSERT INTO t VALUES (1)");
        ++turns;
        --holders;
      } catch (const Error& error) {
        if (error.code() != errc::file_in_use) ++faults;
      }
      if (!(co_await state.shutdown()).clean()) ++faults;
    }
  };
  std::vector<std::future<void>> ends;
  for (int i = 0; i < 2; ++i) {
    auto promise = std::make_shared<std::promise<void>>();
    ends.push_back(promise->get_future());
    asio::co_spawn(io, one, [promise](std::exception_ptr error) {
      error != nullptr ? promise->set_exception(error) : promise->set_value();
    });
  }
  for (auto& end : ends) end.get();
  CHECK(faults == 0);
  check_closed(dir / "x.db");
  CHECK(value(dir / "x.db", "SELECT count(*) FROM t") == std::to_string(turns));
  io.join();
}

}  // namespace
}  // namespace statehouse::test
