// Queries that run on the calling thread: only where that was asked for, only briefly, and with no other outcome.

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <mutex>
#include <set>
#include <thread>

#include "state_support.hpp"
#include "statehouse/statehouse.hpp"
#include "statehouse/testing/detail/shim_vfs.hpp"

namespace statehouse::test {
namespace {

using Threads = std::set<std::thread::id>;

/// Whose threads run statements, and which.
class StepRecord {
 public:
  std::function<void(Connection&, connection_role)> on_connect() {
    return [this](Connection& connection, connection_role) {
      sqlite3_trace_v2(connection.native().getHandle(), SQLITE_TRACE_STMT, &StepRecord::note, this);
    };
  }
  Threads threads() const {
    std::lock_guard lock(mutex_);
    return threads_;
  }
  bool by(const Threads& others) const {
    const Threads mine = threads();
    return std::ranges::any_of(others, [&](auto id) { return mine.contains(id); });
  }

 private:
  static int note(unsigned, void* self, void*, void*) {
    auto& record = *static_cast<StepRecord*>(self);
    std::lock_guard lock(record.mutex_);
    record.threads_.insert(std::this_thread::get_id());
    return 0;
  }

  mutable std::mutex mutex_;
  Threads threads_;
};

/// A stepped pool with one reader, a table `t(a)` with 1, 2, 3, and `hook()`. What is done without a step of the
/// database's executor was done on the calling thread.
struct Inline {
  std::function<void()> hook = [] {};
  SteppedApp app;
  Pool pool;

  Inline() : Inline(PoolOptions{}) {}
  explicit Inline(PoolOptions options) : app(with(std::move(options))), pool(app.open()) {
    app.run(pool.execute("CREATE TABLE t(a)"));
    app.run(pool.execute("INSERT INTO t VALUES (1), (2), (3)"));
  }
  PoolOptions with(PoolOptions options) {
    options.readers = 1;
    options.connection.on_connect = with_hook(hook);
    return options;
  }

  static constexpr CallOptions here{.inline_read = true};
  /// Once on a database thread, which prepares it.
  void warm(std::string_view sql) { app.run(pool.query_all<int>(sql)); }
  /// Whether the query is done when the caller has done all it can.
  bool done_at_once(std::string_view sql, CallOptions options = here) {
    auto task = app.spawn(pool.query_all<int>(options, sql));
    const bool done = task.done();
    app.settle();
    task.get();
    return done;
  }
};

constexpr const char* select = "SELECT a FROM t ORDER BY a";

TEST_CASE_METHOD(Inline, "inline: a prepared query on an idle reader runs on the calling thread and does not suspend") {
  const std::string sql = "SELECT a + 0 * hook() FROM t";
  std::thread::id ran;
  hook = [&] { ran = std::this_thread::get_id(); };
  warm(sql);
  ran = {};
  auto task = app.spawn(pool.query_all<int>(here, sql));
  REQUIRE(task.done());
  CHECK(ran == std::this_thread::get_id());
  CHECK(task.get() == std::vector{1, 2, 3});
  CHECK_FALSE(app.step_db());
  CHECK(pool.stats().holders.empty());
}

TEST_CASE("inline: off by default, a caller's thread never steps a statement") {
  const bool on = GENERATE(false, true);
  StepRecord record;
  AppStateOptions options;
  options.pool.connection.on_connect = record.on_connect();
  options.pool.inline_reads = on;
  ThreadedApp app(options);
  std::mutex mutex;
  Threads callers;
  const auto call = [&]() -> asio::awaitable<void> {
    const auto note = [&] {
      std::lock_guard lock(mutex);
      callers.insert(std::this_thread::get_id());
    };
    note();
    const Pool pool = co_await app.state->db_instances.get_pool("test");
    for (int i = 0; i < 50; ++i) {
      co_await pool.execute("CREATE TABLE IF NOT EXISTS t(a)");
      note();
      co_await pool.query_all<int>("SELECT a FROM t");
      note();
      co_await pool.query_optional<int>("SELECT a FROM t LIMIT 1");
      note();
      auto transaction = co_await pool.begin();
      note();
      co_await transaction.execute("INSERT INTO t VALUES (1)");
      note();
      co_await std::move(transaction).commit();
      note();
      auto lease = co_await pool.acquire(reader);
      note();
      co_await lease.query_all<int>("SELECT a FROM t");
      note();
    }
  };
  std::vector<std::future<void>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(app.spawn(call));
  for (auto& task : tasks) task.get();
  CHECK(record.by(callers) == on);
}

TEST_CASE_METHOD(Inline, "inline: a call may ask for it where the pool does not") {
  warm(select);
  CHECK_FALSE(done_at_once(select, {}));
  CHECK(done_at_once(select, {.inline_read = true}));
}

TEST_CASE("inline: a call may do without it where the pool asks for it") {
  PoolOptions options;
  options.inline_reads = true;
  Inline f(options);
  f.warm(select);
  CHECK(f.done_at_once(select, {}));
  CHECK_FALSE(f.done_at_once(select, {.inline_read = false}));
}

TEST_CASE_METHOD(Inline, "inline: what is not prepared, or no idle reader's, or not first, goes to a database thread") {
  CHECK_FALSE(done_at_once(select));  // not prepared
  CHECK(done_at_once(select));
  SECTION("the reader is held") {
    auto lease = app.run(pool.acquire(reader));
    auto task = app.spawn(pool.query_all<int>(here, select));
    app.settle();
    CHECK_FALSE(task.done());
    lease.release();
    app.settle();
    CHECK(task.get().size() == 3);
  }
  SECTION("others wait") {
    auto first = app.spawn(pool.query_all<int>(select));
    auto second = app.spawn(pool.query_all<int>(here, select));
    CHECK_FALSE(second.done());
    app.settle();
    CHECK(first.get() == second.get());
  }
  SECTION("closures, leases and what writes") {
    auto closure = [](Reader& db) { return db.query_one<int>("SELECT 1"); };
    CHECK_FALSE(app.spawn(pool.read(closure, here)).done());
    CHECK_FALSE(app.spawn(pool.execute(here, "INSERT INTO t VALUES (4)")).done());
    CHECK_FALSE(app.spawn(pool.execute_returning<int>(here, "INSERT INTO t VALUES (4) RETURNING a")).done());
    app.settle();
  }
  app.settle();
  CHECK(done_at_once(select));
  CHECK(pool.stats().holders.empty());
}

TEST_CASE_METHOD(Inline, "inline: a long query is given up and gives the same result from a database thread, once") {
  // caller                        database thread
  // runs it: over the budget
  // discards it, waits            runs it to its end
  // has all rows, once
  // the next time                 runs it
  constexpr const char* count_to =
      "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) SELECT n FROM c";
  CHECK(app.run(pool.query_all<int>(count_to, 3)) == std::vector{1, 2, 3});
  auto brief = app.spawn(pool.query_all<int>(here, count_to, 3));
  CHECK(brief.done());
  const auto before = pool.stats().readers;
  auto task = app.spawn(pool.query_all<int>(here, count_to, 20'000));
  CHECK_FALSE(task.done());
  CHECK(pool.stats().holders.empty());
  CHECK(pool.stats().readers.completed == before.completed);
  app.settle();
  CHECK(task.completions() == 1);
  const auto rows = task.get();
  REQUIRE(rows.size() == 20'000);
  CHECK(rows.front() == 1);
  CHECK(rows.back() == 20'000);
  const auto after = pool.stats().readers;
  CHECK(after.completed == before.completed + 1);
  CHECK(after.failed == before.failed);
  CHECK(after.rolled_back == before.rolled_back);
  CHECK(pool.stats().last_error.empty());
  CHECK_FALSE(app.spawn(pool.query_all<int>(here, count_to, 3)).done());  // remembered
  app.settle();
  warm(select);
  CHECK(done_at_once(select));  // others are not
}

/// As if another process recovered the index of each log (https://www.sqlite.org/walformat.html section 2.3): the two
/// copies of its header differ, and nobody gets the slots that could repair it.
class Recovery final : public testing::detail::ShimVfs {
 public:
  Recovery() : testing::detail::ShimVfs("recovery") {
    methods.xShmMap = &Recovery::map;
    methods.xShmLock = &Recovery::lock;
  }

  void begin() { change(true); }
  void end() { change(false); }

 private:
  static constexpr int recover_slot = 2;  // behind those to write and to checkpoint
  static constexpr int second_copy = 48;

  void change(bool under_way) {
    under_way_ = under_way;
    header_[second_copy] = static_cast<unsigned char>(header_[second_copy] ^ 1);
  }
  int open(const char* name, sqlite3_file* file, int flags, int* out_flags) override {
    return open_real(name, file, flags, out_flags);
  }
  static int map(sqlite3_file* file, int page, int size, int extend, void volatile** into) {
    const int result = real(file)->pMethods->xShmMap(real(file), page, size, extend, into);
    if (page == 0 && *into != nullptr) of<Recovery>(file).header_ = static_cast<volatile unsigned char*>(*into);
    return result;
  }
  static int lock(sqlite3_file* file, int first, int count, int flags) {
    if (of<Recovery>(file).under_way_ && (flags & SQLITE_SHM_LOCK) != 0 && first <= recover_slot) return SQLITE_BUSY;
    return real(file)->pMethods->xShmLock(real(file), first, count, flags);
  }

  bool under_way_ = false;
  volatile unsigned char* header_ = nullptr;
};

TEST_CASE("inline: what would wait for another process is given up, and waits on a database thread") {
  Recovery other;
  PoolOptions options;
  options.connection.busy_timeout = {};
  Inline f(options);
  f.warm(select);
  REQUIRE(f.done_at_once(select));
  other.begin();
  auto task = f.app.spawn(f.pool.query_all<int>(Inline::here, select));
  CHECK_FALSE(task.done());
  CHECK(f.pool.stats().holders.empty());
  other.end();
  f.app.settle();
  CHECK(task.get() == std::vector{1, 2, 3});
}

TEST_CASE_METHOD(Inline, "inline: the budget is one call's, however many there are") {
  warm(select);
  for (int i = 0; i < 1000; ++i) REQUIRE(done_at_once(select));
}

/// What a call came to, as text.
template <class T>
std::string outcome(SteppedApp& app, asio::awaitable<T> call, bool& done) {
  auto task = app.spawn(std::move(call));
  done = task.done();
  app.settle();
  if (task.failed()) return task.code().message() + "; " + task.text();
  if constexpr (std::is_same_v<T, std::optional<std::string>>) return task.get().value_or("nothing");
  if constexpr (std::is_same_v<T, std::string>) return task.get();
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return std::to_string(task.get().size()) + " rows";
  if constexpr (std::is_same_v<T, int>) return std::to_string(task.get());
  return "?";
}

TEST_CASE_METHOD(Inline, "inline: errors, row types and no row at all are the same") {
  std::vector<std::string> seen;
  const auto compare = [&](const char* sql, auto query) {
    CAPTURE(sql);
    bool done = false;
    const std::string there = outcome(app, query(CallOptions{}, sql), done);
    CHECK_FALSE(done);
    const std::string at_once = outcome(app, query(here, sql), done);
    CHECK(done);
    CHECK(at_once == there);
    seen.push_back(there);
  };
  const auto one = [&](CallOptions options, const char* sql) { return pool.query_one<int>(options, sql); };
  const auto text = [&](CallOptions options, const char* sql) { return pool.query_one<std::string>(options, sql); };
  const auto maybe = [&](CallOptions options, const char* sql) {
    return pool.query_optional<std::string>(options, sql);
  };
  const auto all = [&](CallOptions options, const char* sql) { return pool.query_all<std::string>(options, sql); };
  compare("SELECT max(a) FROM t", one);
  compare("SELECT a FROM t WHERE a = 99", one);  // no row
  compare("SELECT a FROM t LIMIT 2", one);       // more than one
  compare("SELECT 'text'", one);                 // not an int
  compare("SELECT NULL", one);
  compare("SELECT 'abc'", text);
  compare("SELECT 'abc' WHERE 1 = 0", maybe);
  compare("SELECT 'abc' AS a", maybe);
  compare("SELECT 'abc' FROM t", all);
  compare("SELECT abs(-9223372036854775807 - a) FROM t", one);  // overflow, while it runs
  compare("SELECT 'a' REGEXP '('", one);
  CHECK(seen.front() == "3");
  CHECK(contains(seen[1], make_error_code(errc::no_row).message()));
  CHECK(pool.stats().holders.empty());
  CHECK(app.run(pool.query_one<int>(here, "SELECT max(a) FROM t")) == 3);
}

TEST_CASE_METHOD(Inline, "inline: a read that starts after a write has completed sees it") {
  constexpr const char* sql = "SELECT count(*) FROM t";
  warm(sql);
  for (int i = 4; i < 50; ++i) {
    app.run(pool.execute("INSERT INTO t VALUES (?)", i));
    auto task = app.spawn(pool.query_one<int>(here, sql));
    REQUIRE(task.done());
    CHECK(task.get() == i);
  }
}

TEST_CASE("inline: in memory, and with one connection for everything") {
  PoolOptions options;
  options.mode = pool_mode::single;
  options.in_memory = GENERATE(false, true);
  Inline f(options);
  f.warm(select);
  CHECK(f.done_at_once(select));
  CHECK(f.app.run(f.pool.execute("DELETE FROM t")).changes == 3);
  CHECK(f.app.run(f.pool.query_all<int>(Inline::here, select)).empty());
  auto transaction = f.app.run(f.pool.begin());
  auto waits = f.app.spawn(f.pool.query_all<int>(Inline::here, select));
  f.app.settle();
  CHECK_FALSE(waits.done());
  f.app.run(std::move(transaction).rollback());
  f.app.settle();
  CHECK(waits.done());
  constexpr const char* insert = "INSERT INTO t VALUES (4)";
  f.app.run(f.pool.execute(insert));
  auto write = f.app.spawn(f.pool.execute(Inline::here, insert));  // prepared, on the same connection
  CHECK_FALSE(write.done());
  f.app.settle();
  CHECK(write.get().changes == 1);
}

TEST_CASE_METHOD(Inline, "inline: a shutdown in the middle of one waits for it, and stops what it would become") {
  // caller's thread              another thread
  // a query runs on a reader
  //                              shutdown: everything but that reader is closed
  // goes on
  const bool over_grace = GENERATE(false, true);
  const bool is_long = GENERATE(false, true);
  const std::string sql =
      "WITH RECURSIVE c(n) AS (SELECT 0 * hook() UNION ALL SELECT n + 1 FROM c WHERE n < ?) "
      "SELECT max(n) FROM c";
  app.run(pool.query_one<int>(sql, 3));
  std::optional<Task<ShutdownReport>> shutdown;
  bool early = false;
  const auto shut_down = [&] {
    shutdown = app.start(app.state->shutdown());
    while (app.step_io() || app.step_db()) {
    }
    if (over_grace) app.clock->advance(5s);
    early = shutdown->done();
  };
  hook = [&] {
    if (!shutdown) std::jthread(shut_down).join();
  };
  auto query = app.spawn(pool.query_one<int>(here, sql, is_long ? 100'000 : 3));
  app.settle();
  REQUIRE(shutdown);
  CHECK_FALSE(early);
  REQUIRE(query.done());
  if (is_long) CHECK(query.code() == errc::closed);
  if (!is_long && !over_grace) CHECK(query.get() == 3);
  if (!is_long && over_grace && query.failed()) CHECK(query.code() == errc::closed);
  CHECK(shutdown->get().clean());
  CHECK(app.spawn(pool.query_one<int>(here, sql, 3)).code() == errc::closed);
  check_closed(pool.path());
}

TEST_CASE("inline: many threads read on their own while others write, and each sees its own writes") {
  // caller 1          caller 2          caller 3          database threads
  // INSERT                                                commits
  // SELECT, here      SELECT, here      SELECT, here
  // SELECT, too long: given up, there                     runs it
  AppStateOptions options;
  options.pool.inline_reads = true;
  options.pool.readers = 2;
  ThreadedApp app(options, 4);
  const Pool pool = app.open();
  app.run(pool.execute("CREATE TABLE t(caller INTEGER, a INTEGER)"));
  std::atomic<int> wrong{0};
  const auto caller = [&](int id) -> asio::awaitable<void> {
    for (int i = 1; i <= 100; ++i) {
      co_await pool.execute("INSERT INTO t VALUES (?, ?)", id, i);
      const int last = co_await pool.query_one<int>("SELECT max(a) FROM t WHERE caller = ?", id);
      wrong += last == i ? 0 : 1;
      const auto rows = co_await pool.query_all<int>("SELECT a FROM t WHERE caller = ? ORDER BY a", id);
      wrong += std::ssize(rows) == i && rows.back() == i ? 0 : 1;
    }
  };
  std::vector<std::future<void>> callers;
  for (int id = 0; id < 6; ++id) callers.push_back(app.spawn(caller(id)));
  for (auto& one : callers) one.get();
  CHECK(wrong == 0);
  const auto stats = pool.stats();
  CHECK(stats.holders.empty());
  CHECK(stats.readers.failed == 0);
  CHECK(stats.readers.completed == 6 * 200);
  CHECK(app.run(app.state->shutdown()).clean());
}

}  // namespace
}  // namespace statehouse::test
