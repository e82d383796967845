// A file that belongs to one process: others are told so, and nothing is lost when its owner is killed.

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/generators/catch_generators.hpp>
#include <csignal>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

AppStateOptions options_for(const std::filesystem::path& dir, const testing::LogCapture& log, bool exclusive) {
  AppStateOptions options;
  options.data_dir = dir;
  options.logger = log.logger();
  options.pool.connection.exclusive = exclusive;
  options.pool.connection.busy_timeout = 20ms;
  options.pool.readers = 2;
  return options;
}

/// An AppState that runs on this thread, in real time.
struct Here {
  Here(const std::filesystem::path& dir, bool exclusive) {
    AppStateOptions options = options_for(dir, log, exclusive);
    options.database_executor = io.get_executor();
    state.emplace(io.get_executor(), std::move(options));
  }
  template <class T>
  T run(asio::awaitable<T> work) {
    auto task = spawn(io.get_executor(), std::move(work));
    io.restart();
    while (!task.done()) io.run_one();
    return task.get();
  }
  Pool open() {
    run(state->init());
    return run(state->db_instances.get_pool("x"));
  }

  testing::LogCapture log;
  Spawner spawn;
  asio::io_context io;
  std::optional<AppState> state;
};

/// Another process that has the database open, with the rows 1 and 2, until it is killed.
class Owner {
 public:
  Owner(const std::filesystem::path& dir, bool exclusive) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe failed");
    child_ = ::fork();
    if (child_ == 0) serve(dir, exclusive, ends[1]);
    ::close(ends[1]);
    char ready = 0;
    const auto got = ::read(ends[0], &ready, 1);
    ::close(ends[0]);
    if (got != 1) throw std::runtime_error("the owner has not come up");
  }
  ~Owner() { kill(); }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(std::exchange(child_, 0), nullptr, 0);
  }

 private:
  [[noreturn]] static void serve(const std::filesystem::path& dir, bool exclusive, int out) {
    try {
      Here here(dir, exclusive);
      const Pool pool = here.open();
      here.run(pool.execute("CREATE TABLE t(a)"));
      here.run(pool.execute("INSERT INTO t VALUES (1)"));
      here.run(pool.execute("INSERT INTO t VALUES (2)"));
      if (here.run(pool.query_one<int>("SELECT count(*) FROM t")) == 2 && ::write(out, "r", 1) == 1)
        for (;;) ::pause();
    } catch (const std::exception&) {
    }
    ::_exit(1);
  }

  pid_t child_ = 0;
};

TEST_CASE("exclusive: serves reads and writes, with nothing but the file and its log on disk") {
  testing::TempDir dir;
  Here here(dir.path(), true);
  const Pool pool = here.open();
  here.run(pool.execute("CREATE TABLE t(a)"));
  for (int i = 0; i < 20; ++i) {
    here.run(pool.execute("INSERT INTO t VALUES (?)", i));
    CHECK(here.run(pool.query_one<int>("SELECT count(*) FROM t")) == i + 1);
  }
  CHECK(std::filesystem::exists(pool.path()));
  CHECK(std::filesystem::exists(pool.path().string() + "-wal"));
  CHECK_FALSE(std::filesystem::exists(pool.path().string() + "-shm"));
  CHECK(here.run(here.state->shutdown()).clean());
  check_closed(pool.path());
  CHECK(value(pool.path(), "PRAGMA journal_mode") == "wal");
}

TEST_CASE("exclusive: a connection of this process that writes does not go beside it, whichever comes first") {
  const testing::TempDir dir;
  const auto connect = [&](bool exclusive) {
    ConnectionOptions options;
    options.exclusive = exclusive;
    return std::make_unique<Connection>(dir / "x.db", options);
  };
  auto writing = connect(GENERATE(false, true));
  Here here(dir.path(), true);
  CHECK(code_of([&] { here.open(); }) == errc::file_in_use);
  writing.reset();
  const Pool pool = here.open();
  for (const bool exclusive : {false, true}) CHECK(code_of([&] { connect(exclusive); }) == errc::file_in_use);
  here.run(pool.execute("CREATE TABLE t(a)"));
}

TEST_CASE("exclusive: a second process is told that another has the file, and disturbs nobody") {
  // this process                  the owner
  //                               opens, writes
  // get_pool: refused
  //                               is killed
  // get_pool: has its rows
  testing::TempDir dir;
  Owner owner(dir.path(), true);
  const auto file = dir.path() / "x.db";
  const bool exclusive_too = GENERATE(false, true);
  {
    Here here(dir.path(), exclusive_too);
    const Error error = error_of([&] { static_cast<void>(here.open()); });
    CHECK(error.code() == condition::busy);
    CHECK(contains(error.what(), "another process holds the lock"));
    CHECK(contains(error.what(), "x"));
    CHECK(here.log.count("opening failed", spdlog::level::err) == 1);
    owner.kill();
    CHECK(here.run(here.open().query_all<int>("SELECT a FROM t ORDER BY a")) == std::vector{1, 2});
  }
  check_closed(file);
}

TEST_CASE("exclusive: a tool is told so as well") {
  testing::TempDir dir;
  Owner owner(dir.path(), true);
  PlainDatabase tool(dir.path() / "x.db");
  CHECK(tool.try_execute("SELECT * FROM t") == SQLITE_BUSY);
  CHECK(tool.try_execute("INSERT INTO t VALUES (3)") == SQLITE_BUSY);
  CHECK_FALSE(std::filesystem::exists((dir.path() / "x.db-shm")));
  owner.kill();
  CHECK(tool.try_execute("SELECT * FROM t") == SQLITE_OK);
}

TEST_CASE("exclusive: a file that another process has open cannot be taken, and that one goes on") {
  testing::TempDir dir;
  Owner owner(dir.path(), false);
  Here here(dir.path(), true);
  const Error error = error_of([&] { static_cast<void>(here.open()); });
  CHECK(error.code() == condition::busy);
  CHECK(contains(error.what(), "another process holds the lock"));
  owner.kill();
  CHECK(here.run(here.open().query_all<int>("SELECT a FROM t ORDER BY a")) == std::vector{1, 2});
}

TEST_CASE("exclusive: kill -9 and reopening, in any order of modes, loses nothing") {
  const bool before = GENERATE(false, true);
  const bool after = GENERATE(false, true);
  testing::TempDir dir;
  const auto file = dir.path() / "x.db";
  Owner(dir.path(), before).kill();
  REQUIRE(std::filesystem::file_size(file.string() + "-wal") > 0);
  Here here(dir.path(), after);
  const Pool pool = here.open();
  CHECK(here.run(pool.query_all<int>("SELECT a FROM t ORDER BY a")) == std::vector{1, 2});
  CHECK(pool.stats().wal_bytes == 0);
  here.run(pool.execute("INSERT INTO t VALUES (3)"));
  CHECK(here.run(here.state->shutdown()).clean());
  check_closed(file);
  CHECK(column(file, "SELECT a FROM t ORDER BY a") == std::vector<std::string>{"1", "2", "3"});
}

TEST_CASE("exclusive: not without it: two processes share the file") {
  testing::TempDir dir;
  Owner owner(dir.path(), false);
  Here here(dir.path(), false);
  CHECK(here.run(here.open().query_all<int>("SELECT a FROM t ORDER BY a")) == std::vector{1, 2});
  CHECK(std::filesystem::exists(dir.path() / "x.db-shm"));
}

}  // namespace
}  // namespace statehouse::test
