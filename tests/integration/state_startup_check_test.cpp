// PoolOptions::startup_check: when a file is looked through, and what becomes of a damaged one.

#include <fcntl.h>
#include <sys/wait.h>

#include <catch2/generators/catch_generators.hpp>
#include <csignal>
#include <fstream>

#include "state_support.hpp"
#include "statehouse/testing/detail/shim_vfs.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

AppStateOptions checking(integrity_check when) {
  AppStateOptions options;
  options.pool.readers = 2;
  options.pool.startup_check = when;
  return options;
}

/// Some hundred pages of a table `t`, and a table `u`, in WAL mode and closed.
void make_database(const fs::path& file) {
  PlainDatabase db(file);
  db.execute(
      "PRAGMA journal_mode = WAL; CREATE TABLE t(x); CREATE TABLE u(x);"
      "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000) "
      "INSERT INTO t SELECT randomblob(1500) FROM c");
  ::chmod(file.c_str(), 0600);
}

/// The header of the hundredth page, a leaf of `t`. Nobody may have the file open. Gives what was there.
std::string overwrite_page(const fs::path& file, const std::string& with) {
  constexpr off_t page = 99 * 4096;
  std::string before(with.size(), '\0');
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::pread(descriptor, before.data(), before.size(), page) == ssize_t(before.size()));
  REQUIRE(::pwrite(descriptor, with.data(), with.size(), page) == ssize_t(with.size()));
  ::close(descriptor);
  return before;
}

/// A process that commits one row to `u` and is killed with the file open.
void write_and_die(const fs::path& file) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      Connection db(file);
      db.execute("INSERT INTO u VALUES ('kept')");
      ::kill(::getpid(), SIGKILL);
    } catch (...) {
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
}

/// Calls back before each read of a database file itself.
class ReadHookVfs final : public testing::detail::ShimVfs {
 public:
  ReadHookVfs() : testing::detail::ShimVfs("read hook") { methods.xRead = &ReadHookVfs::read; }

  std::function<void()> on_read;

 private:
  int open(const char* path, sqlite3_file* file, int flags, int* out_flags) override {
    const int result = open_real(path, file, flags, out_flags);
    ours(file).handle = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? 1 : 0;
    return result;
  }
  static int read(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
    const auto& call = of<ReadHookVfs>(file).on_read;
    if (ours(file).handle != 0 && call) call();
    return real(file)->pMethods->xRead(real(file), into, size, offset);
  }
};

TEST_CASE("startup check: damage fails the opening, which changes not one byte, runs nothing and is not kept") {
  const bool killed = GENERATE(false, true);
  CAPTURE(killed);
  SteppedApp app(checking(killed ? integrity_check::after_unclean_shutdown : integrity_check::always));
  const fs::path file = app.dir / "x.db";
  const fs::path log = app.dir / "x.db-wal";
  make_database(file);
  const std::string good = overwrite_page(file, std::string(64, '\xA5'));
  if (killed) write_and_die(file);
  const std::string file_before = read_file(file);
  const std::string log_before = read_file(log);
  REQUIRE(log_before.empty() != killed);

  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE migrated(x)"}));
  app.run(app.state->init());
  for (std::size_t attempt = 1; attempt <= 2; ++attempt) {
    auto caller = app.spawn(app.state->db_instances.get_pool("x"));
    app.settle();
    INFO(caller.text());
    CHECK(caller.code() == errc::file_damaged);
    CHECK(contains(caller.text(), "database 'x'"));
    CHECK(contains(caller.text(), "age 100"));  // "On tree page 100", "btreeInitPage() ..." by version
    CHECK(contains(caller.text(), "statehouse db check"));
    CHECK(contains(caller.text(), "restore a backup"));
    CHECK(app.log.count("opening failed", spdlog::level::err) == attempt);
    CHECK_FALSE(app.state->db_instances.try_get_pool("x").has_value());
    CHECK(open_descriptors(file) == 0);
    CHECK((read_file(file) == file_before));
    CHECK((read_file(log) == log_before));
    CHECK(fs::exists(log) == killed);
  }

  overwrite_page(file, good);
  const Pool pool = app.run(app.state->db_instances.get_pool("x"));
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM u")) == (killed ? 1 : 0));
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM migrated")) == 0);
  CHECK(app.run(app.state->shutdown()).clean());
  check_closed(file);
}

TEST_CASE("startup check: a file that is no database is damaged too, and stays as it is") {
  SteppedApp app(checking(integrity_check::always));
  const fs::path file = app.dir / "x.db";
  const std::string text(8192, 'x');
  std::ofstream(file) << text;
  app.run(app.state->init());
  auto caller = app.spawn(app.state->db_instances.get_pool("x"));
  app.settle();
  CHECK(caller.code() == errc::file_damaged);
  CHECK(contains(caller.text(), "not a database"));
  CHECK((read_file(file) == text));
}

TEST_CASE("startup check: a row that breaks a CHECK constraint is no damage, whoever knows what the constraint calls") {
  AppStateOptions options = checking(integrity_check::always);
  options.pool.connection.on_connect = [](Connection& connection, connection_role role) {
    if (role == connection_role::reader) return;
    sqlite3_create_function(
        connection.native().getHandle(), "even", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nullptr,
        [](sqlite3_context* context, int, sqlite3_value** values) {
          sqlite3_result_int(context, sqlite3_value_int(values[0]) % 2 == 0 ? 1 : 0);
        },
        nullptr, nullptr);
  };
  SteppedApp app(options);
  const fs::path file = app.dir / "x.db";
  make_database(file);
  Connection(file, options.pool.connection).execute("CREATE TABLE c(a CHECK(even(a)))");
  PlainDatabase(file).execute("PRAGMA ignore_check_constraints = ON; INSERT INTO c VALUES (1)");

  const Pool pool = app.open("x");
  CHECK(app.log.count("no damage found") == 1);
  CHECK(app.run(pool.query_one<int>("SELECT a FROM c")) == 1);
  auto refused = app.spawn(pool.execute("INSERT INTO c VALUES (3)"));
  app.settle();
  CHECK(contains(refused.text(), "CHECK constraint failed"));
}

TEST_CASE("startup check: after_unclean_shutdown looks after a kill, and not after a clean close or a reader") {
  SteppedApp app(checking(integrity_check::after_unclean_shutdown));
  const fs::path file = app.dir / "x.db";
  make_database(file);
  SECTION("killed") {
    write_and_die(file);
    const Pool pool = app.open("x");
    CHECK(app.log.count("database 'x': checked 2 MiB after an unclean shutdown in 0 ms, no damage found") == 1);
    CHECK(app.run(pool.query_one<std::string>("SELECT x FROM u")) == "kept");
  }
  SECTION("closed") {
    app.open("x");
    CHECK(app.run(app.state->shutdown()).clean());
    auto next = another(app, app.dir.path());
    app.run(next->init());
    app.run(next->db_instances.get_pool("x"));
    CHECK(app.log.count("opened x.db") == 2);
    CHECK(app.log.count("check") == 0);
    CHECK(app.run(next->shutdown()).clean());
  }
  SECTION("looked at by a program that may only read, which leaves an empty log") {
    sqlite3* db = nullptr;
    sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, nullptr);
    sqlite3_exec(db, "SELECT * FROM t", nullptr, nullptr, nullptr);
    sqlite3_close(db);
    REQUIRE(fs::exists(file.string() + "-wal"));
    app.open("x");
    CHECK(app.log.count("check") == 0);
  }
  SECTION("left with a rollback journal") {
    std::ofstream(file.string() + "-journal") << std::string(512, '\0');  // one that is not to be played back
    app.open("x");
    CHECK(app.log.count("after an unclean shutdown") == 1);
  }
  SECTION("open in another program that has written: cannot be told from a kill") {
    PlainDatabase other(file);
    other.execute("INSERT INTO u VALUES (1)");
    app.open("x");
    CHECK(app.log.count("after an unclean shutdown") == 1);
  }
}

TEST_CASE("startup check: always looks after a clean close too, but not at what was just created or has no file") {
  SteppedApp app(checking(integrity_check::always));
  make_database(app.dir / "x.db");
  app.open("x");
  CHECK(app.log.count("database 'x': checked 2 MiB in 0 ms, no damage found") == 1);
  app.open("fresh");
  PoolOptions memory;
  memory.in_memory = true;
  memory.startup_check = integrity_check::always;
  app.state->db_instances.configure("memory", memory);
  app.open("memory");
  CHECK(app.log.count("checked") == 1);
}

TEST_CASE("startup check: never, the default, opens no connection for it and says nothing") {
  std::vector<connection_role> roles;
  AppStateOptions options;
  options.pool.readers = 2;
  options.pool.connection.on_connect = [&](Connection&, connection_role role) { roles.push_back(role); };
  SteppedApp app(std::move(options));
  const fs::path file = app.dir / "x.db";
  make_database(file);
  overwrite_page(file, std::string(64, '\xA5'));
  write_and_die(file);
  app.open("x");
  CHECK(roles == std::vector{connection_role::writer});
  CHECK(app.log.count("check") == 0);
}

TEST_CASE("startup check: a file beyond the size is opened unchecked, with a warning") {
  const std::uint64_t most = GENERATE(std::uint64_t{1 << 20}, std::uint64_t{0});
  auto options = checking(integrity_check::always);
  options.pool.startup_check_max_bytes = most;
  SteppedApp app(std::move(options));
  make_database(app.dir / "x.db");
  app.open("x");
  CHECK(app.log.count("'x': not checked at startup: its 2 MiB are more", spdlog::level::warn) == (most == 0 ? 0 : 1));
  CHECK(app.log.count("checked 2 MiB") == (most == 0 ? 1 : 0));  // 0 is no limit
}

TEST_CASE("startup check: is given up when its time is over, with a warning, and the file is opened") {
  // database thread (db)                        clock
  // quick_check reads page after page, in
  //   one step of SQLite's machine              one second per page
  //                                             10 s: the timer interrupts
  // goes on opening
  ReadHookVfs vfs;
  auto options = checking(integrity_check::always);
  options.pool.startup_check_timeout = 10s;
  SteppedApp app(std::move(options));
  make_database(app.dir / "x.db");
  app.run(app.state->init());
  vfs.on_read = [&] { app.clock->advance(1s); };
  const Pool pool = app.open("x");
  vfs.on_read = nullptr;
  std::size_t warnings = 0;
  for (const auto& line : app.log.lines()) {
    if (!contains(line.text, "given up after ")) continue;
    ++warnings;
    CHECK(line.level == spdlog::level::warn);
    INFO(line.text);
    CHECK(std::stoi(line.text.substr(line.text.find("after ") + 6)) < 20'000);  // and not one second for each page
  }
  CHECK(warnings == 1);
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 1000);
}

TEST_CASE("startup check: a shutdown ends it after the grace time, and the file is closed") {
  // database thread (db)                        clock, callers (io)
  // quick_check reads its fiftieth page         shutdown begins; the grace time passes: interrupt
  // stops, closes
  //                                             shutdown is done before its deadline
  ReadHookVfs vfs;
  SteppedApp app(checking(integrity_check::always));
  make_database(app.dir / "x.db");
  app.run(app.state->init());
  std::optional<Task<ShutdownReport>> shutdown;
  int reads = 0;
  vfs.on_read = [&] {
    if (++reads != 50) return;
    shutdown = app.spawn(app.state->shutdown({.grace = 1s, .deadline = 2s}));
    app.settle();
    app.clock->advance(1s);
  };
  auto caller = app.spawn(app.state->db_instances.get_pool("x"));
  app.settle();
  vfs.on_read = nullptr;
  CHECK(reads < 60);
  CHECK(caller.code() == errc::closed);
  REQUIRE(shutdown.has_value());
  CHECK(app.finish(*shutdown).clean());
  CHECK(app.log.count("'x': opening failed", spdlog::level::err) == 1);
  check_closed(app.dir / "x.db");
}

}  // namespace
}  // namespace statehouse::test
