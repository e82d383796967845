// Readers that take from one queue, on real threads, while everything else happens to what waits there that can.

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
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "async_fixture.hpp"
#include "eventually.hpp"
#include "sanitized.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;
using Strand = asio::strand<asio::thread_pool::executor_type>;

constexpr int race_rounds = sanitized ? 100 : 400;
// Few enough that readers find nothing to do now and then, and more than there are readers.
constexpr unsigned people = 14;
constexpr int forever = 1'000'000;
constexpr std::size_t ids = 1'000'000;

/// Four readers on four threads, callers on two others, and a log so short that readers are held back again and again.
/// The SQL function mark(id) notes that a query has run, and gives its id.
struct SharedQueue {
  testing::TempDir dir;
  testing::LogCapture log;
  std::vector<std::atomic<unsigned char>> ran = std::vector<std::atomic<unsigned char>>(ids);
  std::atomic<std::size_t> next_id{0};
  asio::thread_pool callers{2};
  std::optional<AppState> state;
  std::optional<Pool> pool;

  SharedQueue() {
    AppStateOptions options;
    options.data_dir = dir.path();
    options.logger = log.logger();
    options.database_threads = 4;
    options.pool.readers = 4;
    options.pool.acquire_timeout = 1min;
    options.pool.wal_soft_limit = 128 << 10;
    options.pool.connection.on_connect = [this](Connection& connection, connection_role) {
      const auto mark = [](sqlite3_context* context, int, sqlite3_value** values) {
        auto& marks = *static_cast<std::vector<std::atomic<unsigned char>>*>(sqlite3_user_data(context));
        ++marks[std::size_t(sqlite3_value_int(values[0]))];
        sqlite3_result_value(context, values[0]);
      };
      sqlite3_create_function_v2(connection.native().getHandle(), "mark", 1, SQLITE_UTF8, &ran, mark, nullptr, nullptr,
                                 nullptr);
    };
    state.emplace(callers.get_executor(), std::move(options));
    const auto open = [this]() -> asio::awaitable<void> {
      co_await state->init();
      pool.emplace(co_await state->db_instances.get_pool("test"));
      co_await pool->execute("CREATE TABLE t(a)");
    };
    asio::co_spawn(callers, open, asio::use_future).get();
  }
  ~SharedQueue() {
    state.reset();
    callers.join();
  }
};

/// Asks one thing after the other, and looks at each answer.
class Caller {
 public:
  Caller(SharedQueue& world, unsigned seed, bool writes)
      : world_(world), strand_(asio::make_strand(world.callers)), random_(seed), writes_(writes) {}

  std::future<void> start(int times) { return asio::co_spawn(strand_, work(times), asio::use_future); }
  /// From any thread.
  void cancel() {
    asio::post(strand_, [this] { signal_.emit(asio::cancellation_type::terminal); });
  }

  std::string surprise;
  std::atomic<std::size_t> answered{0};

 private:
  asio::awaitable<void> work(int times) {
    for (int i = 0; i < times; ++i) {
      const std::size_t id = world_.next_id++ % ids;
      // A coroutine of its own for each, since one that was cancelled stays so.
      auto step = asio::co_spawn(strand_, writes_ ? write() : ask(id),
                                 asio::bind_cancellation_slot(signal_.slot(), asio::deferred));
      bool closed = false;
      try {
        co_await std::move(step);
        ++answered;
        if (!writes_ && world_.ran[id] != 1)
          surprise = "answered, but run " + std::to_string(world_.ran[id]) + " times";
      } catch (const boost::system::system_error& error) {
        const auto& code = error.code();
        closed = code == condition::closed;
        if (!closed && code != std::errc::operation_canceled && code != condition::timeout) surprise = error.what();
        if (!writes_ && world_.ran[id] > 1) surprise = "stopped, and run " + std::to_string(world_.ran[id]) + " times";
      }
      if (closed) co_return;
    }
  }

  asio::awaitable<void> write() {
    co_await world_.pool->execute("INSERT INTO t VALUES (zeroblob(4096))");
    // Not always the same rows: the file stays small, and each write has pages of its own in the log.
    co_await world_.pool->execute("DELETE FROM t WHERE rowid <= (SELECT max(rowid) FROM t) - 200");
  }

  asio::awaitable<void> ask(std::size_t id) {
    const Pool& pool = *world_.pool;
    const auto number = static_cast<std::int64_t>(id);
    std::int64_t answer = number;
    switch (random_() % 12) {
      case 0:
        answer = co_await pool.query_one<std::int64_t>(slow(), number, random_() % 8 == 0 ? 300'000 : 20'000);
        break;
      case 1: answer = co_await pool.query_one<std::int64_t>(hasty_run, slow(), number, 100'000); break;
      case 2: answer = co_await pool.query_one<std::int64_t>(hasty_wait, "SELECT mark(?)", number); break;
      case 3: answer = co_await pool.query_one<std::int64_t>(inlined, "SELECT mark(?)", number); break;
      case 4: {
        auto lease = co_await pool.acquire(reader);
        answer = co_await lease.query_one<std::int64_t>("SELECT mark(?)", number);
        if (random_() % 2 == 0) co_await asio::post(strand_, asio::deferred);
        break;
      }
      case 5: {
        const auto closure = [number](Reader& db) { return db.query_one<std::int64_t>("SELECT mark(?)", number); };
        answer = co_await pool.read(closure);
        break;
      }
      default: answer = co_await pool.query_one<std::int64_t>("SELECT mark(?) + 0 * count(*) FROM t", number);
    }
    if (answer != number) surprise = "a wrong answer";
  }

  /// Of a text that nobody knows to be slow.
  std::string slow() {
    return "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT ?2) SELECT mark(?1) + 0 * count(*) "
           "FROM c -- " +
           std::to_string(random_());
  }

  static constexpr CallOptions hasty_run{.run_timeout = 1ms};
  static constexpr CallOptions hasty_wait{.timeout = 1ms};
  static constexpr CallOptions inlined{.inline_read = true};

  SharedQueue& world_;
  Strand strand_;
  std::mt19937 random_;
  asio::cancellation_signal signal_;
  const bool writes_;
};

struct RacingCallers {
  explicit RacingCallers(SharedQueue& world) : seed(Catch::getSeed()), random(seed) {
    for (unsigned i = 0; i < people; ++i) all.push_back(std::make_unique<Caller>(world, seed + i, i < 2));
  }
  void start(int times) {
    for (auto& caller : all) futures.push_back(caller->start(times));
  }
  bool done() const {
    return std::ranges::all_of(futures, [](auto& one) { return one.wait_for(0s) == std::future_status::ready; });
  }
  bool any_answered() const {
    return std::ranges::any_of(all, [](const auto& caller) { return caller->answered > 0; });
  }
  void cancel_somebody() {
    all[random() % all.size()]->cancel();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
  }
  /// How many of them were answered.
  std::size_t check() {
    std::size_t answered = 0;
    for (auto& one : futures) REQUIRE(one.wait_for(patience) == std::future_status::ready);
    for (auto& one : futures) CHECK_NOTHROW(one.get());
    for (auto& caller : all) {
      CHECK(caller->surprise == "");
      answered += caller->answered;
    }
    return answered;
  }

  const unsigned seed;
  std::mt19937 random;
  std::vector<std::unique_ptr<Caller>> all;
  std::vector<std::future<void>> futures;
};

TEST_CASE("races: readers that take from one queue: each query runs once, whatever else happens to it") {
  SharedQueue world;
  RacingCallers crowd(world);
  CAPTURE(crowd.seed);
  crowd.start(race_rounds);
  while (!crowd.done()) crowd.cancel_somebody();
  CHECK(crowd.check() > 0);
  const DatabaseStats stats = world.pool->stats();
  CHECK(stats.holders.empty());
  CHECK(stats.readers.waiting == 0);
  CHECK(stats.writer.waiting == 0);
  CHECK(stats.readers.batches < stats.readers.completed);
}

TEST_CASE("races: a shutdown while readers take from one queue: every caller hears, nothing runs twice") {
  for (int round = 0; round < 3; ++round) {
    SharedQueue world;
    RacingCallers crowd(world);
    CAPTURE(crowd.seed, round);
    crowd.start(forever);
    for (int i = 0; i < 100 || !crowd.any_answered(); ++i) crowd.cancel_somebody();
    const auto report =
        asio::co_spawn(world.callers, world.state->shutdown({.grace = 10ms * round, .deadline = patience}),
                       asio::use_future)
            .get();
    CHECK(report.clean());
    CHECK(crowd.check() > 0);
  }
}

}  // namespace
}  // namespace statehouse::test
