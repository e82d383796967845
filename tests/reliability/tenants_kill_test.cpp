// A process that puts databases to sleep and wakes them all the time, and is killed at any moment of that.

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_get_random_seed.hpp>
#include <cmath>
#include <cstdio>
#include <map>
#include <random>
#include <set>

#include "long_form.hpp"
#include "sanitized.hpp"
#include "state_support.hpp"
#include "statehouse/testing/fault_vfs.hpp"
#include "telling_child.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

constexpr int dormitory_beds = 12;
constexpr int dormitory_callers = 6;

std::string bed(int number) {
  return "tenants/" + std::to_string(number) + "/state";
}

/// One line for the parent: a letter, the number of a database, that of a row.
void tell_parent(int out, char what, int database, int row) {
  char line[64];
  const int length = std::snprintf(line, sizeof line, "%c %d %d\n", what, database, row);
  if (::write(out, line, std::size_t(length)) != length) ::_exit(1);
}

/// Tells the parent when a database begins to fall asleep.
class TellingSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit TellingSink(int out) : out_(out) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    if (text.find("falls asleep") != std::string_view::npos) tell_parent(out_, 's', 0, 0);
  }
  void flush_() override {}

  const int out_;
};

/// In the child: more databases than connections, written until the kill.
class Dormitory {
 public:
  Dormitory(const fs::path& dir, std::size_t connections, int first_row, int out) : out_(out), next_row_(first_row) {
    AppStateOptions options;
    options.data_dir = dir;
    options.logger = std::make_shared<spdlog::logger>("child", std::make_shared<TellingSink>(out));
    options.logger->set_level(spdlog::level::debug);
    options.database_threads = 3;
    options.max_open_connections = connections;
    options.pool.readers = 1;
    options.pool.acquire_timeout = patience;
    options.pool.connection.on_connect = [out](Connection&, connection_role) { tell_parent(out, 'w', 0, 0); };
    state_.emplace(io_.get_executor(), std::move(options));
  }

  void run() {
    auto life = spawn_(io_.get_executor(), [this] { return live(); });
    io_.run();
    life.get();
  }

 private:
  asio::awaitable<void> live() {
    co_await state_->init();
    state_->db_instances.add_migrator(
        "tenants/*/state",
        migrations(
            {"CREATE TABLE t(a INTEGER PRIMARY KEY); CREATE TABLE total(n, sum); INSERT INTO total VALUES (0, 0);",
             "CREATE TRIGGER t_total AFTER INSERT ON t BEGIN UPDATE total SET n = n + 1, sum = sum + NEW.a; END;"}));
    for (int i = 0; i < dormitory_beds; ++i) {
      pools_.push_back(co_await state_->db_instances.get_pool(bed(i)));
      tell_parent(out_, 'o', i, 0);
    }
    for (int i = 0; i < dormitory_callers; ++i)
      calls_.push_back(spawn_(io_.get_executor(), [this, i] { return call(i); }));
  }

  /// From one database to the next: whoever is before has it put to sleep for the other.
  asio::awaitable<void> call(int at) {
    for (;;) {
      const int row = ++next_row_;
      at = (at + 1 + row % 5) % dormitory_beds;
      std::string failure;
      try {
        co_await write(pools_[std::size_t(at)], row);
      } catch (const std::runtime_error& error) {
        failure = error.what();
      }
      const bool undone = !failure.empty();
      if (undone != (row % 10 == 1)) {  // nothing else fails
        failure += " (not expected of row " + std::to_string(row) + ")\n";
        static_cast<void>(!::write(STDERR_FILENO, failure.data(), failure.size()));
        ::_exit(2);
      }
      tell_parent(out_, undone ? 'f' : 'k', at, row);
    }
  }

  asio::awaitable<void> write(const Pool& pool, int row) {
    const auto insert = [row](Connection& db) {
      db.execute("INSERT INTO t VALUES (?)", row);
      if (row % 10 == 1) throw std::runtime_error("undo");
    };
    if (row % 10 < 4) {
      co_await pool.write(insert, {.group_commit = row % 2 == 0});
    } else if (row % 10 == 4) {
      Transaction transaction = co_await pool.begin();
      co_await transaction.execute("INSERT INTO t VALUES (?)", row);
      co_await std::move(transaction).commit();
    } else {
      co_await pool.execute("INSERT INTO t VALUES (?)", row);
      if (row % 10 == 9) co_await pool.query_one<int>("SELECT count(*) FROM t");
    }
  }

  const int out_;
  int next_row_;
  Spawner spawn_;
  asio::io_context io_;
  std::optional<AppState> state_;
  std::vector<Pool> pools_;
  std::vector<Task<void>> calls_;
};

/// What the children have told of one directory, by database.
struct Diary {
  std::map<int, std::set<int>> kept;
  std::map<int, std::set<int>> failed;
  std::set<int> opened;
  int last_row = 0;
};

/// The child's letter after which it is killed: a database falls asleep, wakes or comes to be, a write is through.
constexpr std::array dormitory_moments{'s', 'w', 'k', 'o'};

/// Runs a child, reads what it tells, and kills it some time after it has told of `moment` for the `nth` time.
void kill_dormitory(const fs::path& dir, std::size_t connections, char moment, int nth, useconds_t later,
                    Diary& diary) {
  diary.last_row += 1000;  // also where nothing is told: what the last child wrote may be there all the same
  TellingChild child([&](int end) { Dormitory(dir, connections, diary.last_row, end).run(); });
  char what = 0;
  int database = 0;
  int row = 0;
  while (std::fscanf(child.lines(), "%c %d %d\n", &what, &database, &row) == 3) {
    if (what == 'k') diary.kept[database].insert(row);
    if (what == 'f') diary.failed[database].insert(row);
    if (what == 'o') diary.opened.insert(database);
    diary.last_row = std::max(diary.last_row, row);
    if (what != moment || --nth != 0) continue;
    ::usleep(later);
    child.kill();
  }
  CHECK(child.wait_for_kill());  // every database was opened, and nothing failed
}

/// What was kept is there, once; what failed is not; each transaction wholly.
void check_bed(const fs::path& file, const std::set<int>& kept, const std::set<int>& failed) {
  const PlainDatabase plain(file);
  CHECK(plain.text("PRAGMA integrity_check") == "ok");
  std::set<int> rows;
  for (const std::string& row : plain.column("SELECT a FROM t")) rows.insert(std::stoi(row));
  CHECK(std::ranges::includes(rows, kept));
  CHECK(std::ranges::none_of(failed, [&](int row) { return rows.contains(row); }));
  CHECK(plain.scalar("SELECT n = (SELECT count(*) FROM t) AND sum = (SELECT total(a) FROM t) FROM total") == 1);
}

void check_dormitory(const fs::path& dir, Diary& diary) {
  for (int i = 0; i < dormitory_beds; ++i) {
    const fs::path file = dir / (bed(i) + ".db");
    CAPTURE(i);
    if (diary.opened.contains(i)) {
      check_bed(file, diary.kept[i], diary.failed[i]);
    } else if (fs::exists(file)) {
      CHECK(PlainDatabase(file).text("PRAGMA integrity_check") == "ok");
    }
  }
}

}  // namespace

// child                                            parent
// opens 12 databases under one or two connections  reads
// 6 callers write to one after the other, and tell
// what each write came to; databases fall asleep
// and wake for each                                at a random moment -- KILL -->
//                                                  reads what was still told, looks at the files, or leaves that to the
//                                                  next child, which opens all of them
TEST_CASE(
    "kill: -9 while databases fall asleep and wake: what was acknowledged is there, nothing of what failed, every file "
    "is well, and the next process opens all") {
  const unsigned seed = Catch::getSeed();  // printed; --rng-seed gives it again
  CAPTURE(seed);
  std::mt19937 random(seed);
  const testing::FaultVfs without_syncs;
  const int enough = long_form() ? 2000 : sanitized ? 24 : 120;
  std::size_t kept = 0;
  for (int kills = 0; kills < enough;) {
    const testing::TempDir dir;
    Diary diary;
    for (bool more = true; more && kills < enough; more = random() % 5 != 0) {
      const char moment = dormitory_moments[std::size_t(kills) % dormitory_moments.size()];
      const auto connections = std::size_t(1 + random() % 2);
      const int nth = 1 + int(random() % (moment == 'o' ? dormitory_beds : 60));
      const auto later = useconds_t(std::pow(10, std::uniform_real_distribution<>(0, 4)(random)));
      CAPTURE(kills, moment, connections, nth, later);
      kill_dormitory(dir.path(), connections, moment, nth, later, diary);
      ++kills;
      if (random() % 2 == 0)
        check_dormitory(dir.path(), diary);  // else the next child finds them as this one left them
    }
    check_dormitory(dir.path(), diary);
    for (const auto& [database, rows] : diary.kept) kept += rows.size();
  }
  CHECK(kept > static_cast<std::size_t>(enough));
}

}  // namespace statehouse::test
