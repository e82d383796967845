// Opening and closing are done often where most databases are closed: they cost no more than they must.

#include <SQLiteCpp/Database.h>
#include <sqlite3.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "open_session.hpp"
#include "process_files.hpp"
#include "sqlite/local_engine.hpp"
#include "statehouse/testing/temp_dir.hpp"

namespace statehouse::test {
namespace {

/// What SQLite runs on one connection, from now on.
class Trace {
 public:
  explicit Trace(sqlite3* db) {
    sqlite3_trace_v2(
        db, SQLITE_TRACE_STMT,
        [](unsigned, void* self, void*, void* text) {
          static_cast<Trace*>(self)->texts.emplace_back(static_cast<const char*>(text));
          return 0;
        },
        this);
  }
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  auto count(const std::string& text) const { return std::ranges::count(texts, text); }
  std::vector<std::string> texts;
};

/// Traces every connection that is opened while it lives.
class TraceAll {
 public:
  TraceAll() {
    current = this;
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(&TraceAll::attach));
  }
  ~TraceAll() {
    sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(&TraceAll::attach));
    current = nullptr;
  }
  TraceAll(const TraceAll&) = delete;
  TraceAll& operator=(const TraceAll&) = delete;

  auto count(const std::string& text) const {
    return std::ranges::count_if(traces, [&](const auto& trace) { return trace->count(text) > 0; });
  }
  std::vector<std::unique_ptr<Trace>> traces;

 private:
  static int attach(sqlite3* db, const char**, const void*) {
    current->traces.push_back(std::make_unique<Trace>(db));
    return SQLITE_OK;
  }
  static inline TraceAll* current = nullptr;
};

/// An engine and its writer on a database that was there before, with a table `t(a)`.
struct Existing {
  testing::TempDir dir;
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  testing::LogCapture log;
  const std::filesystem::path file = dir / "x.db";
  std::optional<detail::LocalEngine> engine;
  std::unique_ptr<Connection> writer;

  Existing() {
    open();
    writer->execute("CREATE TABLE t(a)");
    close();
  }
  ~Existing() {
    if (writer != nullptr) close();
  }
  Existing(const Existing&) = delete;
  Existing& operator=(const Existing&) = delete;

  detail::LocalSession& session() { return test::session(*writer); }
  /// `migrate` is what is done before anybody is served.
  void open(const std::function<void(Connection&)>& migrate = [](Connection&) {}) {
    const auto interrupter = std::make_shared<detail::Interrupter>(clock);
    engine.emplace(detail::LocalEngineConfig{file, "x", {}, clock, log.logger()}, interrupter);
    writer = detail::connect(engine->open(connection_role::writer, interrupter), {});
    migrate(*writer);
    engine->begin_service(session());
  }
  void close() {
    engine->before_close(session());
    writer.reset();
    CHECK(engine->release() == "");
  }
  std::uint64_t checkpoints() const {
    std::uint64_t count = 0;
    for (const CheckpointStats& way : engine->facts().checkpoints)
      for (const auto outcome : way.outcomes) count += outcome;
    return count;
  }
};

TEST_CASE_METHOD(Existing,
                 "opening: an existing database is one connection, and neither opened nor closed with others") {
  TraceAll all;
  open();
  CHECK(writer->query_one<int>("SELECT count(*) FROM t") == 0);
  CHECK(open_descriptors(file) == 3);  // with the log and its index
  close();
  CHECK(all.traces.size() == 1);
  CHECK(checkpoints() == 0);
  CHECK_FALSE(std::filesystem::exists(file.string() + "-wal"));
}

TEST_CASE_METHOD(Existing, "opening: PRAGMAs are remembered before the first user who may set one, and once") {
  constexpr const char* only_remembered = "PRAGMA ignore_check_constraints";
  TraceAll all;
  open();
  writer->execute("INSERT INTO t VALUES (1)");
  CHECK(all.count(only_remembered) == 0);
  for (int i = 0; i < 2; ++i) {
    const detail::MaintenanceScope scope(session());
    const auto before = all.traces.front()->count(only_remembered);
    writer->execute("ANALYZE");
    writer->execute("ANALYZE");
    CHECK(all.traces.front()->count(only_remembered) - before == (i == 0 ? 1 : 0));
  }
  close();
}

TEST_CASE_METHOD(Existing, "opening: an existing database has no room for pages ahead, as it would by default") {
  const auto before = sqlite3_memory_used();
  sqlite3_int64 by_default = 0;
  {
    SQLite::Database plain(file);
    CHECK(plain.execAndGet("SELECT count(*) FROM t").getInt() == 0);
    by_default = sqlite3_memory_used() - before;
  }
  if (by_default == 0) SKIP("this SQLite does not count its memory");
  open();
  CHECK(writer->query_one<int>("SELECT count(*) FROM t") == 0);
  CHECK(sqlite3_memory_used() - before < by_default - (64 << 10));
}

TEST_CASE_METHOD(Existing,
                 "opening: what migrations wrote is moved at once where SQLite has moved some of it, else later") {
  const auto log_bytes = [&] { return std::filesystem::file_size(file.string() + "-wal"); };
  SECTION("a little") {
    open([](Connection& db) { db.execute("INSERT INTO t VALUES (1)"); });
    CHECK(log_bytes() > 0);
    CHECK(checkpoints() == 0);
    for (int i = 0; !engine->note_idle(); ++i) REQUIRE(i < 10);
    engine->on_idle(session());
  }
  SECTION("more than SQLite leaves in a log") {
    open([](Connection& db) { db.execute("INSERT INTO t VALUES (zeroblob(5000000))"); });
  }
  CHECK(log_bytes() == 0);
}

TEST_CASE_METHOD(Existing, "close: PRAGMA optimize where something was committed since the last one, and only there") {
  TraceAll all;
  open();
  SECTION("read") {
    writer->query_one<int>("SELECT count(*) FROM t");
    close();
    CHECK(all.count("PRAGMA optimize") == 0);
  }
  SECTION("written") {
    writer->execute("INSERT INTO t VALUES (1)");
    close();
    CHECK(all.traces.front()->count("PRAGMA optimize") == 1);
  }
  SECTION("written, and optimized since") {
    writer->execute("INSERT INTO t VALUES (1)");
    engine->optimize(session(), TimeLimit(0));
    close();
    CHECK(all.traces.front()->count("PRAGMA optimize") == 1);
  }
}

TEST_CASE_METHOD(Existing, "a quiet moment closes the connections that only checkpoints need, and they come again") {
  open();
  for (int i = 0; i < 2; ++i) {
    writer->execute("INSERT INTO t VALUES (1)");
    engine->on_idle(session());
    CHECK(std::filesystem::file_size(file.string() + "-wal") == 0);
    CHECK(open_descriptors(file.string() + "-wal") == 1);  // that of the file goes when no lock is held any more
  }
  CHECK(checkpoints() == 4);  // each moves, and cuts
}

}  // namespace
}  // namespace statehouse::test
