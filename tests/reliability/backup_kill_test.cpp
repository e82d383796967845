#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch_get_random_seed.hpp>
#include <cmath>
#include <cstdio>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "async_fixture.hpp"
#include "eventually.hpp"
#include "files.hpp"
#include "long_form.hpp"
#include "migrator_of.hpp"
#include "plain_database.hpp"
#include "sanitized.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/statehouse.hpp"
#include "statehouse/testing/fault_vfs.hpp"
#include "telling_child.hpp"

// A process that makes backups by itself all the time, writes as fast as it can, and is killed.

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

constexpr int writers = 4;
constexpr int most_in_a_life = 100'000;  // rows of one writer in one life of the process
constexpr std::size_t backups_kept = 3;

/// In the child. Tells "k ID" for each row that was acknowledged, and "b NAME" for each backup that it has found made.
class BackedService {
 public:
  BackedService(const fs::path& dir, int life, int out) : life_(life), out_(out) {
    AppStateOptions options;
    options.data_dir = dir;
    options.logger = log_.logger();
    options.clock = clock_;
    options.database_threads = 2;
    options.pool.readers = 1;
    options.pool.acquire_timeout = {};
    options.pool.backup = {.every = std::chrono::seconds(1), .keep = backups_kept};
    state_.emplace(io_.get_executor(), std::move(options));
    state_->db_instances.add_migrator(
        "x", migrations(
                 {"CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE total(n, sum);"
                  "INSERT INTO total VALUES (0, 0);"
                  "CREATE TRIGGER t_total AFTER INSERT ON t BEGIN UPDATE total SET n = n + 1, sum = sum + NEW.id; END;"
                  "CREATE TABLE big(x);"
                  "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                  "INSERT INTO big SELECT randomblob(2000) FROM n;"}));
  }

  void run() {
    auto life = spawn_(io_.get_executor(), [this] { return live(); });
    io_.run();
    life.get();
  }

 private:
  void tell(char what, const std::string& word) const {
    const std::string line = std::string(1, what) + ' ' + word + '\n';
    if (::write(out_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(1);
  }

  asio::awaitable<void> live() {
    co_await state_->init();
    pool_ = co_await state_->db_instances.get_pool("x");
    for (int i = 0; i < writers; ++i) spawn_(io_.get_executor(), [this, i] { return write(i); });
    std::string told;
    asio::steady_timer timer(io_);
    for (;;) {
      clock_->advance(std::chrono::seconds(1));  // so that the next backup is due as soon as one is made
      const auto made = backups_of(pool_.path(), pool_.path().parent_path() / "backups");
      if (!made.empty() && made.back().filename() != told) tell('b', told = made.back().filename().string());
      timer.expires_after(std::chrono::milliseconds(1));
      co_await timer.async_wait(asio::use_awaitable);
    }
  }

  asio::awaitable<void> write(int writer) {
    const int first = (life_ * writers + writer) * most_in_a_life;
    for (int n = 1; n < most_in_a_life; ++n) {
      co_await pool_.execute("INSERT INTO t VALUES (?)", first + n);
      tell('k', std::to_string(first + n));
    }
  }

  const int life_;
  const int out_;
  testing::LogCapture log_;
  Spawner spawn_;
  asio::io_context io_;
  std::shared_ptr<testing::ManualClock> clock_ = std::make_shared<testing::ManualClock>();
  std::optional<AppState> state_;
  Pool pool_;
};

/// What all lives have told, in its order.
struct Acknowledged {
  std::vector<int> rows;
  /// What was acknowledged when this backup had been made: all of it is in those that come after.
  std::map<std::string, std::size_t> before;
};

/// One life, which ends by a kill after so many microseconds under load.
void live_and_die(const fs::path& dir, int life, useconds_t moment, Acknowledged& told) {
  TellingChild child([&](int end) { BackedService(dir, life, end).run(); });
  char what = 0;
  char word[128];
  bool doomed = false;
  while (std::fscanf(child.lines(), "%c %127s\n", &what, word) == 2) {
    if (what == 'k') told.rows.push_back(std::stoi(word));
    if (what == 'b') told.before.emplace(word, told.rows.size());
    if (std::exchange(doomed, true)) continue;
    ::usleep(moment);
    child.kill();
  }
  CHECK(child.wait_for_kill());
}

/// Of each writer in each life the first ones, without a gap, and at most one that was not acknowledged.
void check_prefix(const std::set<int>& rows, const std::set<int>& acknowledged) {
  std::map<int, int> first_ones;
  for (const int row : rows) {
    int& count = first_ones[row / most_in_a_life];
    if (row % most_in_a_life != count + 1) FAIL("row " << row << " is there without the one before it");
    ++count;
    const bool known = acknowledged.contains(row) || row % most_in_a_life == 1 || acknowledged.contains(row - 1);
    if (!known) FAIL("row " << row << " was not asked for yet");
  }
}

/// Restored to a place of its own, it is consistent, and a prefix of what was acknowledged.
void check_backup(const fs::path& file, const Acknowledged& told) {
  CAPTURE(file);
  const testing::TempDir elsewhere;
  restore(file, elsewhere / "x.db");
  const PlainDatabase database(elsewhere / "x.db");
  CHECK(database.text("PRAGMA integrity_check") == "ok");
  CHECK(database.scalar("SELECT count(*) FROM big") == 1000);
  CHECK(database.scalar("SELECT n = (SELECT count(*) FROM t) AND sum = (SELECT total(id) FROM t) FROM total") == 1);
  std::set<int> rows;
  for (const std::string& row : database.column("SELECT id FROM t")) rows.insert(std::stoi(row));
  check_prefix(rows, {told.rows.begin(), told.rows.end()});
  std::size_t sure = 0;
  for (const auto& [name, count] : told.before)
    if (name < file.filename().string()) sure = std::max(sure, count);
  const auto missing = std::find_if(told.rows.begin(), told.rows.begin() + static_cast<std::ptrdiff_t>(sure),
                                    [&](int row) { return !rows.contains(row); });
  CHECK(missing == told.rows.begin() + static_cast<std::ptrdiff_t>(sure));
}

}  // namespace

// child                                             parent
// writes with 4 callers, tells each row;            reads
// backup after backup, 3 kept                       at a random moment -- KILL -->
//                                                   restores each file with a backup's name, and looks at it; or leaves
//                                                   that to after the next life, which goes on in the same directory
TEST_CASE(
    "scheduled backups: killed at any moment under load, every backup restores, to a prefix of what was acknowledged") {
  const unsigned seed = Catch::getSeed();  // printed; --rng-seed gives it again
  CAPTURE(seed);
  std::mt19937 random(seed);
  const testing::FaultVfs without_syncs;
  const int enough = long_form() ? 500 : sanitized ? 10 : 30;
  std::size_t looked_at = 0;
  testing::TempDir dir;
  Acknowledged told;
  int life = 0;
  // A slow machine has lives that end before any backup is made.
  for (; life < enough || (told.before.size() < 2 && life < 1000); ++life) {
    CAPTURE(life);
    // 1 to 300 milliseconds, as often in each order of magnitude.
    const double moment = std::pow(10, std::uniform_real_distribution<>(3, 5.5)(random));
    live_and_die(dir.path(), life, static_cast<useconds_t>(moment), told);
    const fs::path backups = dir / "backups";
    if (!fs::exists(backups)) continue;
    if (random() % 3 != 0 && life + 1 < enough) continue;
    const auto files = backups_of(dir / "x.db", backups);
    for (const fs::path& file : files) check_backup(file, told);
    looked_at += files.size();
  }
  CHECK(looked_at > 0);
  CHECK(told.before.size() > 1);
  CHECK(told.rows.size() > static_cast<std::size_t>(life));
}

}  // namespace statehouse::test
