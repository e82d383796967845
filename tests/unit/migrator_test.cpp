#include "statehouse/migrator.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "error_of.hpp"
#include "migrator_of.hpp"
#include "open_session.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using test::contains;
using test::error_of;
using test::migrator_of;
using test::session;
using Versions = std::vector<std::int64_t>;

namespace {

std::vector<std::string> tables(Connection& db) {
  return db.query_all<std::string>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
}

Versions applied(Connection& db) {
  return db.query_all<std::int64_t>("SELECT version FROM _sqlx_migrations ORDER BY version");
}

std::int64_t pragma(Connection& db, const std::string& name) {
  return db.query_one<std::int64_t>("PRAGMA " + name);
}

void request_stop(void* interrupter) {
  static_cast<detail::Interrupter*>(interrupter)->request(detail::stop_reason::shutdown);
}

/// The SQL functions stop_now() and stop_after(): a shutdown begins while a statement runs, or when it has ended.
void add_stop_functions(Connection& db) {
  const auto now = [](sqlite3_context* context, int, sqlite3_value**) { request_stop(sqlite3_user_data(context)); };
  const auto after = [](sqlite3_context* context, int, sqlite3_value**) {
    sqlite3_set_auxdata(context, 0, sqlite3_user_data(context), request_stop);
  };
  sqlite3* const handle = session(db).handle().get();
  auto* const interrupter = &session(db).interrupter();
  sqlite3_create_function_v2(handle, "stop_now", 0, SQLITE_UTF8, interrupter, now, nullptr, nullptr, nullptr);
  sqlite3_create_function_v2(handle, "stop_after", 1, SQLITE_UTF8, interrupter, after, nullptr, nullptr, nullptr);
}

constexpr std::string_view parents =
    "CREATE TABLE p(id INTEGER PRIMARY KEY, n);"
    "CREATE TABLE c(id INTEGER PRIMARY KEY, pid REFERENCES p(id) ON DELETE CASCADE);"
    "INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (10, 1), (11, 2);";

}  // namespace

TEST_CASE("migrator: run applies what is pending by number and records it; a second run has nothing to do") {
  Connection db(":memory:");
  const auto migrator = migrator_of({{"10_c.sql", "ALTER TABLE a ADD COLUMN z"}, {"9_a.sql", "CREATE TABLE a(x)"}});
  const auto report = migrator.run(db);
  CHECK(report.versions == Versions{9, 10});
  CHECK(migrator.run(db).versions.empty());

  struct Row {
    std::int64_t version;
    std::string description;
    bool success;
    std::vector<std::byte> checksum;
    std::int64_t execution_time;
  };
  const auto row = db.query_one<Row>(
      "SELECT version, description, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 9");
  CHECK(row.description == "a");
  CHECK(row.success);
  CHECK(std::ranges::equal(row.checksum, migrator.migrations()[0].checksum));
  CHECK(row.execution_time > 0);
  CHECK(row.execution_time < 1'000'000'000);
}

TEST_CASE(
    "migrator: a failed statement names file, line, statement and SQLite's reason, and leaves nothing of the script") {
  Connection db(":memory:");
  const auto migrator =
      migrator_of({{"1_a.sql", "CREATE TABLE a(x);"},
                   {"2_b.sql", "\n\nCREATE TABLE b(x);\n-- why\nINSERT INTO nosuch\n VALUES (1);\nCREATE TABLE c(x);"},
                   {"3_d.sql", "CREATE TABLE d(x);"}});
  const auto error = error_of<MigrationError>([&] { migrator.run(db); });
  INFO(error.what());
  CHECK(error.code() == errc::migration_failed);
  CHECK(error.cause() == make_sqlite_error(SQLITE_ERROR));
  CHECK(error.version() == 2);
  CHECK(error.file() == "2_b.sql");
  CHECK(error.line() == 5);
  CHECK(error.sql().starts_with("INSERT INTO nosuch"));
  CHECK(contains(error.what(), "2_b.sql:5"));
  CHECK(contains(error.what(), "no such table: nosuch (SQLite 1)"));
  CHECK(tables(db) == std::vector<std::string>{"_sqlx_migrations", "a"});
  CHECK(applied(db) == Versions{1});
  CHECK_FALSE(session(db).in_transaction());
}

TEST_CASE("migrator: the execution time of what is applied is recorded, also when a later migration fails") {
  Connection db(":memory:");
  error_of<MigrationError>([&] {
    migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}, {"2_b.sql", "SELECT 1;"}, {"3_c.sql", "SELECT nosuch;"}}).run(db);
  });
  for (const auto time : db.query_all<std::int64_t>("SELECT execution_time FROM _sqlx_migrations")) {
    CHECK(time > 0);
    CHECK(time < 1'000'000'000);
  }
  CHECK(applied(db) == Versions{1, 2});
}

TEST_CASE("migrator: a syntax error is located by its own line, not its statement's") {
  Connection db(":memory:");
  const auto error = error_of<MigrationError>([&] {
    migrator_of({{"1_a.sql", "\xC2\xA0\nCREATE TABLE a(\n  x,\n  y z w q CHECK CHECK\n);"}}).run(db);
  });
  INFO(error.what());
  CHECK(error.line() == 4);
}

TEST_CASE("migrator: everything is checked before anything is changed") {
  Connection db(":memory:");
  const auto first = migrator_of({{"2_b.sql", "CREATE TABLE b(x);"}});
  first.run(db);
  const auto before = db.query_all<std::string>("SELECT coalesce(sql, '') FROM sqlite_master");
  const auto unchanged = [&] {
    CHECK(db.query_all<std::string>("SELECT coalesce(sql, '') FROM sqlite_master") == before);
    CHECK(applied(db) == Versions{2});
  };

  SECTION("a changed version") {
    const auto error = error_of<MigrationError>([&] {
      migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}, {"2_b.sql", "CREATE TABLE b(y);"}}).run(db);
    });
    CHECK(error.code() == errc::migration_mismatch);
    CHECK(error.version() == 2);
    CHECK(error.file() == "2_b.sql");
    CHECK(contains(error.what(), to_hex(first.migrations()[0].checksum)));
    CHECK(contains(error.what(), "The content differs"));
    unchanged();
  }
  SECTION("a version that differs only in line ends") {
    const auto error = error_of<MigrationError>([&] {
      migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}, {"2_b.sql", "CREATE TABLE b(x);\r\n"}}).run(db);
    });
    CHECK(error.code() == errc::migration_mismatch);
    CHECK(contains(error.what(), "only this differs: blanks at line ends or at the end of the file"));
    unchanged();
  }
  SECTION("a missing version") {
    const auto error = error_of<MigrationError>([&] { migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}}).run(db); });
    CHECK(error.code() == errc::migration_missing);
    CHECK(error.version() == 2);
    unchanged();
  }
  SECTION("a dirty version") {
    db.execute("UPDATE _sqlx_migrations SET success = 0");
    const auto error = error_of<MigrationError>([&] {
      migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}, {"2_b.sql", "other"}}).run(db);
    });
    CHECK(error.code() == errc::migration_dirty);
    CHECK(error.version() == 2);
    unchanged();
  }
  SECTION("a refused statement in a later file") {
    const auto error = error_of<MigrationError>([&] {
      migrator_of(
          {{"1_a.sql", "CREATE TABLE a(x);"}, {"2_b.sql", "CREATE TABLE b(x);"}, {"3_c.sql", "\nSELECT 1;\n  COMMIT;"}})
          .run(db);
    });
    CHECK(error.code() == errc::migration_refused);
    CHECK(error.version() == 3);
    CHECK(error.line() == 3);
    CHECK(error.sql() == "COMMIT");
    unchanged();
  }
}

TEST_CASE("migrator: the report of a run has the highest version that is applied now, by whomever") {
  Connection db(":memory:");
  CHECK_FALSE(migrator_of({{"7_view.down.sql", "SELECT 1"}, {"7_view.up.sql", "SELECT 1"}})
                  .with_options({.table = "none"})
                  .undo(db, 0)
                  .schema_version);
  const auto migrator = migrator_of({{"1_a.up.sql", "CREATE TABLE a(x)"},
                                     {"1_a.down.sql", "DROP TABLE a"},
                                     {"2_b.up.sql", "CREATE TABLE b(x)"},
                                     {"2_b.down.sql", "DROP TABLE b"}});
  CHECK(migrator.run_to(db, 1).schema_version == 1);
  CHECK(migrator.run(db).schema_version == 2);
  CHECK(migrator.run(db).schema_version == 2);  // nothing was left to do
  const auto other = migrator_of({{"5_e.sql", "CREATE TABLE e(x)"}}).with_options({.ignore_missing = true});
  CHECK(other.run(db).schema_version == 5);
  CHECK(migrator.with_options({.ignore_missing = true}).undo(db, 1).schema_version == 5);
  db.execute("DELETE FROM _sqlx_migrations WHERE version = 5");
  CHECK(migrator.undo(db, 0).schema_version == std::nullopt);
}

TEST_CASE("migrator: ignore_missing accepts versions that the set does not know") {
  Connection db(":memory:");
  migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}, {"2_b.sql", "CREATE TABLE b(x);"}}).run(db);
  const auto newer = migrator_of({{"3_c.sql", "CREATE TABLE c(x);"}});
  CHECK(newer.with_options({.ignore_missing = true}).run(db).versions == Versions{3});
  CHECK(applied(db) == Versions{1, 2, 3});
}

TEST_CASE("migrator: two sets with a table each live in one database") {
  Connection db(":memory:");
  const auto mine = migrator_of({{"1_a.up.sql", "CREATE TABLE a(x);"}, {"1_a.down.sql", "DROP TABLE a;"}});
  const auto theirs = migrator_of({{"1_b.sql", "CREATE TABLE b(x);"}}).with_options({.table = "their_migrations"});
  mine.run(db);
  CHECK(theirs.run(db).versions == Versions{1});
  CHECK(tables(db) == std::vector<std::string>{"_sqlx_migrations", "a", "b", "their_migrations"});
  CHECK(mine.undo(db, 0).versions == Versions{1});
  CHECK(tables(db) == std::vector<std::string>{"_sqlx_migrations", "b", "their_migrations"});
  CHECK(theirs.run(db).versions.empty());
}

TEST_CASE("migrator: run_to stops at its version, and refuses unknown ones and going back") {
  Connection db(":memory:");
  const auto migrator = migrator_of({{"1_a.sql", ""}, {"2_b.sql", ""}, {"3_c.sql", ""}});
  CHECK(migrator.run_to(db, 2).versions == Versions{1, 2});
  CHECK(migrator.run_to(db, 2).versions.empty());
  CHECK(error_of<MigrationError>([&] { migrator.run_to(db, 1); }).code() == errc::migration_target);
  CHECK(error_of<MigrationError>([&] { migrator.run_to(db, 9); }).version() == 9);
  CHECK(migrator.run_to(db, 3).versions == Versions{3});
}

TEST_CASE("migrator: undo reverts above the target, highest first, and skips versions without a down file") {
  Connection db(":memory:");
  const auto migrator = migrator_of({{"1_a.up.sql", "CREATE TABLE a(x);"},
                                     {"1_a.down.sql", "DROP TABLE a;"},
                                     {"2_b.sql", "CREATE TABLE b(x);"},
                                     {"3_c.up.sql", "CREATE TABLE c(x);"},
                                     {"3_c.down.sql", "DROP TABLE c;"}});
  migrator.run(db);
  CHECK(migrator.undo(db, 3).versions.empty());
  CHECK(migrator.undo(db, 0).versions == Versions{3, 1});
  CHECK(applied(db) == Versions{2});
  CHECK(tables(db) == std::vector<std::string>{"_sqlx_migrations", "b"});
  CHECK(migrator.run(db).versions == Versions{1, 3});
}

TEST_CASE("migrator: a failing or refused down file changes nothing of its version") {
  Connection db(":memory:");
  migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}}).run(db);
  const auto failing = migrator_of({{"1_a.down.sql", "DROP TABLE a; DROP TABLE nosuch;"}});
  CHECK(error_of<MigrationError>([&] { failing.undo(db, 0); }).code() == errc::migration_failed);
  const auto refused = migrator_of({{"1_a.down.sql", "DROP TABLE a; END;"}});
  CHECK(error_of<MigrationError>([&] { refused.undo(db, 0); }).code() == errc::migration_refused);
  CHECK(applied(db) == Versions{1});
  CHECK(tables(db) == std::vector<std::string>{"_sqlx_migrations", "a"});
}

TEST_CASE("migrator: status only reads, and knows pending, applied, changed, dirty and missing versions") {
  Connection db(":memory:");
  const auto migrator = migrator_of({{"1_a.sql", "CREATE TABLE a(x);"},
                                     {"2_b.sql", "CREATE TABLE b(x);"},
                                     {"3_c.up.sql", ""},
                                     {"3_c.down.sql", ""},
                                     {"4_d.down.sql", ""}});
  auto all = migrator.status(db);
  REQUIRE(all.size() == 3);
  CHECK(std::ranges::all_of(
      all, [](const auto& s) { return s.state == migration_state::pending && s.recorded_checksum.empty(); }));
  CHECK(tables(db).empty());

  migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}, {"2_b.sql", "-- other"}, {"4_d.sql", ""}, {"5_e.sql", ""}}).run(db);
  db.execute("UPDATE _sqlx_migrations SET success = 0 WHERE version = 1");
  all = migrator.status(db);
  REQUIRE(all.size() == 5);
  CHECK(all[0].state == migration_state::applied);
  CHECK(all[0].dirty);
  CHECK(all[0].recorded_checksum == to_hex(all[0].source->checksum));
  CHECK(all[1].state == migration_state::changed);
  CHECK(all[2].state == migration_state::pending);
  CHECK(all[3].state == migration_state::applied);  // its down file knows the version
  CHECK(all[3].source == nullptr);
  CHECK(all[4].state == migration_state::missing);
  CHECK(all[4].description == "e");
}

TEST_CASE("migrator: a status outlives its migrator") {
  Connection db(":memory:");
  const auto all = migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}}).status(db);
  CHECK(all.at(0).source->sql == "CREATE TABLE a(x);");
}

TEST_CASE("migrator: a run with nothing to do takes no write lock") {
  const testing::TempDir dir;
  const auto migrator = migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}});
  ConnectionOptions options;
  options.busy_timeout = std::chrono::milliseconds(0);
  Connection db(dir / "a.db", options);
  migrator.run(db);
  Connection other(dir / "a.db", options);
  session(other).begin(detail::transaction_kind::immediate);
  CHECK(migrator.run(db).versions.empty());
  CHECK(migrator.undo(db, 1).versions.empty());
  CHECK(migrator.status(db).size() == 1);
}

TEST_CASE("migrator: a write lock that stays with somebody else is a busy error, and nothing has changed") {
  const testing::TempDir dir;
  ConnectionOptions options;
  options.busy_timeout = std::chrono::milliseconds(0);
  Connection db(dir / "a.db", options);
  Connection other(dir / "a.db", options);
  const auto migrator = migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}});
  session(other).begin(detail::transaction_kind::immediate);
  try {
    migrator.run(db);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == condition::busy);
  }
  session(other).rollback();
  CHECK(tables(db).empty());
  CHECK(migrator.run(db).versions == Versions{1});
}

TEST_CASE("migrator: foreign keys that one script has switched off are on for the next") {
  Connection db(":memory:");
  migrator_of({{"1_a.sql", parents},
               {"2_b.sql", "-- foreign-keys off"},
               {"3_c.sql", "DELETE FROM p WHERE id = 1;"},
               {"4_d.sql", "-- no-transaction\nPRAGMA foreign_keys = OFF;"},
               {"5_e.sql", "DELETE FROM p WHERE id = 2;"}})
      .run(db);
  CHECK(db.query_one<std::int64_t>("SELECT count(*) FROM c") == 0);
}

TEST_CASE("migrator: without a rebuild foreign keys stay on, and dropping a parent is refused") {
  Connection db(":memory:");
  const auto error = error_of<MigrationError>([&] {
    migrator_of(
        {{"1_a.sql",
          "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(pid REFERENCES p(id)); INSERT INTO p VALUES (1);"
          "INSERT INTO c VALUES (1);"},
         {"2_b.sql", "DROP TABLE p;"}})
        .run(db);
  });
  CHECK(error.version() == 2);
  CHECK(error.cause() == make_sqlite_error(SQLITE_CONSTRAINT_FOREIGNKEY));
}

TEST_CASE("migrator: -- no-transaction runs what cannot run in a transaction, for up and down") {
  Connection db(":memory:");
  const auto migrator = migrator_of(
      {{"1_a.up.sql", "-- no-transaction\nCREATE TABLE a(x); VACUUM; BEGIN; INSERT INTO a VALUES (1); COMMIT;"},
       {"1_a.down.sql", "-- no-transaction\nDROP TABLE a; VACUUM;"}});
  CHECK(migrator.run(db).versions == Versions{1});
  CHECK(db.query_one<int>("SELECT x FROM a") == 1);
  CHECK(migrator.undo(db, 0).versions == Versions{1});
  CHECK(applied(db).empty());
}

TEST_CASE("migrator: -- no-transaction that fails midway keeps what was done and records nothing") {
  Connection db(":memory:");
  const auto error = error_of<MigrationError>([&] {
    migrator_of({{"1_a.sql", "-- no-transaction\nCREATE TABLE a(x);\nBEGIN; CREATE TABLE b(x);\nSELECT nosuch;"}})
        .run(db);
  });
  INFO(error.what());
  CHECK(error.line() == 4);
  CHECK(contains(error.what(), "the statements before stay done, nothing is recorded"));
  CHECK(tables(db) == std::vector<std::string>{"_sqlx_migrations", "a"});
  CHECK(applied(db).empty());
  CHECK_FALSE(session(db).in_transaction());
}

TEST_CASE("migrator: -- no-transaction that leaves a transaction open fails") {
  Connection db(":memory:");
  const auto error = error_of<MigrationError>([&] {
    migrator_of({{"1_a.sql", "-- no-transaction\nBEGIN; CREATE TABLE a(x);"}}).run(db);
  });
  CHECK(error.code() == errc::migration_failed);
  CHECK(tables(db) == std::vector<std::string>{"_sqlx_migrations"});
  CHECK_FALSE(session(db).in_transaction());
}

TEST_CASE("migrator: a transaction that ends in a way no reader of the script can see is noticed at that statement") {
  Connection db(":memory:");
  sqlite3* const handle = session(db).handle().get();
  sqlite3_create_function_v2(
      handle, "commit_now", 0, SQLITE_UTF8, handle,
      [](sqlite3_context* context, int, sqlite3_value**) {
        sqlite3_exec(static_cast<sqlite3*>(sqlite3_user_data(context)), "COMMIT", nullptr, nullptr, nullptr);
      },
      nullptr, nullptr, nullptr);
  const auto error = error_of<MigrationError>([&] {
    migrator_of({{"1_a.sql", "CREATE TABLE a(x);\nSELECT commit_now();\nCREATE TABLE b(x);"}}).run(db);
  });
  INFO(error.what());
  CHECK(error.code() == errc::migration_refused);
  CHECK(error.line() == 2);
  CHECK(tables(db) == std::vector<std::string>{"_sqlx_migrations", "a"});
  CHECK(applied(db).empty());
}

TEST_CASE("migrator: what cannot run in a transaction is told how it can") {
  Connection db(":memory:");
  for (const auto sql : {"VACUUM;", "PRAGMA synchronous = OFF;"}) {
    const auto error = error_of<MigrationError>([&] { migrator_of({{"1_a.sql", sql}}).run(db); });
    INFO(error.what());
    CHECK(contains(error.what(), "let the file begin with -- no-transaction"));
  }
}

TEST_CASE("migrator: the connection has its own settings and no attached database afterwards") {
  Connection db(":memory:");
  migrator_of({{"1_a.sql", "-- no-transaction\nATTACH ':memory:' AS m; PRAGMA synchronous = OFF;"}}).run(db);
  CHECK(pragma(db, "synchronous") == 1);
  CHECK(db.query_all<std::tuple<int, std::string, std::string>>("PRAGMA database_list").size() == 1);
  CHECK_THROWS_AS(db.execute("COMMIT"), Error);  // the permissions are the ordinary ones again
  migrator_of({{"1_a.sql", "-- no-transaction\nATTACH ':memory:' AS m; PRAGMA synchronous = OFF;"},
               {"2_b.sql", "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = sql WHERE name = 'nosuch';"}})
      .run(db);
  int defensive = 0;
  sqlite3_db_config(session(db).handle().get(), SQLITE_DBCONFIG_DEFENSIVE, -1, &defensive);
  CHECK(defensive == 1);
}

TEST_CASE("migrator: an open transaction is refused") {
  Connection db(":memory:");
  session(db).begin(detail::transaction_kind::immediate);
  try {
    migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}}).run(db);
    FAIL("not refused");
  } catch (const Error& error) {
    CHECK(error.code() == errc::operation_in_progress);
  }
  CHECK(session(db).in_transaction());
  session(db).rollback();
}

TEST_CASE("migrator: a table of another shape is not taken for the bookkeeping") {
  Connection db(":memory:");
  db.execute("CREATE TABLE _sqlx_migrations(version INTEGER PRIMARY KEY, name TEXT)");
  const auto migrator = migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}});
  const auto error = error_of<MigrationError>([&] { migrator.run(db); });
  CHECK(error.code() == errc::migration_failed);
  CHECK(contains(error.what(), "no such column: description"));
  CHECK(error_of<MigrationError>([&] { static_cast<void>(migrator.status(db)); }).code() == errc::migration_failed);
}

TEST_CASE("migrator: progress is told after each commit, and an exception from it ends the run") {
  Connection db(":memory:");
  std::vector<std::tuple<std::int64_t, std::string, std::size_t, std::size_t>> seen;
  const auto migrator =
      migrator_of(
          {{"1_a.up.sql", ""}, {"1_a.down.sql", ""}, {"2_b_c.up.sql", ""}, {"2_b_c.down.sql", ""}, {"3_d.sql", ""}})
          .with_options({.on_progress = [&](const MigrationProgress& p) {
            CHECK_FALSE(session(db).in_transaction());
            seen.emplace_back(p.migration.version, p.migration.description, p.index, p.total);
            if (p.migration.version == 2 && p.migration.kind == migration_kind::up) throw std::runtime_error("enough");
          }});
  CHECK_THROWS_AS(migrator.run(db), std::runtime_error);
  CHECK(seen == decltype(seen){{1, "a", 1, 3}, {2, "b c", 2, 3}});
  CHECK(applied(db) == Versions{1, 2});
  seen.clear();
  migrator.undo(db, 0);
  CHECK(seen == decltype(seen){{2, "b c", 1, 2}, {1, "a", 2, 2}});
}

// test                            | hook inside migration 1
// run() arms, applies             |
//                                 | request(stop) during a long statement
// throws, nothing of it is kept   |
TEST_CASE("migrator: a stop request ends a long migration, which is rolled back as a whole") {
  Connection db(":memory:");
  auto& interrupter = session(db).interrupter();
  add_stop_functions(db);
  const auto migrator = migrator_of(
      {{"1_a.sql", "CREATE TABLE a(x);"},
       {"2_b.sql",
        "CREATE TABLE b(x);\nSELECT stop_now();\nWITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " INSERT INTO b SELECT i FROM n;"}});
  const auto error = error_of<MigrationError>([&] { migrator.run(db); });
  INFO(error.what());
  CHECK(error.code() == errc::closed);
  CHECK(error.version() == 2);
  interrupter.disarm();
  CHECK(applied(db) == Versions{1});
  CHECK(tables(db) == std::vector<std::string>{"_sqlx_migrations", "a"});
  CHECK(pragma(db, "foreign_keys") == 1);
}

TEST_CASE("migrator: a stop request ends a migration of many short statements before the next one") {
  Connection db(":memory:");
  auto& interrupter = session(db).interrupter();
  add_stop_functions(db);
  const auto error = error_of<MigrationError>([&] {
    migrator_of({{"1_a.sql", "CREATE TABLE a(x);\nSELECT stop_after(1);\nSELECT 1;\nSELECT 2;"}}).run(db);
  });
  CHECK(error.code() == errc::closed);
  CHECK(error.line() == 3);
  interrupter.disarm();
  CHECK(tables(db) == std::vector<std::string>{"_sqlx_migrations"});
}

TEST_CASE("migrator: a passed deadline ends a long migration") {
  Connection db(":memory:");
  auto& interrupter = session(db).interrupter();
  const auto migrator =
      migrator_of({{"1_a.sql", "CREATE TABLE a(x);"},
                   {"2_b.sql",
                    "CREATE TABLE b(x);\nWITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                    " INSERT INTO b SELECT i FROM n;"}})
          // When the first one is done, however long it takes to get there.
          .with_options({.on_progress = [&](const MigrationProgress&) {
            interrupter.arm(interrupter.clock().now() + std::chrono::milliseconds(30));
          }});
  const auto error = error_of<MigrationError>([&] { migrator.run(db); });
  CHECK(error.code() == errc::deadline_exceeded);
  interrupter.disarm();
  CHECK(tables(db) == std::vector<std::string>{"_sqlx_migrations", "a"});
}

// this connection                                 | other connection
// run(): reads what is applied, migration 1       |
//   on_progress of 1 ->                           | applies 2 (same content), 3 (another content)
// migration 2 is applied already: skipped         |
TEST_CASE("migrator: what another process has applied meanwhile is skipped, and compared") {
  const testing::TempDir dir;
  Connection db(dir / "a.db");
  Connection other(dir / "a.db");
  const auto same = migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}, {"2_b.sql", "CREATE TABLE b(x);"}});

  SECTION("the same content") {
    const auto migrator =
        migrator_of(
            {{"1_a.sql", "CREATE TABLE a(x);"}, {"2_b.sql", "CREATE TABLE b(x);"}, {"3_c.sql", "CREATE TABLE c(x);"}})
            .with_options({.on_progress = [&](const MigrationProgress& p) {
              if (p.migration.version == 1) same.run(other);
            }});
    CHECK(migrator.run(db).versions == Versions{1, 3});
    CHECK(applied(db) == Versions{1, 2, 3});
  }
  SECTION("another content") {
    const auto migrator =
        migrator_of(
            {{"1_a.sql", "CREATE TABLE a(x);"}, {"2_b.sql", "CREATE TABLE b(y);"}, {"3_c.sql", "CREATE TABLE c(x);"}})
            .with_options({.on_progress = [&](const MigrationProgress& p) {
              if (p.migration.version == 1) same.run(other);
            }});
    const auto error = error_of<MigrationError>([&] { migrator.run(db); });
    CHECK(error.code() == errc::migration_mismatch);
    CHECK(error.version() == 2);
    CHECK(applied(db) == Versions{1, 2});
    CHECK_FALSE(session(db).in_transaction());
  }
}

// reader                              | this connection
// BEGIN, sees one column              |
//                                     | run() adds a column
// sees one column still, COMMIT       |
// the same statement sees two         |
TEST_CASE("migrator: a reader keeps the schema of its snapshot, and its statements see the new one afterwards") {
  const testing::TempDir dir;
  test::Fixture fixture;
  fixture.path = dir / "a.db";
  const EmbeddedFile first{"1_a.sql", "CREATE TABLE a(x); INSERT INTO a VALUES (1);"};
  Connection db(dir / "a.db");
  migrator_of({first}).run(db);
  Connection reader = fixture.open(connection_role::reader);
  const auto columns = [&] { return reader.query_one<int>("SELECT count(*) FROM pragma_table_info('a')"); };
  const auto rows = [&] { return reader.query_one<int>("SELECT count(*) FROM a"); };
  CHECK(columns() == 1);
  CHECK(rows() == 1);
  session(reader).begin(detail::transaction_kind::deferred);
  CHECK(rows() == 1);
  migrator_of({first, {"2_b.sql", "ALTER TABLE a ADD COLUMN y; INSERT INTO a VALUES (2, 2);"}}).run(db);
  CHECK(columns() == 1);
  CHECK(rows() == 1);
  session(reader).commit();
  CHECK(columns() == 2);
  CHECK(rows() == 2);
}

TEST_CASE("migrator: one line is logged for each migration, at info") {
  const test::Fixture fixture;
  Connection db = fixture.open();
  const auto migrator =
      migrator_of({{"1_create_{}.up.sql", "SELECT 1"}, {"1_create_{}.down.sql", "SELECT 1"}, {"2_b.sql", "SELECT 1"}});
  migrator.run(db);
  migrator.undo(db, 0);
  migrator.run(db);
  const auto lines = fixture.log.lines();
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].text == "database 'test': migration 1 'create {}' applied in 0.0 ms (1/2)");
  CHECK(lines[1].text == "database 'test': migration 2 'b' applied in 0.0 ms (2/2)");
  CHECK(lines[2].text == "database 'test': migration 1 'create {}' reverted in 0.0 ms (1/1)");
  CHECK(std::ranges::all_of(lines, [](const auto& line) { return line.level == spdlog::level::info; }));
}
