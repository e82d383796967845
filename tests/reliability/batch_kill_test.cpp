#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_get_random_seed.hpp>
#include <csignal>
#include <cstdio>
#include <random>
#include <set>

#include "async_fixture.hpp"
#include "sanitized.hpp"
#include "statehouse/statehouse.hpp"

// A process that writes in batches and is killed: what it has said of its writes before is true of the file.

namespace statehouse::test {
namespace {

constexpr int kills = sanitized ? 5 : 20;
constexpr int callers = 32;

/// In the child: many callers, each of whom writes one line per completed operation, its number, negative for a
/// failure.
class Child {
 public:
  Child(const std::filesystem::path& dir, int first_id, int out) : next_id_(first_id), out_(out) {
    AppStateOptions options;
    options.data_dir = dir;
    options.logger = log_.logger();
    options.database_threads = 2;
    state_.emplace(io_.get_executor(), std::move(options));
  }

  void run() {
    spawn_(io_.get_executor(), [this] { return start(); });
    io_.run();
  }

 private:
  asio::awaitable<void> start() {
    co_await state_->init();
    pool_.emplace(co_await state_->db_instances.get_pool("test"));
    const auto schema = [](Connection& db) {
      db.execute_script(
          "CREATE TABLE IF NOT EXISTS t(a); CREATE TABLE IF NOT EXISTS u(a UNIQUE); INSERT OR IGNORE INTO u VALUES "
          "(0)");
    };
    co_await pool_->write(schema);
    for (int i = 0; i < callers; ++i) spawn_(io_.get_executor(), [this] { return call(); });
  }

  asio::awaitable<void> call() {
    for (;;) {
      const int id = ++next_id_;
      bool failed = false;
      try {
        co_await one(id);
      } catch (const std::exception&) {
        failed = true;
      }
      char line[16];
      const int length = std::snprintf(line, sizeof line, "%d\n", failed ? -id : id);
      if (::write(out_, line, std::size_t(length)) != length) ::_exit(1);
    }
  }

  asio::awaitable<void> one(int id) {
    const auto inserts = [&](Connection& db) {
      db.execute("INSERT INTO t VALUES (?)", id);
      if (id % 20 == 2) throw std::runtime_error("undo");
    };
    if (id % 20 == 1) {
      co_await pool_->execute("INSERT OR ROLLBACK INTO u SELECT ? UNION ALL SELECT 0", id);
    } else if (id % 20 < 5) {
      co_await pool_->write(inserts, {.group_commit = true});
    } else {
      co_await pool_->execute("INSERT INTO t VALUES (?)", id);
    }
  }

  LogCapture log_;
  Spawner spawn_;
  asio::io_context io_;
  std::optional<AppState> state_;
  std::optional<Pool> pool_;
  int next_id_;
  const int out_;
};

/// Runs a child until it has told of `enough` operations, kills it, and adds what it told.
void run_and_kill(const std::filesystem::path& dir, int first_id, int enough, std::set<int>& kept,
                  std::set<int>& failed) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(ends[0]);
    try {
      Child(dir, first_id, ends[1]).run();
    } catch (...) {
    }
    ::_exit(1);
  }
  ::close(ends[1]);
  std::FILE* const lines = ::fdopen(ends[0], "r");
  int id = 0;
  for (int told = 1; std::fscanf(lines, "%d\n", &id) == 1; ++told) {
    (id > 0 ? kept : failed).insert(std::abs(id));
    if (told == enough) ::kill(child, SIGKILL);
  }
  std::fclose(lines);
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGKILL);
}

std::multiset<int> all(SQLite::Database& file, const char* sql) {
  std::multiset<int> values;
  for (SQLite::Statement query(file, sql); query.executeStep();) values.insert(query.getColumn(0).getInt());
  return values;
}

}  // namespace

// callers in a child                       database thread                        parent
// 32 wait for their operations             batches: inserts, failures, rollbacks
// write what each came to                                                         reads
//                                                                                 has read enough -- KILL -->
//                                          gone, anywhere in a batch              reads what was still told
//                                                                                 compares with the file
TEST_CASE("kill -9 in the middle of batches: what was acknowledged is there, once, and nothing of what failed") {
  const unsigned seed = Catch::getSeed();  // printed; --rng-seed gives it again
  CAPTURE(seed);
  std::mt19937 random(seed);
  const TempDir dir;
  std::set<int> kept;
  std::set<int> failed;
  for (int round = 0; round < kills; ++round) {
    CAPTURE(round);
    run_and_kill(dir.path(), round * 1'000'000, 1 + int(random() % 2'000), kept, failed);
    if (round % 2 == 0) continue;  // the next child finds the file as this one left it
    SQLite::Database file((dir / "test.db").string(), SQLite::OPEN_READWRITE);
    const auto t = all(file, "SELECT a FROM t");
    CHECK(std::ranges::all_of(kept, [&](int id) { return t.count(id) == 1; }));
    CHECK(std::ranges::none_of(failed, [&](int id) { return t.contains(id); }));
    CHECK(all(file, "SELECT a FROM u") == std::multiset<int>{0});
    CHECK(std::set<int>(t.begin(), t.end()).size() == t.size());
    CHECK(file.execAndGet("PRAGMA quick_check").getString() == "ok");
  }
  CHECK(kept.size() > failed.size());
  CHECK(!failed.empty());
}

}  // namespace statehouse::test
