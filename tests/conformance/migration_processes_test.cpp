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

#include "statehouse/connection.hpp"
#include "statehouse/migrator.hpp"
#include "temp_dir.hpp"

using namespace statehouse;

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

void migrate(const std::filesystem::path& file, const Migrator& migrator, Gate* opened = nullptr) {
  spdlog::set_level(spdlog::level::off);
  Connection db(file);
  if (opened != nullptr) opened->open();
  migrator.run(db);
}

constexpr std::int64_t rows_each = 3000;

/// Three migrations, none of which can run twice, each with `rows_each` rows as its effect.
Migrator three_migrations() {
  static const std::string fill = " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                                  std::to_string(rows_each) + ") INSERT INTO ";
  static const std::array<std::string, 3> scripts{
      "CREATE TABLE t1(x);" + fill + "t1 SELECT i FROM n;",
      "PRAGMA foreign_keys = OFF; CREATE TABLE t2(x);" + fill + "t2 SELECT i FROM n;",
      "CREATE TABLE t3(x); CREATE INDEX t3_x ON t3(x);" + fill + "t3 SELECT i FROM n;",
  };
  const EmbeddedFile files[]{{"1_a.sql", scripts[0]}, {"2_b.sql", scripts[1]}, {"3_c.sql", scripts[2]}};
  return Migrator::from_files(files);
}

/// For each version: is it recorded, and how many rows of its effect are there?
void check_wholly_or_not_at_all(const std::filesystem::path& file, const Migrator& migrator) {
  Connection db(file);
  REQUIRE(db.query_one<std::string>("PRAGMA quick_check") == "ok");
  for (const MigrationStatus& status : migrator.status(db)) {
    const std::string table = "t" + std::to_string(status.version);
    const bool exists = db.query_optional<int>("SELECT 1 FROM sqlite_master WHERE name = ?", table).has_value();
    const std::int64_t rows = exists ? db.query_one<std::int64_t>("SELECT count(*) FROM " + table) : -1;
    INFO("version " << status.version << ", rows " << rows);
    CHECK(rows == (status.state == migration_state::applied ? rows_each : -1));
    CHECK_FALSE(status.dirty);
  }
}

}  // namespace

// 8 processes                       | the file
// all wait at the gate              | does not exist
// create, open, run() at once       | each migration is applied by one, the others skip it
TEST_CASE("migrations: eight processes that start at once on a fresh file all succeed, each migration runs once") {
  const auto migrator = three_migrations();
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(8);
  for (int round = 0; round < 100 && std::chrono::steady_clock::now() < give_up; ++round) {
    const test::TempDir dir;
    const auto file = dir / "fresh.db";
    Gate start;
    std::vector<Child> children;
    for (int i = 0; i < 8; ++i)
      children.emplace_back([&] {
        start.wait();
        migrate(file, migrator);
      });
    start.open();
    for (Child& child : children) CHECK(child.wait() == 0);
    Connection db(file);
    CHECK(db.query_all<std::int64_t>("SELECT version FROM _sqlx_migrations ORDER BY version") ==
          std::vector<std::int64_t>{1, 2, 3});
    CHECK(db.query_one<std::int64_t>(
              "SELECT (SELECT count(*) FROM t1) + (SELECT count(*) FROM t2) + (SELECT count(*) FROM t3)") ==
          3 * rows_each);
  }
}

TEST_CASE(
    "migrations: after kill -9 at any moment each migration is there wholly or not at all, and the rest applies") {
  const auto migrator = three_migrations();
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);

  // The run's length, from an uninterrupted one; the open before it is not counted.
  std::chrono::microseconds whole_run{};
  {
    const test::TempDir dir;
    Gate opened;
    Child child([&] { migrate(dir / "a.db", migrator, &opened); });
    opened.wait();
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(child.wait() == 0);
    whole_run = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start);
  }

  std::array<int, 4> seen{};  // how many runs ended with 0, 1, 2 or 3 migrations applied
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (int round = 0; round < 200 && std::chrono::steady_clock::now() < give_up; ++round) {
    const test::TempDir dir;
    const auto file = dir / "a.db";
    Gate opened;
    Child child([&] { migrate(file, migrator, &opened); });
    opened.wait();
    ::usleep(std::uniform_int_distribution<useconds_t>(0, static_cast<useconds_t>(whole_run.count()))(random));
    child.kill();
    child.wait();
    check_wholly_or_not_at_all(file, migrator);
    Connection db(file);
    const std::size_t rest = migrator.run(db).versions.size();
    REQUIRE(rest <= 3);
    ++seen[3 - rest];
    CHECK(db.query_all<std::int64_t>("SELECT version FROM _sqlx_migrations ORDER BY version") ==
          std::vector<std::int64_t>{1, 2, 3});
  }
  INFO("killed with 0, 1, 2, 3 migrations applied: " << seen[0] << " " << seen[1] << " " << seen[2] << " " << seen[3]);
  CHECK(seen[0] + seen[1] + seen[2] + seen[3] > 0);
  spdlog::info("killed with 0, 1, 2, 3 migrations applied: {} {} {} {}", seen[0], seen[1], seen[2], seen[3]);
}
