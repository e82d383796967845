#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "eventually.hpp"
#include "migration_fixture.hpp"
#include "sanitized.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/migrator.hpp"
#include "statehouse/testing/fault_vfs.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using Versions = std::vector<std::int64_t>;

namespace {

/// Another process. It runs `work` and ends without running anything of the test framework.
class Child {
 public:
  explicit Child(const std::function<void()>& work) : pid_(::fork()) {
    if (pid_ != 0) return;
    int code = 0;
    try {
      work();
    } catch (const std::exception& error) {
      static_cast<void>(::write(STDERR_FILENO, error.what(), std::string_view(error.what()).size()));
      static_cast<void>(::write(STDERR_FILENO, "\n", 1));
      code = 1;
    }
    ::_exit(code);
  }
  ~Child() {
    if (pid_ <= 0) return;
    kill();
    wait();
  }
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void kill() const { ::kill(pid_, SIGKILL); }
  /// The exit code; -1 when it was killed.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_;
};

/// One process says go, others wait for it. Forked while closed.
class Gate {
 public:
  Gate() {
    if (::pipe(ends_.data()) != 0) throw std::runtime_error("pipe failed");
  }
  ~Gate() {
    for (const int end : ends_) ::close(end);
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// Also returns when everybody who could open it has ended.
  void wait() {
    ::close(std::exchange(ends_[1], -1));
    char ignored = 0;
    static_cast<void>(!::read(ends_[0], &ignored, 1));
  }
  void open() { ::close(std::exchange(ends_[1], -1)); }

 private:
  std::array<int, 2> ends_{};
};

constexpr std::int64_t rows_each = 3000;

/// Waits for others, who may have a lock and no turn on a busy machine.
Connection open_patiently(const std::filesystem::path& file) {
  return Connection(file, {.busy_timeout = test::patience});
}

void migrate(const std::filesystem::path& file, const Migrator& migrator, Gate* opened = nullptr) {
  spdlog::set_level(spdlog::level::off);
  Connection db = open_patiently(file);
  if (opened != nullptr) opened->open();
  migrator.run(db);
}

/// Gives their exit codes.
std::vector<int> eight_at_once(const std::function<void()>& work) {
  Gate start;
  std::vector<Child> children;
  for (int i = 0; i < 8; ++i)
    children.emplace_back([&] {
      start.wait();
      work();
    });
  start.open();
  std::vector<int> codes;
  for (Child& child : children) codes.push_back(child.wait());
  return codes;
}

/// Gives how many were applied.
std::size_t check_and_complete(const test::ThreeMigrations& set, const std::filesystem::path& file) {
  const std::size_t applied = set.check_wholly_or_not_at_all(file).size();
  {
    Connection db(file);
    CHECK(set.migrator().run(db).versions.size() == 3 - applied);
  }
  CHECK(set.check_wholly_or_not_at_all(file) == Versions{1, 2, 3});
  return applied;
}

}  // namespace

// 8 processes                       | the file
// all wait at the gate              | does not exist
// create, open, run() at once       | each migration is applied by one, the others skip it
TEST_CASE("migrations: eight processes that start at once on a fresh file all succeed, each migration runs once") {
  const testing::FaultVfs without_syncs;
  const test::ThreeMigrations set(rows_each);
  for (int round = 0; round < (test::sanitized ? 20 : 100); ++round) {
    const testing::TempDir dir;
    const auto file = dir / "fresh.db";
    CHECK(eight_at_once([&] { migrate(file, set.migrator()); }) == std::vector<int>(8, 0));
    CHECK(set.check_wholly_or_not_at_all(file) == Versions{1, 2, 3});
  }
}

// 8 processes                       | the file
// all wait at the gate              | three migrations applied
// undo(0) at once                   | each version is reverted by one, the others skip it
TEST_CASE("migrations: eight processes that undo at once all succeed, each migration is reverted once") {
  const testing::FaultVfs without_syncs;
  const test::ThreeMigrations set(100);
  for (int round = 0; round < (test::sanitized ? 5 : 25); ++round) {
    const testing::TempDir dir;
    const auto file = dir / "a.db";
    migrate(file, set.migrator());
    const auto codes = eight_at_once([&] {
      Connection db = open_patiently(file);
      set.migrator().undo(db, 0);
    });
    CHECK(codes == std::vector<int>(8, 0));
    CHECK(set.check_wholly_or_not_at_all(file).empty());
  }
  spdlog::set_level(spdlog::level::info);
}

// 8 processes                       | the file
// all wait at the gate              | has tables, but no bookkeeping
// baseline(3) at once               | one records, the others find the record
TEST_CASE("migrations: of eight processes that record a baseline at once one does, the others are told") {
  const testing::FaultVfs without_syncs;
  const EmbeddedFile files[]{{"1_a.sql", "CREATE TABLE a(x)"}, {"3_c.sql", "CREATE TABLE c(x)"}};
  const auto migrator = Migrator::from_files(files);
  for (int round = 0; round < (test::sanitized ? 5 : 25); ++round) {
    const testing::TempDir dir;
    const auto file = dir / "a.db";
    migrate(file, Migrator::from_files({}).with_options({.table = "their_migrations"}));
    auto codes = eight_at_once([&] {
      Connection db = open_patiently(file);
      try {
        migrator.baseline(db, 3);
      } catch (const Error& error) {
        if (error.code() != errc::migration_recorded) throw;
        ::_exit(2);
      }
    });
    std::ranges::sort(codes);
    CHECK(codes == std::vector<int>{0, 2, 2, 2, 2, 2, 2, 2});
    Connection db(file);
    CHECK(migrator.run(db).versions.empty());
  }
  spdlog::set_level(spdlog::level::info);
}

TEST_CASE(
    "migrations: after kill -9 at any moment each migration is there wholly or not at all, and the rest applies") {
  const testing::FaultVfs without_syncs;
  const test::ThreeMigrations set(rows_each);
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);

  // The run's length, from an uninterrupted one; the open before it is not counted.
  std::chrono::microseconds whole_run{};
  {
    const testing::TempDir dir;
    Gate opened;
    Child child([&] { migrate(dir / "a.db", set.migrator(), &opened); });
    opened.wait();
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(child.wait() == 0);
    whole_run = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start);
  }

  std::array<int, 4> seen{};  // how many runs ended with 0, 1, 2 or 3 migrations applied
  for (int round = 0; round < (test::sanitized ? 50 : 200); ++round) {
    const testing::TempDir dir;
    const auto file = dir / "a.db";
    Gate opened;
    Child child([&] { migrate(file, set.migrator(), &opened); });
    opened.wait();
    ::usleep(std::uniform_int_distribution<useconds_t>(0, static_cast<useconds_t>(whole_run.count()))(random));
    child.kill();
    child.wait();
    ++seen.at(check_and_complete(set, file));
  }
  spdlog::info("killed with 0, 1, 2, 3 migrations applied: {} {} {} {}", seen[0], seen[1], seen[2], seen[3]);
}

// child                             | here
// the n-th write is half done: dies |
//                                   | looks, completes
TEST_CASE("migrations: killed in the middle of any write, sync or open, each migration is there wholly or not at all") {
  using operation = testing::FaultVfs::operation;
  testing::FaultVfs vfs;
  const test::ThreeMigrations set(300);
  std::array<int, 4> seen{};
  for (const auto kind : {operation::write, operation::sync, operation::open, operation::truncate, operation::map}) {
    bool killed = true;
    for (int nth = 1; killed; ++nth) {
      INFO("operation " << static_cast<int>(kind) << ", number " << nth);
      const testing::TempDir dir;
      const auto file = dir / "a.db";
      Child child([&] {
        vfs.inject({.kind = kind, .nth = nth, .result = SQLITE_IOERR, .kill = true});
        migrate(file, set.migrator());
      });
      const int code = child.wait();
      CHECK((code == 0 || code == -1));
      killed = code == -1;
      ++seen.at(check_and_complete(set, file));
    }
  }
  for (const int times : seen) CHECK(times > 0);
}
