// What no stepping can force, on real threads with the real clock: cancellations, timeouts, drops and shutdown against
// operations that end at the same moment. Meant for the sanitizers above all; each must hold on every schedule.

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <mutex>
#include <random>
#include <ranges>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include "async_fixture.hpp"
#include "eventually.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

/// Coroutines on strands of two threads, SQLite on three others.
struct RacingApp {
  explicit RacingApp(PoolOptions pool_options = {}) {
    AppStateOptions options;
    options.data_dir = dir.path();
    options.logger = log.logger();
    options.database_threads = 3;
    options.pool = std::move(pool_options);
    options.pool.acquire_timeout = 1min;
    state.emplace(callers.get_executor(), std::move(options));
    const auto open = [this]() -> asio::awaitable<void> {
      co_await state->init();
      pool.emplace(co_await state->db_instances.get_pool("test"));
      co_await pool->execute("CREATE TABLE t(a INTEGER PRIMARY KEY)");
    };
    asio::co_spawn(callers, open, asio::use_future).get();
  }
  ~RacingApp() {
    state.reset();
    callers.join();
  }
  std::set<int> rows() const {
    const auto all = asio::co_spawn(callers, pool->query_all<int>("SELECT a FROM t"), asio::use_future).get();
    return {all.begin(), all.end()};
  }

  testing::TempDir dir;
  testing::LogCapture log;
  mutable asio::thread_pool callers{2};
  std::optional<AppState> state;
  std::optional<Pool> pool;
};

/// Adds rows in every way there is and remembers which were acknowledged.
class Writer : public std::enable_shared_from_this<Writer> {
 public:
  Writer(RacingApp& app, int first_id, unsigned seed)
      : app_(app), strand_(asio::make_strand(app.callers)), random_(seed), id_(first_id) {}

  std::future<void> start(int times, CallOptions options = {}) {
    options_ = options;
    return asio::co_spawn(
        strand_, [self = shared_from_this(), times] { return self->work(times); }, asio::use_future);
  }

  /// From any thread: cancels what runs at that moment, if anything does.
  void cancel(asio::cancellation_type type) {
    asio::post(strand_, [self = shared_from_this(), type] { self->signal_.emit(type); });
  }

  const std::set<int>& acknowledged() const noexcept { return acknowledged_; }
  const std::string& surprise() const noexcept { return surprise_; }

 private:
  asio::awaitable<void> work(int times) {
    for (int i = 0; i < times; ++i) {
      const int id = ++id_;
      // A coroutine of its own for each, since one that was cancelled stays so.
      auto step = asio::co_spawn(strand_, add(id), asio::bind_cancellation_slot(signal_.slot(), asio::deferred));
      try {
        co_await std::move(step);
        acknowledged_.insert(id);
      } catch (const boost::system::system_error& error) {
        const auto& code = error.code();
        const bool expected = code == std::errc::operation_canceled || code == condition::timeout ||
                              code == condition::closed || code == errc::transaction_rolled_back;
        if (!expected) surprise_ = error.what();
        if (code == condition::closed) co_return;
      }
    }
  }

  asio::awaitable<void> add(int id) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    const Pool& pool = *app_.pool;
    switch (random_() % 5) {
      case 0: co_await pool.execute(options_, "INSERT INTO t VALUES (?)", id); break;
      case 1: {
        const auto closure = [&](Connection& db) {
          db.execute("INSERT INTO t VALUES (?)", -id);
          db.execute("UPDATE t SET a = -a WHERE a = ?", -id);
        };
        co_await pool.write(closure, options_);
        break;
      }
      case 2: {
        auto transaction = co_await pool.begin(options_);
        co_await transaction.execute("INSERT INTO t VALUES (?)", id);
        co_await std::move(transaction).commit();
        break;
      }
      case 3: {
        auto lease = co_await pool.acquire(writer, options_);
        co_await lease.execute("INSERT INTO t VALUES (?)", id);
        break;
      }
      default:
        co_await pool.query_one<int>(options_, "SELECT count(*) FROM t");
        co_await pool.execute(options_, "INSERT INTO t VALUES (?)", id);
    }
  }

  RacingApp& app_;
  asio::strand<asio::thread_pool::executor_type> strand_;
  std::mt19937 random_;
  asio::cancellation_signal signal_;
  CallOptions options_;
  int id_;
  std::set<int> acknowledged_;
  std::string surprise_;
};

constexpr int ids_per_writer = 1'000'000;

std::vector<std::shared_ptr<Writer>> make_writers(RacingApp& app, int number) {
  std::vector<std::shared_ptr<Writer>> writers;
  for (int i = 0; i < number; ++i)
    writers.push_back(std::make_shared<Writer>(app, i * ids_per_writer, Catch::getSeed() + unsigned(i)));
  return writers;
}

void check_outcome(RacingApp& app, const std::vector<std::shared_ptr<Writer>>& writers) {
  std::set<int> acknowledged;
  for (const auto& writer : writers) {
    CHECK(writer->surprise().empty());
    acknowledged.insert(writer->acknowledged().begin(), writer->acknowledged().end());
  }
  CHECK(app.rows() == acknowledged);
  CHECK(app.pool->stats().holders.empty());
  CHECK(app.pool->stats().writer.waiting == 0);
}

bool done(const std::vector<std::future<void>>& futures) {
  return std::ranges::all_of(futures,
                             [](const auto& future) { return future.wait_for(0s) == std::future_status::ready; });
}

TEST_CASE("races: cancelled at any moment, acknowledged is exactly what is kept") {
  RacingApp app;
  const auto writers = make_writers(app, 8);
  std::vector<std::future<void>> futures;
  for (const auto& writer : writers) futures.push_back(writer->start(300));
  std::mt19937 random(Catch::getSeed());
  const asio::cancellation_type types[]{asio::cancellation_type::terminal, asio::cancellation_type::partial,
                                        asio::cancellation_type::total};
  while (!done(futures)) {
    writers[random() % writers.size()]->cancel(types[random() % 3]);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 200));
  }
  check_outcome(app, writers);
}

TEST_CASE("races: timed out at any moment, acknowledged is exactly what is kept") {
  RacingApp app;
  const auto writers = make_writers(app, 16);
  std::vector<std::future<void>> futures;
  for (const auto& writer : writers) futures.push_back(writer->start(150, {.timeout = 1ms}));
  for (auto& future : futures) future.get();
  check_outcome(app, writers);
}

TEST_CASE("races: cancelled while the connection is broken and opened anew, each completes once") {
  PoolOptions options;
  std::atomic<int> opened{0};
  options.connection.on_connect = [&](Connection&, connection_role role) {
    if (role == connection_role::writer && ++opened % 2 == 0) throw std::runtime_error("cannot open now");
  };
  RacingApp app(options);
  constexpr int each = 40;
  constexpr std::size_t workers = 8;
  std::atomic<int> completions{0};
  std::vector<std::future<void>> futures;
  std::vector<asio::strand<asio::thread_pool::executor_type>> strands;
  std::vector<std::unique_ptr<asio::cancellation_signal>> signals;
  const auto breaks_the_connection = [](Connection& db) -> void {
    db.execute("INSERT INTO t VALUES (-1)");
    const auto deny = [](void*, int action, const char*, const char*, const char*, const char*) {
      return action == SQLITE_TRANSACTION ? SQLITE_DENY : SQLITE_OK;
    };
    sqlite3_set_authorizer(db.native().getHandle(), deny, nullptr);
    throw std::runtime_error("mine");
  };
  const auto worker = [&](std::size_t i) -> asio::awaitable<void> {
    for (int n = 0; n < each; ++n) {
      try {
        co_await asio::co_spawn(strands[i], app.pool->write(breaks_the_connection),
                                asio::bind_cancellation_slot(signals[i]->slot(), asio::deferred));
      } catch (const std::exception&) {
      }
      ++completions;
    }
  };
  for (std::size_t i = 0; i < workers; ++i) {
    strands.push_back(asio::make_strand(app.callers));
    signals.push_back(std::make_unique<asio::cancellation_signal>());
  }
  for (std::size_t i = 0; i < workers; ++i) futures.push_back(asio::co_spawn(strands[i], worker(i), asio::use_future));
  std::mt19937 random(Catch::getSeed());
  while (!done(futures)) {
    const auto victim = random() % workers;
    asio::post(strands[victim], [&signal = *signals[victim]] { signal.emit(asio::cancellation_type::terminal); });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 100));
  }
  CHECK(completions == each * int(workers));
  CHECK(app.pool->stats().writer.waiting == 0);
  CHECK(app.pool->stats().writer.replaced > 0);
  app.state.reset();
  app.callers.join();
}

TEST_CASE("races: leases and transactions dropped while their statements run, from any thread") {
  RacingApp app;
  std::vector<std::future<void>> futures;
  for (int i = 0; i < 8; ++i) {
    futures.push_back(asio::co_spawn(
        asio::make_strand(app.callers),
        [&]() -> asio::awaitable<void> {
          const auto strand = co_await asio::this_coro::executor;
          for (int n = 0; n < 60; ++n) {
            auto transaction = std::make_unique<Transaction>(co_await app.pool->begin());
            auto lease = std::make_unique<ReaderLease>(co_await app.pool->acquire(reader));
            auto insert = asio::co_spawn(strand, transaction->execute("INSERT INTO t VALUES (1)"), asio::use_future);
            auto counted = asio::co_spawn(strand, lease->query_one<int>("SELECT count(*) FROM t"), asio::use_future);
            // The statements are begun behind this; the handles go meanwhile, on another thread.
            co_await asio::post(strand, asio::deferred);
            std::thread([a = std::move(transaction), b = std::move(lease)] {}).join();
            co_await app.pool->query_one<int>("SELECT 1");
            insert.wait_for(0s);
            counted.wait_for(0s);
          }
        },
        asio::use_future));
  }
  for (auto& future : futures) future.get();
  CHECK(app.rows().empty());
  // The last to be dropped may still run.
  CHECK(eventually([&] { return app.pool->stats().holders.empty(); }));
}

TEST_CASE("races: of two threads that ask one stream each row comes to one, once, or it hears of the other") {
  RacingApp app;
  constexpr int row_count = 300;
  for (int round = 0; round < 10; ++round) {
    // Each row is a batch.
    auto rows = app.pool->stream<std::tuple<int, std::vector<std::byte>>>(
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT ?) SELECT n, zeroblob(262144) FROM c",
        row_count);
    const auto read_all = [&](std::vector<int>& numbers) -> asio::awaitable<void> {
      for (;;) {
        try {
          const auto batch = co_await rows.next();
          if (!batch) co_return;
          for (const auto& row : *batch) numbers.push_back(std::get<0>(row));
        } catch (const Error& error) {
          if (error.code() != errc::operation_in_progress) throw;
        }
      }
    };
    std::vector<int> numbers;
    std::vector<int> others;
    auto one = asio::co_spawn(app.callers, read_all(numbers), asio::use_future);
    auto another = asio::co_spawn(app.callers, read_all(others), asio::use_future);
    one.get();
    another.get();
    numbers.insert(numbers.end(), others.begin(), others.end());
    std::ranges::sort(numbers);
    REQUIRE(std::ranges::equal(numbers, std::views::iota(1, row_count + 1)));
  }
}

TEST_CASE("races: AppState destroyed in the middle of everything: every caller hears, acknowledged rows are there") {
  for (int round = 0; round < 5; ++round) {
    RacingApp app;
    const auto writers = make_writers(app, 8);
    std::vector<std::future<void>> futures;
    // In every second round the clock's thread takes part.
    const CallOptions limits{.timeout = round % 2 == 0 ? 1min : 1ms};
    for (const auto& writer : writers) futures.push_back(writer->start(100'000, limits));
    std::this_thread::sleep_for(std::chrono::milliseconds(20 * round));
    const auto path = app.pool->path();
    app.state.reset();
    for (auto& future : futures) {
      REQUIRE(future.wait_for(patience) == std::future_status::ready);
      future.get();
    }
    std::set<int> acknowledged;
    for (const auto& writer : writers) {
      CHECK(writer->surprise().empty());
      acknowledged.insert(writer->acknowledged().begin(), writer->acknowledged().end());
    }
    Connection again(path);
    const auto kept = again.query_all<int>("SELECT a FROM t");
    CHECK(std::set<int>(kept.begin(), kept.end()) == acknowledged);
  }
}

}  // namespace
}  // namespace statehouse::test
