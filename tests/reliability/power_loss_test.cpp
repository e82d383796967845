#include <spdlog/spdlog.h>

#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <map>
#include <random>

#include "disk_model.hpp"
#include "disk_recorder.hpp"
#include "long_form.hpp"
#include "migration_fixture.hpp"
#include "state_support.hpp"
#include "statehouse/backup.hpp"

// The power is cut at some moment of the life of a database: what the disk then holds, in one of the many ways that are
// possible, is opened and compared with what the program had been told until then.

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

constexpr int rows_kept = 40;  // older ones are deleted, so that their pages are used again
constexpr int rows_migrated = 300;

/// What the program knows at one moment: so much the disk has whatever happens, and what has begun it may have, too.
struct Promise {
  int kept = 0;  ///< Transactions.
  int begun = 0;
  int migrated = 0;  ///< Migrations.
  int migrating = 0;
  int backed_up = 0;  ///< Transactions in the backup; 0 while there is none.
  int backing_up = 0;
};

std::string payload(int number) {
  return std::string(static_cast<std::size_t>(100 + number * 37 % 3000), static_cast<char>('a' + number % 26));
}

Migrator first_migrations(int count) {
  return migrations_with_tables(
      count, rows_migrated,
      "CREATE TABLE t(k INTEGER PRIMARY KEY, v); CREATE TABLE total(n, sum); INSERT INTO total VALUES (0, 0);");
}

/// A program that opens and migrates, writes alone and in batches, backs up, closes, and does all of that again, with
/// the record of what it did to the disk. While this lives, syncs only count.
class Life {
 public:
  explicit Life(durability synchronous) : synchronous_(synchronous), recorder_(app_.dir.path()) {
    spdlog::set_level(spdlog::level::off);  // of the connections that look at what is left
    note();
    open(3);
    for (int i = 0; i < 30; ++i) write(1 + i % 3);
    back_up();
    write_under_snapshots();
    for (int i = 0; i < 30; ++i) write(1 + i % 7);
    back_up();
    close();
    open(5);
    for (int i = 0; i < 20; ++i) write(2);
    close();
    events = recorder_.events();
  }

  std::vector<DiskEvent> events;
  std::vector<Promise> promises;  ///< By the number of the mark.
  int moved_in_parts = 0;         ///< Pages of the log that a checkpoint has moved which could not move all.

  ~Life() { spdlog::set_level(spdlog::level::info); }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  const fs::path& root() const { return app_.dir.path(); }

 private:
  void note() {
    recorder_.mark(promises.size());
    promises.push_back(promise_);
  }
  /// Everything that was begun is done; it lasts if each commit is synced, or all of it has been.
  void acknowledge(bool all_synced) {
    if (synchronous_ == durability::full || all_synced) {
      promise_.kept = promise_.begun;
      promise_.migrated = promise_.migrating;
    }
    note();
  }

  void open(int versions) {
    promise_.migrating = versions;
    note();
    PoolOptions options;
    options.readers = 1;
    options.wal_soft_limit = 128 << 10;
    options.connection.synchronous = synchronous_;
    options.connection.cache_kib = 40;
    state_ = another(app_, root() / "deep" / "data");
    state_->db_instances.configure("x", std::move(options));
    state_->db_instances.add_migrator("x", first_migrations(versions));
    app_.run(state_->init());
    pool_ = app_.run(state_->db_instances.get_pool("x"));
    acknowledge(false);
  }
  void close() {
    CHECK(app_.run(state_->shutdown()).clean());
    state_.reset();
    acknowledge(true);
  }

  /// So many transactions, in one commit.
  void write(int count) {
    const int first = promise_.begun + 1;
    promise_.begun += count;
    note();
    std::vector<Task<void>> tasks;
    for (int number = first; number < first + count; ++number) {
      tasks.push_back(app_.start([this, number] {
        const auto work = [number](Connection& db) {
          db.execute("INSERT INTO t VALUES (?, ?)", number, payload(number));
          db.execute("DELETE FROM t WHERE k = ?", number - rows_kept);
          db.execute("UPDATE total SET n = ?, sum = sum + ?", number, number);
        };
        return pool_.write(work, {.group_commit = true});
      }));
    }
    for (auto& task : tasks) app_.finish(task);
    acknowledge(false);
  }

  /// So that checkpoints move parts of the log, and sometimes all of it.
  void write_under_snapshots() {
    for (int i = 0; i < 12; ++i) {
      {
        const PlainDatabase reader(root() / "deep" / "data" / "x.db");
        reader.execute("BEGIN; SELECT * FROM total");
        write(2);
        const auto before = pages_written();
        for (int j = 0; j < 1 + i % 3; ++j) write(1);
        moved_in_parts += static_cast<int>(pages_written() - before);
      }
      for (int j = 0; j < i % 4; ++j) write(1);
    }
  }
  /// Into the database.
  std::ptrdiff_t pages_written() const {
    const auto all = recorder_.events();
    const auto file = std::ranges::find_if(
        all, [](const DiskEvent& event) { return event.what == DiskEvent::kind::link && event.name == "x.db"; });
    return std::ranges::count_if(all, [&](const DiskEvent& event) {
      return event.what == DiskEvent::kind::write && event.inode == file->target;
    });
  }

  void back_up() {
    promise_.backing_up = promise_.begun;
    note();
    const auto work = [this](Reader& db) { backup(db, root() / "copy.db", {.overwrite = true}); };
    app_.run(pool_.read(work));
    promise_.backed_up = promise_.backing_up;
    note();
  }

  const durability synchronous_;
  SteppedApp app_;
  DiskRecorder recorder_;
  Promise promise_;
  std::unique_ptr<AppState> state_;
  Pool pool_;
};

void require(bool holds, const char* problem) {
  if (!holds) throw std::runtime_error(problem);
}

/// How many transactions are in it; all of each of them, and nothing else.
int transactions_in(Connection& db) {
  const auto [number, sum] = db.query_one<std::tuple<int, int>>("SELECT n, sum FROM total");
  require(sum == number * (number + 1) / 2, "the sum is that of no prefix");
  const auto rows = db.query_all<std::tuple<int, std::string>>("SELECT k, v FROM t ORDER BY k");
  require(static_cast<int>(rows.size()) == std::min(number, rows_kept), "a row is missing or left over");
  int key = number - static_cast<int>(rows.size());
  for (const auto& [k, v] : rows) require(k == ++key && v == payload(k), "a row is not the one that was written");
  return number;
}

/// How many migrations are in it, each wholly.
int migrations_in(Connection& db, const Migrator& migrator) {
  int applied = 0;
  for (const MigrationStatus& status : migrator.status(db)) {
    const std::string table = "m" + std::to_string(status.version);
    const bool recorded = status.state == migration_state::applied && !status.dirty;
    const bool there = db.query_optional<int>("SELECT 1 FROM sqlite_master WHERE name = ?", table).has_value() &&
                       db.query_one<int>("SELECT count(*) FROM " + table) == rows_migrated;
    require(recorded == there, "a migration is there in parts");
    require(recorded == (status.version == applied + 1) || !recorded, "a migration is missing between others");
    applied += recorded ? 1 : 0;
  }
  return applied;
}

void check_content(Connection& db) {
  require(db.query_one<std::string>("PRAGMA integrity_check(1)") == "ok", "the file is damaged");
}

void check_database(const fs::path& file, const Promise& promise) {
  if (!fs::exists(file)) return require(promise.kept == 0 && promise.migrated == 0, "the file is lost");
  const Migrator migrator = first_migrations(5);
  Connection db(file);
  check_content(db);
  const int migrated = migrations_in(db, migrator);
  require(migrated >= promise.migrated, "an acknowledged migration is lost");
  require(migrated <= promise.migrating, "a migration that had not begun is there");
  const int number = migrated == 0 ? 0 : transactions_in(db);
  require(number >= promise.kept, "an acknowledged commit is lost");
  require(number <= promise.begun, "a commit that had not begun is there");
  require(static_cast<int>(migrator.run(db).versions.size()) == 5 - migrated, "the rest does not apply");
}

void check_backup(const fs::path& file, const Promise& promise) {
  if (!fs::exists(file)) return require(promise.backed_up == 0, "it is lost");
  auto db = Connection::for_reading(file);
  check_content(db);
  const int number = transactions_in(db);
  require(number == promise.backed_up || number == promise.backing_up, "it is another one");
}

/// What is wrong, with how often it was found.
struct Problems {
  std::map<std::string, int> in_database;
  std::map<std::string, int> in_backup;
};

void look_for_problems(const fs::path& disk, const Promise& promise, Problems& problems) {
  const auto count = [&](auto& check, const fs::path& file, std::map<std::string, int>& found) {
    try {
      check(file, promise);
    } catch (const std::exception& problem) {
      ++found[problem.what()];
    }
  };
  count(check_database, disk / "deep" / "data" / "x.db", problems.in_database);
  count(check_backup, disk / "copy.db", problems.in_backup);
}

/// Half of them anywhere, half right after something was promised.
std::vector<std::size_t> moments(const std::vector<DiskEvent>& events, int count, std::mt19937& random) {
  std::vector<std::size_t> marks;
  for (std::size_t i = 0; i < events.size(); ++i)
    if (events[i].what == DiskEvent::kind::mark) marks.push_back(i);
  std::vector<std::size_t> result;
  for (int i = 0; i < count; ++i)
    result.push_back(i % 2 == 0 ? random() % events.size() : marks[random() % marks.size()]);
  std::ranges::sort(result);
  return result;
}

/// So many disks; syncs are forgotten after that many events.
Problems cut_power(const Life& life, std::size_t forget_after, int count, std::mt19937& random, DiskModel disk = {}) {
  Problems problems;
  std::size_t next = 0;
  Promise promise;
  for (const std::size_t moment : moments(life.events, count, random)) {
    for (; next <= moment; ++next) {
      if (next == forget_after) disk.forget_syncs();
      disk.apply(life.events[next]);
      if (life.events[next].what == DiskEvent::kind::mark)
        promise = life.promises.at(static_cast<std::size_t>(life.events[next].offset));
    }
    const testing::TempDir left;
    disk.cut(random, left.path());
    look_for_problems(left.path(), promise, problems);
  }
  return problems;
}

/// Else something has changed the disk that the recorder does not know.
void check_complete(const Life& life) {
  DiskModel disk;
  for (const DiskEvent& event : life.events) disk.apply(event);
  const testing::TempDir copied;
  disk.copy(copied.path());
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(life.root())) {
    const fs::path copy = copied.path() / fs::relative(entry.path(), life.root());
    CAPTURE(copy);
    CHECK(fs::exists(copy));
    if (entry.is_regular_file()) CHECK(read_file(copy) == read_file(entry.path()));
    ++files;
  }
  CHECK(files == 4);
  const auto syncs = std::ranges::count(life.events, DiskEvent::kind::sync, &DiskEvent::what);
  CHECK(syncs > 20);
}

void check_power_loss(durability synchronous) {
  const unsigned seed = Catch::getSeed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const Life life(synchronous);
  check_complete(life);
  CHECK(life.moved_in_parts > 0);
  const Problems problems = cut_power(life, life.events.size(), long_form() ? 5000 : 250, random);
  for (const auto& [problem, times] : problems.in_database) FAIL_CHECK(problem << ": " << times << " times");
  for (const auto& [problem, times] : problems.in_backup)
    FAIL_CHECK("the backup: " << problem << ": " << times << " times");
}

/// What must be found where syncs are forgotten: each of them is one that some disks show and others do not.
struct Expected {
  std::vector<std::string> in_database;
  std::vector<std::string> in_backup;
};

bool all_of(const std::vector<std::string>& expected, const std::map<std::string, int>& found) {
  return std::ranges::all_of(expected, [&](const std::string& problem) { return found.contains(problem); });
}

/// Cuts until everything that is expected has been found: how often that takes is left to chance, whether it is found
/// is not.
void check_finds(const Expected& expected, const Life& life, std::size_t forget_after, std::mt19937& random,
                 const DiskModel& disk = {}) {
  Problems problems;
  for (int disks = 0; disks < 20'000; disks += 100) {
    const Problems more = cut_power(life, forget_after, 100, random, disk);
    problems.in_database.insert(more.in_database.begin(), more.in_database.end());
    problems.in_backup.insert(more.in_backup.begin(), more.in_backup.end());
    if (all_of(expected.in_database, problems.in_database) && all_of(expected.in_backup, problems.in_backup)) return;
  }
  for (const auto& problem : expected.in_database) CHECK(problems.in_database.contains(problem));
  for (const auto& problem : expected.in_backup) CHECK(problems.in_backup.contains(problem));
  FAIL("not everything was found");
}

}  // namespace

TEST_CASE("power loss: with durability::full each acknowledged commit, migration and backup is there, wholly") {
  check_power_loss(durability::full);
}

TEST_CASE("power loss: with durability::normal the first commits are there, and no part of one or of a migration") {
  check_power_loss(durability::normal);
}

TEST_CASE(
    "backup: it is synced as it is copied, so that at its end neither a shutdown nor a commit waits for all of it") {
  const testing::TempDir dir;
  Connection source(dir / "x.db");
  source.execute("CREATE TABLE t(x)");
  source.execute("INSERT INTO t VALUES (zeroblob(40000000))");
  const DiskRecorder recorder(dir.path());
  backup(source, dir / "copy.db");
  std::map<int, std::size_t> unsynced;
  std::size_t most = 0;
  std::size_t all = 0;
  for (const DiskEvent& event : recorder.events()) {
    if (event.what == DiskEvent::kind::sync) unsynced[event.inode] = 0;
    if (event.what != DiskEvent::kind::write) continue;
    most = std::max(most, unsynced[event.inode] += event.data.size());
    all += event.data.size();
  }
  CHECK(all > 40000000);
  CHECK(most < 9 << 20);
}

TEST_CASE("power loss: were syncs forgotten, files would be damaged and commits and backups lost") {
  const unsigned seed = Catch::getSeed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const Life life(GENERATE(durability::full, durability::normal));
  check_finds({.in_database = {"the file is lost", "an acknowledged migration is lost"},
               .in_backup = {"it is lost", "the file is damaged"}},
              life, 0, random);
  check_finds(
      {.in_database = {"an acknowledged commit is lost", "the file is damaged"}, .in_backup = {"it is another one"}},
      life, life.events.size() / 3, random);
}

TEST_CASE("power loss: were only the database not synced before its log starts anew, it would be damaged") {
  const unsigned seed = Catch::getSeed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const Life life(durability::normal);
  DiskModel disk;
  disk.forget_syncs_of("x.db");
  check_finds({.in_database = {"the file is damaged"}, .in_backup = {}}, life, life.events.size(), random, disk);
}

}  // namespace statehouse::test
