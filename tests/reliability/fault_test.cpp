#include <catch2/catch_get_random_seed.hpp>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "fault_allocator.hpp"
#include "hot_journal.hpp"
#include "long_form.hpp"
#include "sanitized.hpp"
#include "state_support.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/testing/fault_vfs.hpp"

// A database is opened, migrated, written, read, checkpointed, backed up and closed, and one call on the way fails:
// each in turn. The caller of whatever that breaks is told by an Error, all others never notice, and when the fault is
// over all is as before.

namespace statehouse::test {
namespace {

using operation = testing::FaultVfs::operation;

/// What is made to fail, and how.
struct Fault {
  std::string name;
  std::function<void(int nth)> inject;
  std::function<void()> heal;
  std::function<bool()> fired;
  std::function<int()> seen;
};

class Life {
 public:
  Life(const HotJournal& found, const Fault& fault) : fault_(fault), app_(options()) {
    found.copy_to(app_.dir.path());
    app_.state->db_instances.add_migrator(
        "x", migrations({"CREATE TABLE t(k INTEGER PRIMARY KEY, v); CREATE INDEX t_v ON t(v)",
                         "CREATE TABLE u(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                         "200) INSERT INTO u SELECT randomblob(200) FROM n"}));
  }

  /// What meets the fault, up to the end of the shutdown.
  void live(int nth) {
    succeeds(app_.state->init());
    fault_.inject(nth);
    open();
    if (pool_) work();
    if (fault_.fired()) check_works_again();
    close();
    fault_.heal();
    check_file();
  }

  int errors() const { return errors_; }

 private:
  static AppStateOptions options() {
    AppStateOptions options;
    options.pool.readers = 2;
    options.pool.wal_soft_limit = 256 << 10;
    options.pool.connection.busy_timeout = 0ms;  // the clock stands still
    options.pool.connection.synchronous = durability::full;
    options.pool.connection.cache_kib = 40;
    return options;
  }

  /// Steps until it is done. Time passes only while nothing else can be done.
  template <class T>
  void wait_for(Task<T>& task) {
    for (int seconds = 0; !task.done();) {
      if (app_.step_io() || app_.step_db()) continue;
      REQUIRE(++seconds < 60);  // it will never be done
      app_.clock->advance(1s);
    }
  }
  /// What it gave; nothing when it came to an Error. Anything else that is thrown fails the test.
  template <class T>
  auto outcome(Task<T> task) {
    wait_for(task);
    std::optional<std::conditional_t<std::is_void_v<T>, std::monostate, T>> result;
    try {
      if constexpr (std::is_void_v<T>) {
        task.get();
        result.emplace();
      } else {
        result.emplace(task.get());
      }
    } catch (const Error& error) {
      ++errors_;
      last_error_ = error.what();
    }
    return result;
  }
  template <class Work>
  bool succeeds(Work work) {
    return outcome(app_.start(std::move(work))).has_value();
  }

  void open() {
    if (auto pool = outcome(app_.start(app_.state->db_instances.get_pool("x")))) pool_ = *pool;
  }

  template <class Work>
  void insert(int key, Work work) {
    tell(key, succeeds(std::move(work)));
  }
  void tell(int key, bool success) { (success ? kept_ : failed_).insert(key); }

  asio::awaitable<void> in_transaction(int key) {
    Transaction transaction = co_await pool_->begin();
    co_await transaction.execute("INSERT INTO t VALUES (?, 'in a transaction')", key);
    co_await std::move(transaction).commit();
  }

  void work() {
    insert(1, pool_->execute("INSERT INTO t VALUES (1, 'alone')"));
    const auto large = [](Connection& db) {
      db.execute("INSERT INTO t VALUES (2, ?)", std::string(50'000, 'x'));
      db.query_one<int>("SELECT count(*) FROM t");
    };
    insert(2, pool_->write(large));
    batch(3, 9);
    insert(9, in_transaction(9));
    read();
    const auto checkpoint = [](Connection& db) {
      db.query_all<std::tuple<int, int, int>>("PRAGMA wal_checkpoint(TRUNCATE)");
    };
    succeeds(pool_->write_without_transaction(checkpoint));
    insert(10, pool_->execute("INSERT INTO t VALUES (10, 'into a log that has started anew')"));
    const auto copy = [this](Reader& db) { backup(db, app_.dir / "copy.db", {.overwrite = true}); };
    succeeds(pool_->read(copy));
  }
  /// At the same moment, so that they share a commit.
  void batch(int first, int end) {
    std::vector<Task<ExecuteResult>> tasks;
    for (int key = first; key < end; ++key)
      tasks.push_back(app_.start(pool_->execute("INSERT INTO t VALUES (?, 'with others')", key)));
    for (int key = first; auto& task : tasks) tell(key++, outcome(task).has_value());
  }
  /// Whatever comes is right.
  void read() {
    auto rows = outcome(app_.start(pool_->query_all<std::tuple<int, std::string>>("SELECT k, v FROM t ORDER BY v")));
    if (rows) CHECK(rows->size() == kept_.size());
    auto blob = outcome(app_.start(pool_->query_one<std::vector<std::byte>>("SELECT zeroblob(100000)")));
    if (blob) CHECK(blob->size() == 100'000);
    auto text = outcome(
        app_.start(pool_->query_one<std::string>("SELECT v FROM t WHERE v REGEXP '^x+$' UNION SELECT 'y' LIMIT 1")));
    if (text) CHECK(text->size() == (kept_.contains(2) ? 50'000 : 1));
  }

  /// In the same process, at once.
  void check_works_again() {
    fault_.heal();
    const int before = errors_;
    if (!pool_) open();
    INFO(last_error_);
    REQUIRE(pool_);
    CHECK(pool_->stats().state == database_state::ready);
    insert(100, pool_->execute("INSERT INTO t VALUES (100, 'afterwards')"));
    insert(101, in_transaction(101));
    batch(102, 105);
    auto keys = outcome(app_.start(pool_->query_all<int>("SELECT k FROM t")));
    REQUIRE(keys);
    CHECK(std::set<int>(keys->begin(), keys->end()) == kept_);
    const auto copy = [this](Reader& db) { backup(db, app_.dir / "copy.db", {.overwrite = true}); };
    CHECK(succeeds(pool_->read(copy)));
    CHECK(errors_ == before);
    healed_ = true;
  }

  void close() {
    const auto report = outcome(app_.start(app_.state->shutdown()));
    REQUIRE(report);  // it never throws
    app_.settle();
    if (healed_) CHECK(report->clean());
    app_.state.reset();
    CHECK(open_descriptors(app_.dir.path()) == 0);
  }

  void check_file() {
    const PlainDatabase file(app_.dir / "x.db");
    CHECK(file.text("PRAGMA integrity_check") == "ok");
    CHECK(file.scalar("SELECT count(*) FROM old WHERE a NOT LIKE 'x%'") == 100);
    if (!pool_) return;
    std::set<int> keys;
    for (const std::string& key : file.column("SELECT k FROM t")) keys.insert(std::stoi(key));
    CHECK(keys == kept_);
    CHECK(file.scalar("SELECT count(*) FROM u") == 200);
    CHECK(file.scalar("SELECT count(*) FROM _sqlx_migrations WHERE success") == 2);
  }

  const Fault& fault_;
  SteppedApp app_;
  std::optional<Pool> pool_;
  std::set<int> kept_;
  std::set<int> failed_;
  int errors_ = 0;
  std::string last_error_;
  bool healed_ = false;
};

/// Gives how many Errors there were.
int live_with(const HotJournal& found, const Fault& fault, int nth) {
  INFO(fault.name << ", number " << nth);
  const auto memory = sqlite3_memory_used();
  int errors = 0;
  {
    Life life(found, fault);
    life.live(nth);
    errors = life.errors();
  }
  CHECK(sqlite3_memory_used() == memory);
  return errors;
}

/// All in the long form, until a life has met no fault; else so many of them, evenly.
int for_every(const Fault& fault, int most) {
  constexpr int never = 1 << 30;
  const HotJournal found;
  CHECK(live_with(found, fault, never) == 0);
  const int total = fault.seen();
  CAPTURE(fault.name, total);
  REQUIRE(total > 0);
  int errors = 0;
  if (long_form()) {
    for (int nth = 1; fault.fired() || nth == 1; ++nth) errors += live_with(found, fault, nth);
    return errors;
  }
  const int trials = std::min(total, most);
  std::mt19937 random(Catch::getSeed());
  const int offset = static_cast<int>(random() % static_cast<unsigned>(std::max(1, total / trials)));
  for (int i = 0; i < trials; ++i) errors += live_with(found, fault, 1 + offset + i * (total / trials));
  return errors;
}

struct Call {
  operation what;
  int result;
  const char* name;
};

const std::vector<Call> calls{{operation::open, SQLITE_CANTOPEN, "open"},
                              {operation::read, SQLITE_IOERR_READ, "read"},
                              {operation::write, SQLITE_IOERR_WRITE, "write"},
                              {operation::write, SQLITE_FULL, "write on a full disk"},
                              {operation::truncate, SQLITE_IOERR_TRUNCATE, "truncate"},
                              {operation::sync, SQLITE_IOERR_FSYNC, "sync"},
                              {operation::size, SQLITE_IOERR_FSTAT, "file size"},
                              {operation::lock, SQLITE_IOERR_LOCK, "lock"},
                              {operation::lock, SQLITE_BUSY, "lock that another process has"},
                              {operation::unlock, SQLITE_IOERR_UNLOCK, "unlock"},
                              {operation::check_reserved, SQLITE_IOERR_CHECKRESERVEDLOCK, "check of a lock"},
                              {operation::control, SQLITE_IOERR, "file control"},
                              {operation::map, SQLITE_IOERR_SHMMAP, "map of the index"},
                              {operation::shm_lock, SQLITE_IOERR_SHMLOCK, "lock of the index"},
                              {operation::shm_lock, SQLITE_BUSY, "lock of the index that another process has"},
                              {operation::close, SQLITE_IOERR_CLOSE, "close"},
                              {operation::remove, SQLITE_IOERR_DELETE, "delete"},
                              {operation::access, SQLITE_IOERR_ACCESS, "access"},
                              {operation::full_path, SQLITE_CANTOPEN_FULLPATH, "full path"}};

}  // namespace

TEST_CASE("faults: whichever call of the file system fails, its caller gets an Error, and then all works again") {
  CAPTURE(Catch::getSeed());
  testing::FaultVfs vfs;
  int errors = 0;
  for (const Call& call : calls) {
    for (const bool lasting : {false, true}) {
      const Fault fault{
          .name = std::string(call.name) + (lasting ? ", and all later ones" : ""),
          .inject =
              [&](int nth) { vfs.inject({.kind = call.what, .nth = nth, .result = call.result, .lasting = lasting}); },
          .heal = [&] { vfs.heal(); },
          .fired = [&] { return vfs.fired(); },
          .seen = [&] { return vfs.seen(); }};
      errors += for_every(fault, sanitized ? 3 : 24);
    }
  }
  CHECK(errors > 100);
}

TEST_CASE("faults: whichever allocation of SQLite fails, its caller gets an Error, and then all works again") {
  CAPTURE(Catch::getSeed());
  FaultAllocator allocator;
  const testing::FaultVfs without_syncs;
  int errors = 0;
  for (const bool lasting : {false, true}) {
    const Fault fault{.name = std::string("allocation") + (lasting ? ", and all later ones" : ""),
                      .inject = [&](int nth) { allocator.inject(nth, lasting); },
                      .heal = [&] { allocator.heal(); },
                      .fired = [&] { return allocator.fired(); },
                      .seen = [&] { return allocator.seen(); }};
    errors += for_every(fault, sanitized ? 60 : 500);
  }
  CHECK(errors > 50);
}

}  // namespace statehouse::test
