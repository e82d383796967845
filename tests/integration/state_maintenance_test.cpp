#include <deque>
#include <thread>

#include "state_support.hpp"
#include "statehouse/sqlite_version.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

/// Every statement that SQLite runs on the connections of a pool, with the role of the connection.
class Trace {
 public:
  std::function<void(Connection&, connection_role)> hook() {
    return [this](Connection& connection, connection_role role) {
      const Tap& tap = taps_.emplace_back(Tap{this, role});
      sqlite3_trace_v2(connection.native().getHandle(), SQLITE_TRACE_STMT, &Trace::note, const_cast<Tap*>(&tap));
    };
  }
  std::size_t count(std::string_view sql, connection_role role) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(seen_, [&](const auto& one) { return one.first == role && one.second == sql; }));
  }
  std::size_t optimized() const { return count("PRAGMA optimize", connection_role::writer); }
  std::size_t optimized_by_readers() const { return count("PRAGMA optimize", connection_role::reader); }
  void when(std::string sql, std::function<void()> call) { on_ = {std::move(sql), std::move(call)}; }

 private:
  struct Tap {
    Trace* trace;
    connection_role role;
  };
  static int note(unsigned, void* context, void* statement, void*) {
    const Tap& tap = *static_cast<Tap*>(context);
    const std::string sql = sqlite3_sql(static_cast<sqlite3_stmt*>(statement));
    tap.trace->seen_.emplace_back(tap.role, sql);
    if (sql == tap.trace->on_.first) tap.trace->on_.second();
    return 0;
  }

  std::deque<Tap> taps_;
  std::vector<std::pair<connection_role, std::string>> seen_;
  std::pair<std::string, std::function<void()>> on_;
};

AppStateOptions traced(Trace& trace) {
  AppStateOptions options;
  options.pool.readers = 2;
  options.pool.connection.on_connect = trace.hook();
  return options;
}

/// A table whose statistics `PRAGMA optimize` finds wanting.
constexpr const char* wanting = R"(
  CREATE TABLE t(a, b, c);
  CREATE INDEX t_a ON t(a);
  CREATE INDEX t_b ON t(b);
  CREATE INDEX t_c ON t(c);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
  INSERT INTO t SELECT i, i % 7, i % 100 FROM n;
)";

void make_wanting(SteppedApp& app, const Pool& pool) {
  auto fill = [](Connection& db) {
    db.execute_script(wanting);
    db.query_one<int>("SELECT count(*) FROM t WHERE a = 1 AND b = 1 AND c = 1");
  };
  app.run(pool.write(fill));
}

TEST_CASE("optimize: every 24 hours, on the writer, on a database thread") {
  Trace trace;
  SteppedApp app(traced(trace));
  const Pool pool = app.open("x");
  make_wanting(app, pool);
  CHECK(trace.optimized() == 0);
  app.clock->advance(24h - 1s);
  app.settle();
  CHECK(trace.optimized() == 0);
  app.clock->advance(1s);
  CHECK(trace.optimized() == 0);  // not on the clock's thread
  app.settle();
  CHECK(trace.optimized() == 1);
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM sqlite_stat1")) == 3);
  app.clock->advance(24h - 1s);
  app.settle();
  CHECK(trace.optimized() == 1);
  app.clock->advance(1s);
  app.settle();
  CHECK(trace.optimized() == 2);
  CHECK(trace.optimized_by_readers() == 0);
  CHECK(pool.stats().writer.failed == 0);
}

TEST_CASE("optimize: waits its turn for as long as it takes, and is forgotten when the pool closes") {
  Trace trace;
  SteppedApp app(traced(trace));
  const Pool pool = app.open("x");
  std::optional<Transaction> held(app.run(pool.begin()));
  app.clock->advance(24h);
  app.settle();
  CHECK(pool.stats().writer.waiting == 1);
  SECTION("free") {
    held.reset();
    app.settle();
    CHECK(trace.optimized() == 1);
  }
  SECTION("free after longer than a caller would wait") {
    app.clock->advance(1h);
    app.settle();
    CHECK(pool.stats().writer.acquire_timeouts == 0);
    held.reset();
    app.settle();
    CHECK(trace.optimized() == 1);
  }
  SECTION("closed") {
    held.reset();
    app.state.reset();
    CHECK(trace.optimized() == 0);  // nor at the end, where nothing was written
    return;
  }
  CHECK(app.run(app.state->shutdown()).clean());
}

TEST_CASE(
    "optimize: after migrations were applied, before the readers exist, and at the end where something was written; "
    "not otherwise") {
  Trace trace;
  const testing::TempDir dir;
  SteppedApp app(traced(trace));
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(x)"}));
  app.open("x");
  CHECK(trace.optimized() == 1);
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(trace.optimized() == 1);
  auto options = traced(trace);
  options.data_dir = app.dir.path();
  options.database_executor = app.db.get_executor();
  options.clock = app.clock;
  options.logger = app.log.logger();
  AppState again(app.io.get_executor(), std::move(options));
  again.db_instances.add_migrator("x", migrations({"CREATE TABLE t(x)"}));
  app.run(again.init());
  const Pool pool = app.run(again.db_instances.get_pool("x"));
  CHECK(trace.optimized() == 1);
  app.run(pool.execute("INSERT INTO t VALUES (1)"));
  CHECK(app.run(again.shutdown()).clean());
  CHECK(trace.optimized() == 2);
  CHECK(trace.optimized_by_readers() == 0);
}

TEST_CASE("optimize: at the end it keeps to its budget, and being stopped is no error") {
  Trace trace;
  SteppedApp app(traced(trace));
  const Pool pool = app.open("x");
  make_wanting(app, pool);
  // As if it took a second: the clock goes on as soon as it has begun.
  trace.when("PRAGMA optimize", [&] { app.clock->advance(1s); });
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(trace.optimized() == 1);
  CHECK(app.log.count("PRAGMA optimize", spdlog::level::debug) == 1);
  CHECK(app.log.count("", spdlog::level::warn) == 0);
  check_closed(pool.path());
  CHECK(value(pool.path(), "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_stat1'") == "0");
}

TEST_CASE("optimize and checkpoint: somebody else who holds the write lock does not fail the close") {
  AppStateOptions options;  // which have nothing said of what takes long on a busy machine
  options.pool.slow_statement = patience;
  options.pool.slow_acquire = patience;
  ThreadedApp app(std::move(options));
  const Pool pool = app.open("x");
  auto fill = [](Connection& db) {
    db.execute_script(wanting);
    db.query_one<int>("SELECT count(*) FROM t WHERE a = 1 AND b = 1 AND c = 1");
  };
  app.run(pool.write(fill));
  {
    PlainDatabase stranger(pool.path());
    stranger.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (0, 0, 0)");
    const ShutdownReport report = app.run(app.state->shutdown());
    CHECK(report.clean());
    CHECK(app.log.count("", spdlog::level::warn) == 0);
    stranger.execute("COMMIT");
  }
  check_closed(pool.path());
  CHECK(value(pool.path(), "SELECT count(*) FROM t") == "3001");
}

TEST_CASE("long leases: told once each, with who and since when") {
  SteppedApp app;
  const Pool pool = app.open("x");
  const std::string here = "state_maintenance_test.cpp:" + std::to_string(std::source_location::current().line() + 1);
  std::optional<Transaction> transaction(app.run(pool.begin()));
  app.clock->advance(4s);
  std::optional<ReaderLease> lease(app.run(pool.acquire(reader)));
  CHECK(app.log.count("connection held by", spdlog::level::warn) == 0);
  app.clock->advance(1s);
  CHECK(app.log.count("'x': writer connection held by begin at " + here + " for 5000 ms, running nothing",
                      spdlog::level::warn) == 1);
  app.clock->advance(3s);
  CHECK(app.log.count("connection held by") == 1);
  app.clock->advance(1s);
  CHECK(app.log.count("'x': reader connection held by acquire", spdlog::level::warn) == 1);
  app.clock->advance(1h);
  CHECK(app.log.count("connection held by") == 2);
  transaction.reset();
  app.settle();
  transaction = app.run(pool.begin());
  app.clock->advance(5s);
  CHECK(app.log.count("connection held by") == 3);
}

TEST_CASE("stats: one entry per database that was asked for, in every state of its life") {
  AppStateOptions options;
  options.pool.readers = 2;
  SteppedApp app(std::move(options));
  DbInstances& databases = app.state->db_instances;
  databases.add_migrator("good", migrations({"CREATE TABLE t(x)", "CREATE TABLE u(x)"}));
  databases.add_migrator("bad", migrations({"nonsense"}));
  databases.add_migrator("never", migrations({}));
  app.run(app.state->init());
  CHECK(databases.stats().empty());

  auto good = app.spawn(databases.get_pool("good"));
  auto bad = app.spawn(databases.get_pool("bad"));
  auto stats = databases.stats();
  REQUIRE(stats.size() == 2);
  CHECK(stats[0].name == "bad");
  CHECK(stats[1].name == "good");
  for (const auto& each : stats) {
    CHECK(each.state == database_state::opening);
    CHECK(each.last_error.empty());
    CHECK(each.vulnerable_sqlite == has_wal_reset_bug(sqlite3_libversion_number()));
    CHECK_FALSE(each.schema_version.has_value());
  }
  app.settle();
  const Pool pool = good.get();
  const Transaction held = app.run(pool.begin());
  auto queued = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
  app.clock->advance(2s);
  stats = databases.stats();
  REQUIRE(stats.size() == 2);
  CHECK(stats[0].state == database_state::failed);
  CHECK(contains(stats[0].last_error, "nonsense"));
  const DatabaseStats& ready = stats[1];
  CHECK(ready.state == database_state::ready);
  CHECK(ready.last_error.empty());
  CHECK(ready.schema_version == 2);
  CHECK(ready.writer.connections == 1);
  CHECK(ready.writer.in_use == 1);
  CHECK(ready.writer.waiting == 1);
  CHECK(ready.readers.connections == 0);
  CHECK(ready.readers.max_connections == 2);
  CHECK(ready.readers.in_use == 0);
  REQUIRE(ready.holders.size() == 1);
  CHECK(ready.holders[0].verb == "begin");
  CHECK(ready.holders[0].role == connection_role::writer);
  CHECK(ready.holders[0].held_for == 2s);
  CHECK_FALSE(ready.holders[0].running);
  CHECK(ready.file_bytes == fs::file_size(pool.path()));
  CHECK(ready.wal_bytes == fs::file_size(pool.path().string() + "-wal"));
  CHECK(ready.vulnerable_sqlite == has_wal_reset_bug(sqlite3_libversion_number()));
  CHECK(databases.names() == std::vector<std::string>{"good"});
  CHECK(bad.failed());

  CHECK(app.run(app.state->shutdown({.grace = 0ms, .deadline = 1s})).clean());
  stats = databases.stats();
  REQUIRE(stats.size() == 2);
  CHECK(stats[0].state == database_state::failed);
  CHECK(contains(stats[0].last_error, "nonsense"));
  CHECK(stats[1].state == database_state::closed);
  CHECK(stats[1].holders.empty());
  CHECK(stats[1].wal_bytes == 0);
  CHECK(stats[1].file_bytes == fs::file_size(pool.path()));
}

TEST_CASE("stats and the other questions do not wait for a busy database") {
  // database thread                              this thread
  // the closure of write waits                   asks everything there is to ask
  // goes on
  ThreadedApp app;
  const Pool pool = app.open("x");
  std::promise<void> running;
  std::promise<void> leave;
  auto work = [&](Connection&) {
    running.set_value();
    leave.get_future().wait();
  };
  auto writing = app.spawn(pool.write(work));
  running.get_future().wait();
  CHECK(app.state->db_instances.stats().at(0).holders.at(0).running);
  CHECK(pool.stats().writer.in_use == 1);
  CHECK(app.state->db_instances.names().size() == 1);
  CHECK(app.state->db_instances.try_get_pool("x").has_value());
  CHECK(app.state->db_instances.db_path("x") == pool.path());
  leave.set_value();
  writing.get();
}

}  // namespace
}  // namespace statehouse::test
