// One query whose rows come in batches, over several turns of a reader that is held meanwhile.

#include <boost/describe/class.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <numeric>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;
using Sizes = std::vector<std::size_t>;

constexpr int row_count = 2500;
constexpr const char* in_order = "SELECT a FROM t ORDER BY a";
const boost::system::error_code cancelled(ECANCELED, boost::system::system_category());

/// One writer, one reader, a table `t(a INTEGER PRIMARY KEY, text)` with 2500 rows.
struct Streams {
  SqlHook hook;
  SteppedApp app;
  Pool pool = app.open();

  explicit Streams(PoolOptions options = {}) : app(hook.in(one_reader(std::move(options)))) {
    app.run(pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, text)"));
    app.run(
        pool.execute("INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 2500) "
                     "SELECT n, 'text ' || n FROM c"));
  }
  static PoolOptions one_reader(PoolOptions options) {
    options.readers = 1;
    return options;
  }
  std::size_t readers_in_use() {
    app.settle();
    return pool.stats().readers.in_use;
  }
  /// What the next batch would be the size of; 0 at the end.
  template <class T>
  std::size_t next_size(RowStream<T>& rows) {
    const auto batch = app.run(rows.next());
    return batch ? batch->size() : 0;
  }
  template <class T>
  boost::system::error_code next_code(RowStream<T>& rows) {
    return app.code(rows.next());
  }
};

asio::awaitable<Sizes> read_all(RowStream<int>& rows) {
  Sizes sizes;
  int expected = 0;
  while (auto batch = co_await rows.next()) {
    for (const int a : *batch)
      if (a != ++expected) throw std::logic_error("a row is missing, or out of order");
    sizes.push_back(batch->size());
  }
  co_return sizes;
}

TEST_CASE_METHOD(Streams, "stream: every row once and in order, 1000 at a time, and then nothing for ever") {
  auto rows = pool.stream<int>(in_order);
  CHECK(app.run(read_all(rows)) == Sizes{1000, 1000, 500});
  CHECK(next_size(rows) == 0);
  auto exact = pool.stream<int>("SELECT a FROM t WHERE a <= ? ORDER BY a", 1000);
  CHECK(app.run(read_all(exact)) == Sizes{1000});
  auto none = pool.stream<int>({.timeout = 1s}, "SELECT a FROM t WHERE a > ?", row_count);
  CHECK(next_size(none) == 0);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Streams, "stream: a batch ends with the row that makes it 256 KiB") {
  auto rows = pool.stream<std::vector<std::byte>>("SELECT zeroblob(100000) FROM t WHERE a <= 5");
  CHECK(next_size(rows) == 3);
  CHECK(next_size(rows) == 2);
  auto texts = pool.stream<std::tuple<int, std::string>>("SELECT a, printf('%1024d', a) FROM t WHERE a <= 300");
  CHECK(next_size(texts) == 256);
  CHECK(next_size(texts) == 44);
  auto large = pool.stream<std::string>("SELECT printf('%1000000d', a) FROM t WHERE a <= 2");
  CHECK(next_size(large) == 1);
}

struct Line {
  std::string text;
  int a;
};
BOOST_DESCRIBE_STRUCT(Line, (), (text, a))

TEST_CASE_METHOD(Streams, "stream: text and values are its own, rows of any type, and it may be moved") {
  RowStream<by_name<Line>> rows;
  {
    const std::string sql = "SELECT a, text FROM t WHERE a IN (:a, :b) ORDER BY a";
    Pool handle = pool;
    rows = handle.stream<by_name<Line>>(std::string(sql), named(":b", 3), named(":a", 2));
    handle = Pool();
  }
  auto moved = std::move(rows);
  const auto batch = app.run(moved.next());
  REQUIRE(batch);
  REQUIRE(batch->size() == 2);
  CHECK(batch->front().text == "text 2");
  CHECK(batch->back().a == 3);
  CHECK(next_code(rows) == errc::invalid_handle);  // NOLINT(bugprone-use-after-move): it says so
  const std::string text = "text 77";
  auto by_value = pool.stream<int>("SELECT a FROM t WHERE text = ?", std::string_view(text));
  CHECK(app.run(by_value.next()) == std::vector{77});
}

TEST_CASE_METHOD(Streams, "stream: empty handles say so") {
  RowStream<int> empty;
  CHECK(next_code(empty) == errc::invalid_handle);
  auto of_nothing = Pool().stream<int>(in_order);
  CHECK(next_code(of_nothing) == errc::invalid_handle);
}

TEST_CASE_METHOD(Streams, "stream: all batches are of one snapshot, and writers need not wait") {
  auto rows = pool.stream<int>("SELECT count(*) OVER () FROM t");
  const auto first = app.run(rows.next());
  REQUIRE(first);
  CHECK(app.run(pool.execute("DELETE FROM t")).changes == row_count);
  CHECK(first->front() == row_count);
  const auto second = app.run(rows.next());
  REQUIRE(second);
  CHECK(second->back() == row_count);
  rows = RowStream<int>();
  CHECK(count(app, pool) == 0);
}

TEST_CASE_METHOD(Streams, "stream: the reader is held from the first batch to the last, not beyond") {
  auto rows = pool.stream<int>(in_order);
  CHECK(readers_in_use() == 0);
  CHECK(next_size(rows) == 1000);
  CHECK(readers_in_use() == 1);
  const DatabaseStats stats = pool.stats();
  REQUIRE(stats.holders.size() == 1);
  CHECK(stats.holders.front().verb == "stream");
  CHECK(stats.holders.front().where.starts_with("stream_test.cpp:"));
  CHECK(next_size(rows) == 1000);
  auto waits = app.spawn(pool.query_one<int>("SELECT 7"));
  app.settle();
  CHECK_FALSE(waits.done());
  waits.cancel();
  CHECK(next_size(rows) == 500);
  CHECK_FALSE(app.step_db());  // nothing is left to be done for it
  CHECK(readers_in_use() == 0);
  CHECK(next_size(rows) == 0);
  CHECK(pool.stats().readers.rolled_back == 0);
}

TEST_CASE_METHOD(Streams, "stream: one that goes, or is replaced, gives the reader back clean") {
  {
    auto rows = pool.stream<int>(in_order);
    CHECK(next_size(rows) == 1000);
    SECTION("it goes") {}
    SECTION("it is replaced") {
      rows = pool.stream<int>(in_order);
      CHECK(readers_in_use() == 0);
    }
    SECTION("it has not begun") {
      rows = RowStream<int>();
    }
  }
  CHECK(readers_in_use() == 0);
  app.run(pool.execute("INSERT INTO t(a) VALUES (9999)"));
  CHECK(count(app, pool) == row_count + 1);
  CHECK(pool.stats().readers.rolled_back == 0);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Streams, "stream: it may go while a batch is awaited, which comes") {
  std::optional<RowStream<int>> rows = pool.stream<int>(in_order);
  const bool begun = GENERATE(false, true);
  if (begun) CHECK(next_size(*rows) == 1000);
  auto next = app.spawn(rows->next());
  rows.reset();
  CHECK(app.finish(next)->front() == (begun ? 1001 : 1));
  CHECK(readers_in_use() == 0);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Streams, "stream: one batch at a time is awaited") {
  auto rows = pool.stream<int>(in_order);
  for (const int first : {1, 1001, 2001}) {
    auto next = app.spawn(rows.next());
    CHECK(app.spawn(rows.next()).code() == errc::operation_in_progress);
    CHECK(app.finish(next)->front() == first);
  }
  CHECK(next_size(rows) == 0);
}

TEST_CASE_METHOD(Streams, "stream: an error ends it, is told each time, and leaves the reader clean") {
  const auto ends = [&](auto rows, auto code) {
    CHECK(next_code(rows) == code);
    CHECK(next_code(rows) == code);
    CHECK(readers_in_use() == 0);
  };
  ends(pool.stream<int>("SELECT nothing FROM t"), make_sqlite_error(SQLITE_ERROR));
  ends(pool.stream<int>("INSERT INTO t(a) VALUES (9999) RETURNING a"), errc::write_on_reader);
  ends(pool.stream<int>("SELECT a FROM t WHERE a = ?"), errc::parameter_count);
  ends(pool.stream<int>("SELECT text FROM t"), errc::column_type);
  auto late = pool.stream<int>("SELECT iif(a > 1500, text, a) FROM t ORDER BY a");
  CHECK(next_size(late) == 1000);
  ends(std::move(late), errc::column_type);
  CHECK(count(app, pool) == row_count);
  CHECK(pool.stats().readers.rolled_back == 0);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Streams, "stream: cancelled while it waits for the reader, it is over") {
  auto other = app.run(pool.acquire(reader));
  auto rows = pool.stream<int>(in_order);
  auto next = app.spawn(rows.next());
  next.cancel(asio::cancellation_type::total);
  app.settle();
  CHECK(next.code() == cancelled);
  other.release();
  CHECK(next_code(rows) == cancelled);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Streams, "stream: cancelled while it reads, be it at the last row of a batch, it is over") {
  const int at = GENERATE(1, 500, 1000, 1001, 2000);
  auto rows = pool.stream<int>("SELECT a + 0 * hook() FROM t ORDER BY a");
  std::optional<Task<std::optional<std::vector<int>>>> next;
  hook.call = [&](int number) {
    if (number == at) next->cancel();
  };
  for (int batch = 0; batch < 3; ++batch) {
    next = app.spawn(rows.next());
    app.settle();
    if (next->failed()) break;
  }
  CHECK(next->code() == cancelled);
  CHECK(hook.calls == at);
  CHECK(readers_in_use() == 0);
  CHECK(next_code(rows) == cancelled);
  check_all_clean(app, pool);
}

TEST_CASE("stream: cancelled after any number of steps it has given what it says, and left nothing") {
  for (int steps = 0, complete = 0; complete < 2; ++steps) {
    INFO(steps << " steps");
    REQUIRE(steps < 100);
    Streams test;
    auto rows = test.pool.stream<int>(in_order);
    auto reading = test.app.spawn(read_all(rows));
    for (int i = 0; i < steps; ++i)
      if (!test.app.step_io()) test.app.step_db();
    reading.cancel();
    test.app.settle();
    CHECK(reading.completions() == 1);
    if (!reading.failed()) {
      CHECK(reading.get() == Sizes{1000, 1000, 500});
      ++complete;
    } else {
      CHECK(reading.code() == cancelled);
    }
    rows = RowStream<int>();  // between two batches it has heard of nothing
    CHECK(test.readers_in_use() == 0);
    check_all_clean(test.app, test.pool);
  }
}

TEST_CASE_METHOD(Streams, "stream: the limits of a call are those of each batch") {
  auto rows = pool.stream<int>({.run_timeout = 100ms}, "SELECT a + 0 * hook() FROM t ORDER BY a");
  CHECK(next_size(rows) == 1000);
  app.clock->advance(1h);  // it holds, and does not run
  CHECK(next_size(rows) == 1000);
  hook.call = [&](int) { app.clock->advance(101ms); };
  CHECK(next_code(rows) == errc::deadline_exceeded);
  CHECK(hook.calls == 2001);
  auto other = app.run(pool.acquire(reader));
  auto waiting = pool.stream<int>({.timeout = 10ms}, in_order);
  auto next = app.spawn(waiting.next());
  app.clock->advance(11ms);
  app.settle();
  CHECK(next.code() == errc::acquire_timeout);
  CHECK(contains(next.text(), "stream at stream_test.cpp:"));
}

TEST_CASE_METHOD(Streams, "stream: a shutdown takes the reader back at the end of its grace, and closes the file") {
  auto rows = pool.stream<int>(in_order);
  auto not_begun = pool.stream<int>(in_order);
  CHECK(next_size(rows) == 1000);
  auto shutdown = app.spawn(app.state->shutdown());
  app.settle();
  CHECK(next_size(rows) == 1000);
  CHECK(next_code(not_begun) == errc::closed);
  app.clock->advance(6s);
  app.settle();
  CHECK(shutdown.get().clean());
  CHECK(next_code(rows) == errc::closed);
  CHECK_FALSE(std::filesystem::exists(pool.path().string() + "-wal"));
}

TEST_CASE_METHOD(Streams, "stream: a shutdown stops it between two rows") {
  auto rows = pool.stream<int>("SELECT a + 0 * hook() FROM t ORDER BY a");
  std::optional<Task<ShutdownReport>> shutdown;
  hook.call = [&](int number) {
    if (number != 1500) return;
    shutdown = app.spawn(app.state->shutdown());
    app.clock->advance(6s);
  };
  CHECK(next_size(rows) == 1000);
  CHECK(next_code(rows) == errc::closed);
  CHECK(hook.calls == 1500);
  app.settle();
  CHECK(shutdown->get().clean());
}

TEST_CASE("stream: with one connection for everything it holds that one") {
  PoolOptions options;
  options.mode = pool_mode::single;
  options.in_memory = GENERATE(false, true);
  Streams test(options);
  auto rows = test.pool.stream<int>(in_order);
  CHECK(test.next_size(rows) == 1000);
  auto write = test.app.spawn(test.pool.execute("INSERT INTO t(a) VALUES (9999)"));
  test.app.settle();
  CHECK_FALSE(write.done());
  CHECK(test.next_size(rows) == 1000);
  CHECK(test.next_size(rows) == 500);
  CHECK(test.app.finish(write).changes == 1);
  check_all_clean(test.app, test.pool);
}

TEST_CASE("stream: who holds it for long, and makes the log too long, is named in the log") {
  PoolOptions options;
  options.connection.synchronous = durability::full;  // so that the writer cuts the log
  options.wal_soft_limit = 256 << 10;
  Streams test(options);
  auto rows = test.pool.stream<int>(in_order);
  CHECK(test.next_size(rows) == 1000);
  test.app.clock->advance(5s);
  test.app.settle();
  CHECK(test.app.log.count("reader connection held by stream at stream_test.cpp:", spdlog::level::warn) == 1);
  for (int i = 0; i < 100; ++i) test.app.run(test.pool.execute("INSERT INTO t(text) VALUES (randomblob(10000))"));
  CHECK(test.app.log.count("cannot be cut: a reader connection is held by stream at stream_test.cpp:",
                           spdlog::level::warn) == 1);
  CHECK(test.app.log.count("cannot be cut") == 1);
  CHECK(test.next_size(rows) == 1000);
}

}  // namespace
}  // namespace statehouse::test
