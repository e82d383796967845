#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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
#include "long_form.hpp"
#include "migration_fixture.hpp"
#include "plain_database.hpp"
#include "sanitized.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/statehouse.hpp"
#include "statehouse/testing/fault_vfs.hpp"
#include "telling_child.hpp"

// A process that is killed at any moment of its life: what it has told before is true of the files.

namespace statehouse::test {
namespace {

constexpr int callers = 16;
constexpr int rows_in_a_migration = 500;
constexpr std::array phases{"opening", "migrating", "load", "checkpoint", "backup", "shutdown"};

Migrator steps_up_to(int count) {
  // What a trigger does belongs to its statement: a part of one would show.
  return migrations_with_tables(
      count, rows_in_a_migration,
      "CREATE TABLE t(a); CREATE TABLE u(a UNIQUE); INSERT INTO u VALUES (0);"
      "CREATE TABLE total(n, sum); INSERT INTO total VALUES (0, 0);"
      "CREATE TRIGGER t_total AFTER INSERT ON t BEGIN UPDATE total SET n = n + 1, sum = sum + NEW.a; END;");
}

/// In the child: a service from its start to its end, that writes a line of one letter and one word for all it has
/// come to.
class Service {
 public:
  Service(const std::filesystem::path& dir, int first_id, int steps, int out)
      : dir_(dir), next_id_(first_id), steps_(steps), out_(out) {
    AppStateOptions options;
    options.data_dir = dir;
    options.logger = log_.logger();
    options.database_threads = 2;
    options.pool.readers = 1;
    options.pool.acquire_timeout = patience;
    options.pool.wal_soft_limit = 128 << 10;
    options.pool.connection.on_connect = [this](Connection&, connection_role role) {
      if (role == connection_role::writer) tell('p', "migrating");
    };
    state_.emplace(io_.get_executor(), std::move(options));
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
    tell('p', "opening");
    co_await state_->init();
    MigratorOptions options;
    options.on_progress = [this](const MigrationProgress& step) { tell('m', std::to_string(step.migration.version)); };
    state_->db_instances.add_migrator("x", steps_up_to(steps_).with_options(std::move(options)));
    pool_ = co_await state_->db_instances.get_pool("x");
    tell('p', "load");
    for (int i = 0; i < callers; ++i) spawn_(io_.get_executor(), [this] { return call(); });
    co_await look(30);
    tell('p', "checkpoint");
    const auto checkpoint = [](Connection& db) {
      db.query_all<std::tuple<int, int, int>>("PRAGMA wal_checkpoint(TRUNCATE)");
    };
    co_await pool_.write_without_transaction(checkpoint);
    co_await look(10);
    tell('p', "backup");
    const auto copy = [this](Reader& db) { backup(db, dir_ / "copy.db", {.overwrite = true}); };
    co_await pool_.read(copy);
    tell('b', "made");
    co_await look(10);
    tell('p', "shutdown");
    co_await state_->shutdown();
  }

  asio::awaitable<void> look(int times) {
    for (int i = 0; i < times; ++i) co_await pool_.query_one<int>("SELECT n FROM total");
  }

  asio::awaitable<void> call() {
    for (bool closed = false; !closed;) {
      const int id = ++next_id_;
      bool failed = false;
      try {
        co_await one(id);
      } catch (const Error& error) {
        failed = true;
        closed = error.code() == errc::closed;
      } catch (const std::runtime_error&) {
        failed = true;
      }
      tell(failed ? 'f' : 'k', std::to_string(id));
    }
  }

  asio::awaitable<void> one(int id) {
    const auto inserts = [id](Connection& db) {
      db.execute("INSERT INTO t VALUES (?)", id);
      if (id % 20 == 2) throw std::runtime_error("undo");
    };
    if (id % 20 == 1) {  // takes the transaction of all that share it along
      co_await pool_.execute("INSERT OR ROLLBACK INTO u SELECT ? UNION ALL SELECT 0", id);
    } else if (id % 20 < 5) {
      co_await pool_.write(inserts, {.group_commit = true});
    } else if (id % 20 == 5) {
      Transaction transaction = co_await pool_.begin();
      co_await transaction.execute("INSERT INTO t VALUES (?)", id);
      co_await std::move(transaction).commit();
    } else {
      co_await pool_.execute("INSERT INTO t VALUES (?)", id);
    }
  }

  const std::filesystem::path dir_;
  testing::LogCapture log_;
  Spawner spawn_;
  asio::io_context io_;
  std::optional<AppState> state_;
  Pool pool_;
  int next_id_;
  const int steps_;
  const int out_;
};

/// What the children have told of one directory.
struct Told {
  std::set<int> kept;
  std::set<int> failed;
  std::size_t migrated = 0;
  bool backed_up = false;
  std::set<int> kept_in_backup;
};

/// Reads what a child tells, and kills it at a moment of a phase; of each phase in turn.
class Killer {
 public:
  explicit Killer(unsigned seed) : random_(seed) {}

  /// Whether it has ended by the kill; it may have been faster.
  bool run(const std::filesystem::path& dir, int first_id, int steps, Told& told) {
    TellingChild child([&](int end) { Service(dir, first_id, steps, end).run(); });
    const std::string phase = phases[turn_++ % phases.size()];
    CAPTURE(phase);
    follow(child, phase, told);
    const int status = child.wait();
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    CHECK((killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0)));
    if (killed) ++killed_in[phase];
    return killed;
  }

  /// A child may tell of a phase and be through it before this process has had its turn.
  bool in_every_phase() const {
    return std::ranges::all_of(phases, [&](const char* phase) { return killed_in.contains(phase); });
  }

  std::map<std::string, int> killed_in;

 private:
  void follow(const TellingChild& child, const std::string& phase, Told& told) {
    char what = 0;
    char word[32];
    std::set<int> kept_before_backup;
    while (std::fscanf(child.lines(), "%c %31s\n", &what, word) == 2) {
      if (what == 'k') told.kept.insert(std::stoi(word));
      if (what == 'f') told.failed.insert(std::stoi(word));
      if (what == 'm') ++told.migrated;
      if (what == 'b') {
        told.backed_up = true;
        told.kept_in_backup = kept_before_backup;
      }
      if (what == 'p' && word == std::string("backup")) kept_before_backup = told.kept;
      if (what == 'p' && word == phase) {
        ::usleep(moment());
        child.kill();
      }
    }
  }

  /// Microseconds: 10 to 10,000, as often in each order of magnitude.
  useconds_t moment() { return static_cast<useconds_t>(std::pow(10, std::uniform_real_distribution<>(1, 4)(random_))); }

  std::mt19937 random_;
  std::size_t turn_ = 0;
};

std::multiset<int> all(const PlainDatabase& file, const char* sql) {
  std::multiset<int> values;
  for (const std::string& value : file.column(sql)) values.insert(std::stoi(value));
  return values;
}

/// What was kept is there, once; what failed is not; each transaction wholly.
void check_rows(const PlainDatabase& file, const std::set<int>& kept, const std::set<int>& failed) {
  CHECK(file.text("PRAGMA quick_check") == "ok");
  const auto t = all(file, "SELECT a FROM t");
  CHECK(std::ranges::all_of(kept, [&](int id) { return t.count(id) == 1; }));
  CHECK(std::ranges::none_of(failed, [&](int id) { return t.contains(id); }));
  CHECK(std::set<int>(t.begin(), t.end()).size() == t.size());
  CHECK(all(file, "SELECT a FROM u") == std::multiset<int>{0});
  CHECK(file.scalar("SELECT n = (SELECT count(*) FROM t) AND sum = (SELECT total(a) FROM t) FROM total") == 1);
}

/// Gives how many are there.
std::size_t check_migrations(const PlainDatabase& file, std::size_t told) {
  std::size_t applied = 0;
  if (file.scalar("SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'") == 1) {
    for (const std::string& version : file.column("SELECT version FROM _sqlx_migrations WHERE success")) {
      CHECK(version == std::to_string(++applied));
      CHECK(file.scalar("SELECT count(*) FROM m" + version) == rows_in_a_migration);
    }
    CHECK(file.scalar("SELECT count(*) FROM _sqlx_migrations WHERE NOT success") == 0);
  }
  CHECK(file.scalar("SELECT count(*) FROM sqlite_master WHERE name GLOB 'm[0-9]*'") == std::int64_t(applied));
  CHECK(applied >= told);
  return applied;
}

void check_files(const std::filesystem::path& dir, const Told& told) {
  if (!std::filesystem::exists(dir / "x.db")) {
    CHECK(told.migrated == 0);
    return;
  }
  const PlainDatabase file(dir / "x.db");
  if (check_migrations(file, told.migrated) > 0) check_rows(file, told.kept, told.failed);
  CHECK((std::filesystem::exists(dir / "copy.db") || !told.backed_up));
  if (std::filesystem::exists(dir / "copy.db"))
    check_rows(PlainDatabase(dir / "copy.db"), told.kept_in_backup, told.failed);
}

}  // namespace

// child                                            parent
// opens, migrates, tells                           reads
// 16 callers write, alone and in batches, and      reads on
// tell what each came to; checkpoint; backup;
// shutdown                                         at a random moment of one phase -- KILL -->
//                                                  reads what was still told, looks at the files, or leaves that to the
//                                                  next child, which migrates one step further
TEST_CASE(
    "kill -9 at any moment: what was acknowledged is there, once, nothing of what failed, each migration wholly") {
  const unsigned seed = Catch::getSeed();  // printed; --rng-seed gives it again
  CAPTURE(seed);
  std::mt19937 random(seed);
  Killer killer(seed);
  const testing::FaultVfs without_syncs;
  const int enough = long_form() ? 2000 : sanitized ? 40 : 200;
  int kills = 0;
  std::size_t kept = 0;
  const auto more_to_do = [&] { return kills < enough || (!killer.in_every_phase() && kills < 10 * enough); };
  while (more_to_do()) {
    const testing::TempDir dir;
    Told told;
    int steps = 3;
    for (bool more = true; more && more_to_do(); more = random() % 4 != 0) {
      CAPTURE(kills, steps);
      kills += killer.run(dir.path(), steps * 100'000, steps, told) ? 1 : 0;
      ++steps;
      if (random() % 2 == 0) check_files(dir.path(), told);  // else the next child finds them as this one left them
    }
    check_files(dir.path(), told);
    kept += told.kept.size();
  }
  CHECK(kept > 10 * static_cast<std::size_t>(kills));
  for (const char* const phase : phases) {
    CAPTURE(phase);
    CHECK(killer.killed_in[phase] > 0);
  }
}

}  // namespace statehouse::test
