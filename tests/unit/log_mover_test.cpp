// How the log is moved into the database beside the writer, in turns that run when the test says so.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <functional>
#include <thread>

#include "error_of.hpp"
#include "files.hpp"
#include "open_session.hpp"
#include "plain_database.hpp"
#include "process_files.hpp"
#include "recording_vfs.hpp"
#include "sqlite/local_engine.hpp"
#include "statehouse/testing/fault_vfs.hpp"
#include "statehouse/testing/temp_dir.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int pages = 200;
constexpr std::uint64_t frame = 4096 + 24;
// As WalKeeper has them for this soft limit, in pages of the log.
constexpr std::uint64_t soft_limit = 1 << 20;
constexpr std::uint64_t interval = soft_limit / 2 / frame;
constexpr std::uint64_t limit = interval + interval / 4 * 3;

PoolOptions limited(PoolOptions options = {}) {
  options.wal_soft_limit = soft_limit;
  return options;
}

/// An engine with its writer, and a table with one row on each of its pages. A commit is one page in the log.
struct Moved {
  testing::TempDir dir;
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  testing::LogCapture log;
  std::shared_ptr<detail::Interrupter> interrupter = std::make_shared<detail::Interrupter>(clock);
  const fs::path file = dir / "x.db";
  std::optional<detail::LocalEngine> engine;
  std::unique_ptr<Connection> writer;
  int commits = 0;

  explicit Moved(PoolOptions options = limited()) {
    const fs::path path = options.in_memory ? fs::path(":memory:") : file;
    engine.emplace(detail::LocalEngineConfig{path, "x", options, clock, log.logger()}, interrupter);
    writer = detail::connect(engine->open(connection_role::writer, interrupter), options.connection);
    writer->execute("CREATE TABLE t(k INTEGER PRIMARY KEY, n, filler)");
    writer->execute(
        "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < ?) "
        "INSERT INTO t SELECT i, 0, zeroblob(3000) FROM c",
        pages - 1);
    engine->begin_service(session());
    engine->on_idle(session());  // what this has written is not in the log
  }
  ~Moved() { close(); }

  detail::LocalSession& session() { return test::session(*writer); }
  std::uint64_t frames() { return static_cast<std::uint64_t>(session().log().frames()); }
  void commit() { writer->execute("UPDATE t SET n = n + 1 WHERE k = ?", commits++ * 7 % pages); }
  /// As a lane does after an operation; true when a turn is wanted.
  bool look() { return engine->due(session()) && engine->before_next(session(), nullptr); }
  bool write() {
    commit();
    return look();
  }
  /// Until a turn is wanted.
  void fill() {
    for (int i = 0; !write(); ++i) REQUIRE(i < 1000);
  }
  void close() {
    if (writer == nullptr) return;
    engine->before_close(session());
    writer.reset();
    unfinished = engine->release();
  }
  std::string unfinished;
};

/// Calls back when a page is written into a database file, and counts them, and when that is synced.
class WritesVfs final : public testing::detail::ShimVfs {
 public:
  WritesVfs() : testing::detail::ShimVfs("writes") {
    methods.xWrite = &WritesVfs::write;
    methods.xSync = &WritesVfs::sync;
  }

  std::function<void()> on_write;
  std::function<void()> on_sync;
  std::atomic<int> count{0};

 private:
  int open(const char* name, sqlite3_file* file, int flags, int* out_flags) override {
    const int result = open_real(name, file, flags, out_flags);
    ours(file).handle = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? 1 : 0;
    return result;
  }
  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    auto& self = of<WritesVfs>(file);
    if (ours(file).handle != 0) {
      ++self.count;
      if (const auto call = std::exchange(self.on_write, {})) call();
    }
    return real(file)->pMethods->xWrite(real(file), data, size, offset);
  }
  static int sync(sqlite3_file* file, int flags) {
    if (ours(file).handle != 0)
      if (const auto call = std::exchange(of<WritesVfs>(file).on_sync, {})) call();
    return real(file)->pMethods->xSync(real(file), flags);
  }
};

/// A snapshot of all that is committed now, which keeps what comes later in the log.
struct Snapshot {
  explicit Snapshot(const fs::path& file) : database(file) { database.execute("BEGIN; SELECT count(*) FROM t"); }
  PlainDatabase database;
};

int commits_in(const fs::path& file) {
  return static_cast<int>(PlainDatabase(file).scalar("SELECT sum(n) FROM t"));
}

TEST_CASE("checkpoint turns: nearly all pages are moved beside the writer, which goes on, and the log starts anew") {
  WritesVfs vfs;
  Moved x;
  int in_turns = 0;
  int restarts = 0;
  std::uint64_t longest = 0;
  const int before = vfs.count;
  for (int i = 0; i < 2000; ++i) {
    const auto last = x.frames();
    const bool wanted = x.write();
    restarts += x.frames() < last ? 1 : 0;
    longest = std::max(longest, x.frames());
    if (!wanted) continue;
    vfs.on_write = [&] { x.commit(); };  // beside the turn
    const int written = vfs.count;
    x.engine->work_beside();
    in_turns += vfs.count - written;
  }
  CHECK(restarts > 8);
  CHECK(longest >= interval);
  CHECK(longest < limit);
  CHECK(in_turns > (vfs.count - before) * 8 / 10);
  x.close();
  CHECK(commits_in(x.file) == x.commits);
  CHECK(PlainDatabase(x.file).text("PRAGMA integrity_check") == "ok");
}

TEST_CASE("checkpoint turns: while one is at the disk the writer goes on, up to the limit, where it waits") {
  // turn                        writer
  // moves a page
  //                             commits ... up to the limit
  //                             waits
  // goes on, ends
  //                             moves the rest
  WritesVfs vfs;
  Moved x;
  x.fill();
  std::atomic<bool> go_on{false};
  std::atomic<bool> there{false};
  std::atomic<bool> ended{false};
  vfs.on_write = [&] {
    there = true;
    go_on.wait(false);
    ended = true;
  };
  std::jthread turn([&] { x.engine->work_beside(); });
  while (!there) std::this_thread::yield();
  while (x.frames() < limit - 1) x.write();
  CHECK_FALSE(ended);
  std::jthread later([&] {  // nothing tells of the wait; where this comes too early there is none
    std::this_thread::sleep_for(20ms);
    go_on = true;
    go_on.notify_all();
  });
  for (int i = 0; i < 3; ++i) x.write();
  CHECK(ended);
  CHECK(x.frames() < interval);  // has started anew
}

TEST_CASE("checkpoint turns: one that never comes makes nobody wait, and the log stays under the soft limit") {
  Moved x;
  std::uint64_t longest = 0;
  for (int i = 0; i < 1500; ++i) {
    x.write();
    longest = std::max(longest, x.frames());
  }
  CHECK(longest >= limit);
  CHECK(longest * frame < soft_limit);
}

TEST_CASE("checkpoint turns: what they have moved of the log before is not taken for moved of this one") {
  WritesVfs vfs;
  Moved x;
  SECTION("where it began before they came again") {
    for (bool full = false; !full || x.frames() >= interval; full = full || x.frames() >= interval) {
      REQUIRE(x.frames() < limit);
      if (!x.write()) continue;
      vfs.on_write = [&] { x.commit(); };  // so that none gets to the end
      x.engine->work_beside();
    }
  }
  SECTION("where it began before the last one had come to its end") {
    while (x.frames() < interval - 1) x.write();
    vfs.on_sync = [&] {                  // of SQLite, which still reads the log
      vfs.on_sync = [&] { x.write(); };  // of the turn
    };
    x.engine->work_beside();
  }
  REQUIRE(x.frames() < 5);
  std::uint64_t longest = 0;
  for (std::uint64_t i = 0; i < limit; ++i) {
    x.write();
    longest = std::max(longest, x.frames());
  }
  CHECK(longest >= limit);  // else the writer would have moved all of it at once where it meant to move a rest
}

TEST_CASE("checkpoint turns: a reader that keeps the log does not have them come again and again") {
  Moved x;
  x.fill();
  const Snapshot reader(x.file);
  x.engine->work_beside();
  int turns = 0;
  for (std::uint64_t i = 0; i < interval; ++i)
    if (x.write()) {
      ++turns;
      x.engine->work_beside();
    } else {
      CHECK_FALSE(x.engine->due(x.session()));  // else the writer would look all the time, and be nobody's
    }
  CHECK(turns > 1);
  CHECK(turns < 40);
}

TEST_CASE("checkpoint turns: where there are none the writer moves all, as often as before") {
  PoolOptions options;
  SECTION("durability::full") {
    options.connection.synchronous = durability::full;
  }
  SECTION("in memory") {
    options.in_memory = true;
  }
  Moved x(limited(options));
  std::uint64_t longest = 0;
  for (int i = 0; i < 1000; ++i) {
    CHECK_FALSE(x.write());
    longest = std::max(longest, x.frames());
  }
  x.engine->work_beside();                                   // harmless
  CHECK(longest <= (options.in_memory ? 0 : interval + 1));  // some commits are two pages
}

TEST_CASE("checkpoint turns: a file of this process alone has them too") {
  PoolOptions options;
  options.connection.exclusive = true;
  Moved x(limited(options));
  x.fill();
  const auto written = fs::last_write_time(x.file);
  std::this_thread::sleep_for(20ms);
  x.engine->work_beside();
  CHECK(fs::last_write_time(x.file) != written);
}

TEST_CASE("checkpoint turns: at a log that is full the writer waits for one a moment, not for its end") {
  // first turn    second turn             writer
  // moves
  //                                       commits until the log is full and little is left
  //               is at the disk
  //                                       waits a moment, and goes on
  //               ends
  //                                       moves the rest
  WritesVfs vfs;
  Moved x;
  while (x.frames() < interval) x.write();
  x.engine->work_beside();
  x.commit();
  std::atomic<bool> go_on{false};
  std::atomic<bool> there{false};
  vfs.on_write = [&] {
    there = true;
    go_on.wait(false);
  };
  std::jthread turn([&] { x.engine->work_beside(); });
  while (!there) std::this_thread::yield();
  x.clock->advance(1h);  // which a pace of the writer's would be a part of
  const bool wanted = x.look();
  CHECK_FALSE(wanted);
  CHECK_FALSE(x.engine->due(x.session()));  // until there is another commit
  CHECK_FALSE(x.write());
  go_on = true;
  go_on.notify_all();
  turn.join();
  CHECK_FALSE(x.write());
  x.commit();
  CHECK(x.frames() < 5);  // has started anew
}

std::uint64_t log_size(const Moved& x) {
  return fs::file_size(x.file.string() + "-wal");
}

TEST_CASE("checkpoint: where commits sync, the log's file is longer than the log, and seldom gets longer") {
  const auto synchronous = GENERATE(durability::normal, durability::full);
  CAPTURE(synchronous == durability::full);
  PoolOptions options;
  options.connection.synchronous = synchronous;
  Moved x(limited(options));
  x.engine->on_idle(x.session());
  int grown = 0;
  for (int i = 0; i < 60; ++i) {
    const auto before = log_size(x);
    x.commit();
    grown += log_size(x) != before ? 1 : 0;  // in a commit
    x.look();
  }
  CHECK(grown == (synchronous == durability::full ? 16 : 60));
  CHECK(log_size(x) < 60 * frame + (300 << 10));
  // As a killed process leaves it:
  fs::copy_file(x.file, x.dir / "left.db");
  fs::copy_file(x.file.string() + "-wal", x.dir / "left.db-wal");
  CHECK(commits_in(x.dir / "left.db") == x.commits);
}

TEST_CASE("checkpoint: where commits sync, the log's file is not touched while another process writes it") {
  PoolOptions options;
  options.connection.synchronous = durability::full;
  Moved x(limited(options));
  x.engine->on_idle(x.session());
  for (int i = 0; i < 15; ++i) x.write();
  x.commit();
  const auto before = log_size(x);
  {
    const PlainDatabase other(x.file);
    other.execute("BEGIN IMMEDIATE; UPDATE t SET n = n + 1 WHERE k = 1");
    x.look();
    CHECK(log_size(x) == before);
    other.execute("COMMIT");
  }
  ++x.commits;
  for (int i = 0; i < 70; ++i) x.write();
  CHECK(log_size(x) > x.frames() * frame + frame);
  CHECK(commits_in(x.file) == x.commits);
}

TEST_CASE("checkpoint: where commits sync, long ones have the log's file as long as they need") {
  PoolOptions options;
  options.connection.synchronous = durability::full;
  Moved x(limited(options));
  x.engine->on_idle(x.session());
  x.engine->due(x.session());
  for (int i = 0; i < 3; ++i) {
    x.writer->execute("UPDATE t SET n = n + 1 WHERE k < 20");
    x.look();
  }
  x.commits += 60;
  CHECK(log_size(x) == x.frames() * frame + 32);
}

TEST_CASE("checkpoint turns: one that comes while the writer moves leaves it to that") {
  WritesVfs vfs;
  Moved x;
  while (x.frames() < limit - 1) x.write();
  bool came = false;
  vfs.on_write = [&] {
    std::thread([&] { x.engine->work_beside(); }).join();  // would never end
    came = true;
  };
  for (int i = 0; i < 3; ++i) x.write();
  CHECK(came);
  CHECK(x.frames() < interval);
}

TEST_CASE("checkpoint turns: after one that has failed the writer moves all, and then they come again") {
  testing::FaultVfs vfs;
  Moved x;
  x.fill();
  vfs.inject({.kind = testing::FaultVfs::operation::write, .result = SQLITE_FULL, .lasting = true});
  SECTION("it could not write") {
    x.engine->work_beside();
  }
  SECTION("it could not open its connection") {
    vfs.inject({.kind = testing::FaultVfs::operation::open, .result = SQLITE_CANTOPEN, .lasting = true});
    x.engine->work_beside();
  }
  CHECK(vfs.fired());
  vfs.heal();
  CHECK(x.log.count("checkpoint", spdlog::level::warn) == 1);
  CHECK(x.engine->loss() == std::nullopt);
  while (x.frames() < interval) CHECK_FALSE(x.write());
  CHECK(x.log.count("checkpoint", spdlog::level::warn) == 1);
  x.write();
  CHECK(x.frames() < 5);  // the writer has moved all
  x.fill();
  x.engine->work_beside();
  CHECK(x.log.count("checkpoint", spdlog::level::warn) == 1);
}

TEST_CASE("checkpoint turns: whichever call of the file system fails in one, no commit is lost") {
  struct Call {
    testing::FaultVfs::operation what;
    int result;
  };
  using enum testing::FaultVfs::operation;
  testing::FaultVfs vfs;
  int fired = 0;
  for (const Call call : {Call{open, SQLITE_CANTOPEN}, Call{read, SQLITE_IOERR_READ}, Call{write, SQLITE_IOERR_WRITE},
                          Call{sync, SQLITE_IOERR_FSYNC}, Call{truncate, SQLITE_IOERR_TRUNCATE},
                          Call{size, SQLITE_IOERR_FSTAT}, Call{lock, SQLITE_BUSY}, Call{control, SQLITE_IOERR},
                          Call{map, SQLITE_IOERR_SHMMAP}, Call{shm_lock, SQLITE_BUSY}}) {
    for (int nth = 1; nth < 12; nth += 1 + nth / 4) {
      CAPTURE(static_cast<int>(call.what), nth);
      Moved x;
      x.fill();
      vfs.inject({.kind = call.what, .nth = nth, .result = call.result});
      x.engine->work_beside();
      if (!vfs.fired()) nth = 12;
      const bool loss = vfs.fired() && call.what == sync;
      fired += vfs.fired() ? 1 : 0;
      vfs.heal();
      CHECK(x.engine->loss().has_value() == loss);
      if (!loss)
        for (std::uint64_t i = 0; i < limit; ++i)
          if (x.write()) x.engine->work_beside();
      x.close();
      CHECK((x.unfinished != "") == loss);
      CHECK(commits_in(x.file) == x.commits);
    }
  }
  CHECK(fired > 20);
}

/// What is left when the disk has taken nothing since `before`, a copy of the file, but all of the log.
void check_log_has_all(Moved& x, const fs::path& before) {
  x.close();
  CHECK(contains(x.unfinished, x.file.string() + "-wal"));
  REQUIRE(fs::file_size(x.file.string() + "-wal") > 0);
  fs::copy_file(before, x.file, fs::copy_options::overwrite_existing);
  CHECK(commits_in(x.file) == x.commits);
  CHECK(PlainDatabase(x.file).text("PRAGMA integrity_check") == "ok");
}

TEST_CASE("checkpoint turns: when the sync of what one has moved fails the database is lost, and the log keeps all") {
  testing::FaultVfs vfs;
  Moved x;
  x.fill();
  fs::copy_file(x.file, x.dir / "before");
  std::optional<Snapshot> reader(x.file);
  x.commit();  // which the turn cannot reach
  vfs.inject({.kind = testing::FaultVfs::operation::sync, .nth = 2, .result = SQLITE_IOERR_FSYNC, .system = EIO});
  x.engine->work_beside();
  CHECK(vfs.fired());
  reader.reset();
  vfs.heal();  // as fsync has it: the next one says nothing of what was forgotten
  const auto loss = x.engine->loss();
  REQUIRE(loss.has_value());
  CHECK(loss->code == errc::sync_failed);
  CHECK(contains(loss->text, "Input/output error"));
  x.commit();
  CHECK(x.engine->due(x.session()));
  CHECK(code_of([&] { x.engine->before_next(x.session(), nullptr); }) == errc::sync_failed);
  CHECK(code_of([&] { x.engine->open(connection_role::reader, x.interrupter); }) == errc::sync_failed);
  const auto frames = x.frames();
  x.engine->work_beside();
  x.engine->on_idle(x.session());
  x.commit();
  CHECK(x.frames() == frames + 1);  // nothing has moved the rest, so the log has not started anew
  check_log_has_all(x, x.dir / "before");
}

TEST_CASE(
    "checkpoint: where commits do not sync, the database is lost by each sync that fails, and the log keeps all") {
  testing::FaultVfs vfs;
  Moved x;
  const int which = GENERATE(1, 2);  // of the log, of the database
  while (x.frames() < limit - 1) x.write();
  fs::copy_file(x.file, x.dir / "before");
  vfs.inject({.kind = testing::FaultVfs::operation::sync, .nth = which, .result = SQLITE_IOERR_FSYNC});
  boost::system::error_code code;
  while (!vfs.fired()) {
    x.commit();
    code = code_of([&] { x.look(); });
  }
  vfs.heal();
  CHECK(code == errc::sync_failed);
  REQUIRE(x.engine->loss().has_value());
  CHECK(x.engine->loss()->code == errc::sync_failed);
  check_log_has_all(x, x.dir / "before");
}

TEST_CASE(
    "checkpoint: where commits sync, a failed sync loses what was moved before and not synced since, and nothing "
    "else") {
  testing::FaultVfs vfs;
  PoolOptions options;
  options.connection.synchronous = durability::full;  // the writer moves
  Moved x(limited(options));
  const bool moved_in_part = GENERATE(true, false);
  const auto before = x.dir / "before";
  while (x.frames() < interval - 1) x.write();
  fs::copy_file(x.file, before);
  {
    std::optional<Snapshot> reader;
    if (moved_in_part) reader.emplace(x.file);
    x.write();
  }
  x.write();
  boost::system::error_code code;
  for (bool fired = false; !fired; fired = vfs.fired()) {
    vfs.inject({.kind = testing::FaultVfs::operation::sync, .nth = 2, .result = SQLITE_IOERR_FSYNC});
    x.commit();  // the first sync
    try {
      x.look();
    } catch (const Error& error) {
      code = error.code();
    }
  }
  CHECK(code == (moved_in_part ? make_error_code(errc::sync_failed) : boost::system::error_code()));
  vfs.heal();
  CHECK(x.engine->loss().has_value() == moved_in_part);
  if (moved_in_part) return check_log_has_all(x, before);
  x.close();
  CHECK(x.unfinished == "");
  CHECK(commits_in(x.file) == x.commits);
}

TEST_CASE("checkpoint turns: the connection for them is opened only where the file is the writer's") {
  RecordingVfs vfs;
  Moved x;
  x.fill();
  fs::rename(x.file, x.dir / "moved.db");
  { PlainDatabase(x.file).execute("CREATE TABLE strangers(a)"); }
  const auto opened = vfs.opened().size();
  x.engine->work_beside();
  CHECK(vfs.opened().size() == opened);
  CHECK(x.log.count("checkpoint beside", spdlog::level::warn) == 1);
  CHECK(PlainDatabase(x.file).column("SELECT name FROM sqlite_schema") == std::vector<std::string>{"strangers"});
  CHECK(x.engine->loss()->code == errc::file_replaced);
}

TEST_CASE("checkpoint turns: their connection is closed before the writer's, which leaves no file but the database") {
  Moved x;
  x.fill();
  const fs::path log_file =
      x.file.string() + "-wal";  // the database's own descriptors go when no lock is held any more
  const auto before = open_descriptors(log_file);
  x.engine->work_beside();
  CHECK(open_descriptors(log_file) > before);
  x.commit();
  x.engine->before_close(x.session());
  CHECK(open_descriptors(log_file) == before);
  x.close();
  CHECK(x.unfinished == "");
  CHECK(open_descriptors(x.dir.path()) == 0);
  CHECK(std::distance(fs::directory_iterator(x.dir.path()), {}) == 1);
  CHECK(commits_in(x.file) == x.commits);
}

TEST_CASE("checkpoint turns: a stop of the writer's operation does not reach them") {
  WritesVfs vfs;
  Moved x;
  x.fill();
  vfs.on_write = [&] { x.interrupter->request(detail::stop_reason::shutdown); };
  const int before = vfs.count;
  x.engine->work_beside();
  CHECK(vfs.count > before + 1);
  x.interrupter->disarm();
  CHECK(x.log.count("checkpoint") == 0);
}

}  // namespace
}  // namespace statehouse::test
