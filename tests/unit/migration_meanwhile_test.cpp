// What another process applies while a run is under way is not run again, at whichever moment it comes.

#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <string_view>
#include <utility>

#include "migrator_of.hpp"
#include "open_session.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using test::migrations;

namespace {

/// A connection, and another process's on the same file. The first of its statements that reads the bookkeeping has
/// been stepped to its end when `then` is called, once.
struct AfterReading {
  testing::TempDir dir;
  Connection db{dir / "a.db"};
  Connection other{dir / "a.db"};
  std::function<void()> then;

  AfterReading() { migrations({"CREATE TABLE a(x)"}).run(db); }
  void watch() {
    sqlite3_trace_v2(
        test::session(db).handle().get(), SQLITE_TRACE_PROFILE,
        [](unsigned, void* self, void* statement, void*) {
          const std::string_view text = sqlite3_sql(static_cast<sqlite3_stmt*>(statement));
          auto& watched = *static_cast<AfterReading*>(self);
          if (text.find("FROM _sqlx_migrations") == std::string_view::npos || !watched.then) return 0;
          std::exchange(watched.then, nullptr)();
          return 0;
        },
        this);
  }
};

}  // namespace

TEST_CASE_METHOD(AfterReading, "migrations: what is committed right after the record was read is not run again") {
  // this run                                  another process
  // the data version, the record
  //                                           migration 2
  // BEGIN IMMEDIATE, another data version:
  // the record again
  const auto migrator = migrations({"CREATE TABLE a(x)", "CREATE TABLE b(x)"});
  then = [&] { migrator.run(other); };
  watch();
  CHECK(migrator.run(db).versions.empty());
  CHECK_FALSE(then);
  CHECK(db.query_one<int>("SELECT count(*) FROM _sqlx_migrations") == 2);
}

TEST_CASE_METHOD(AfterReading, "migrations: one without a transaction that was applied meanwhile is not run again") {
  const auto migrator = migrations({"CREATE TABLE a(x)", "-- no-transaction\nCREATE TABLE b(x)"});
  then = [&] { migrator.run(other); };
  watch();
  CHECK(migrator.run(db).versions.empty());
  CHECK_FALSE(then);
  CHECK(db.query_one<int>("SELECT count(*) FROM _sqlx_migrations") == 2);
}
