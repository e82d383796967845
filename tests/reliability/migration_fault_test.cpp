#include <spdlog/spdlog.h>

#include <SQLiteCpp/Database.h>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <string>
#include <vector>

#include "error_of.hpp"
#include "migration_fixture.hpp"
#include "statehouse/testing/fault_vfs.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using testing::FaultVfs;
using operation = testing::FaultVfs::operation;
using Versions = std::vector<std::int64_t>;

namespace {

/// A log that is checkpointed and a cache that spills often, so that there is more than one kind of write to fail.
ConnectionOptions busy_disk(durability synchronous) {
  ConnectionOptions options{.synchronous = synchronous, .cache_kib = 40};
  options.on_connect = [](Connection& db, connection_role) { sqlite3_wal_autocheckpoint(db.native().getHandle(), 8); };
  return options;
}

struct Trial {
  testing::FaultVfs vfs;
  test::ThreeMigrations set{500};
  ConnectionOptions options;
  std::function<void(Connection&)> prepare;  ///< Before the fault.
  std::function<void(Connection&)> work;     ///< What meets it.

  /// Opens, works and closes with this fault; false when it did not come to it. The error must be one of ours.
  bool run(const testing::FaultVfs::Fault& fault, const std::filesystem::path& file, std::string& message) {
    {
      Connection db(file, options);
      prepare(db);
    }
    vfs.inject(fault);
    try {
      Connection db(file, options);
      work(db);
    } catch (const Error& error) {
      message = error.what();
    }
    const bool fired = vfs.fired();
    vfs.heal();
    return fired;
  }
};

struct Kind {
  operation what;
  int result;
  std::string expected;  // in the error, if there is one
};

const std::vector<Kind> kinds{{operation::write, SQLITE_IOERR_WRITE, "disk I/O error"},
                              {operation::write, SQLITE_FULL, "full"},
                              {operation::sync, SQLITE_IOERR_FSYNC, "disk I/O error"},
                              {operation::open, SQLITE_CANTOPEN, "unable to open database file"},
                              {operation::truncate, SQLITE_IOERR_TRUNCATE, "disk I/O error"},
                              {operation::map, SQLITE_IOERR_SHMMAP, "disk I/O error"}};

/// Every n until a run has met no fault; `check` looks at the file afterwards. Gives how often there was an error.
int for_every_fault(Trial& trial, const std::function<void(const std::filesystem::path&)>& check) {
  spdlog::set_level(spdlog::level::off);
  int errors = 0;
  for (const durability synchronous : {durability::normal, durability::full}) {
    trial.options = busy_disk(synchronous);
    for (const Kind& kind : kinds) {
      for (const bool lasting : {false, true}) {
        int nth = 1;
        for (bool fired = true; fired; ++nth) {
          INFO("operation " << static_cast<int>(kind.what) << ", result " << kind.result << ", number " << nth
                            << (lasting ? " and all later ones" : "") << ", synchronous "
                            << (synchronous == durability::full ? "full" : "normal"));
          const testing::TempDir dir;
          std::string message;
          fired = trial.run({.kind = kind.what, .nth = nth, .result = kind.result, .lasting = lasting}, dir / "a.db",
                            message);
          INFO(message);
          if (!fired) CHECK(message.empty());
          if (!message.empty()) {
            ++errors;
            CHECK(test::contains(message, kind.expected));
          }
          check(dir / "a.db");
          REQUIRE(nth < 2000);
        }
        CHECK(nth > 2);  // the shim has met at least one of these
      }
    }
  }
  spdlog::set_level(spdlog::level::info);
  return errors;
}

}  // namespace

TEST_CASE("faults: whichever write, sync or open fails during a run, each migration is there wholly or not at all") {
  Trial trial;
  trial.prepare = [](Connection&) {};
  trial.work = [&](Connection& db) { trial.set.migrator().run(db); };
  const int errors = for_every_fault(trial, [&](const std::filesystem::path& file) {
    const auto before = trial.set.check_wholly_or_not_at_all(file);
    Connection db(file);
    CHECK(before.size() + trial.set.migrator().run(db).versions.size() == 3);
  });
  CHECK(errors > 100);
}

TEST_CASE("faults: whichever write, sync or open fails during an undo, each migration is there wholly or not at all") {
  Trial trial;
  trial.prepare = [&](Connection& db) { trial.set.migrator().run(db); };
  trial.work = [&](Connection& db) { trial.set.migrator().undo(db, 0); };
  const int errors = for_every_fault(trial, [&](const std::filesystem::path& file) {
    const auto before = trial.set.check_wholly_or_not_at_all(file);
    Connection db(file);
    CHECK(trial.set.migrator().undo(db, 0).versions.size() == before.size());
  });
  CHECK(errors > 50);
}

TEST_CASE("faults: after a failed run the same connection completes it, once the disk is well again") {
  Trial trial;
  trial.prepare = [](Connection&) {};
  int completed = 0;
  trial.work = [&](Connection& db) {
    try {
      trial.set.migrator().run(db);
    } catch (const Error&) {
      trial.vfs.heal();
      trial.set.migrator().run(db);
      ++completed;
      throw;
    }
  };
  for_every_fault(trial, [&](const std::filesystem::path& file) { trial.set.check_wholly_or_not_at_all(file); });
  CHECK(completed > 100);
}

TEST_CASE("faults: a record of a -- no-transaction migration means that its statements have run") {
  Trial trial;
  trial.prepare = [](Connection&) {};
  const EmbeddedFile files[]{{"1_a.sql",
                              "-- no-transaction\nCREATE TABLE IF NOT EXISTS a(x);\nINSERT INTO a SELECT 1 WHERE NOT "
                              "EXISTS (SELECT 1 FROM a);\nVACUUM;"}};
  const auto migrator = Migrator::from_files(files);
  trial.work = [&](Connection& db) { migrator.run(db); };
  const int errors = for_every_fault(trial, [&](const std::filesystem::path& file) {
    Connection db(file);
    CHECK(db.query_one<std::string>("PRAGMA integrity_check") == "ok");
    if (migrator.status(db)[0].state == migration_state::applied)
      CHECK(db.query_one<int>("SELECT count(*) FROM a") == 1);
    migrator.run(db);
    CHECK(db.query_one<int>("SELECT count(*) FROM a") == 1);
  });
  CHECK(errors > 50);
}

TEST_CASE("faults: a full disk says so, with the migration, its file and SQLite's code") {
  spdlog::set_level(spdlog::level::off);
  testing::FaultVfs vfs;
  const testing::TempDir dir;
  const test::ThreeMigrations set(500);
  Connection db(dir / "a.db", {.cache_kib = 40});
  set.migrator().run_to(db, 1);
  vfs.inject({.kind = operation::write, .nth = 1, .result = SQLITE_FULL, .lasting = true});
  try {
    set.migrator().run(db);
    FAIL("no error");
  } catch (const MigrationError& error) {
    INFO(error.what());
    CHECK(error.code() == errc::migration_failed);
    CHECK(error.cause() == make_sqlite_error(SQLITE_FULL));
    CHECK(error.version() == 2);
    CHECK(error.file() == "2_b.up.sql");
    CHECK(test::contains(error.what(), "database or disk is full (SQLite 13)"));
    CHECK(test::contains(error.what(), "rolled back as a whole"));
  }
  vfs.heal();
  spdlog::set_level(spdlog::level::info);
}
