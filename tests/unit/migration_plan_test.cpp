#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <string>
#include <tuple>
#include <vector>

#include "error_of.hpp"
#include "migrator_of.hpp"
#include "open_session.hpp"
#include "plain_database.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/migrator.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using test::code_of;
using test::contains;
using test::error_of;
using test::first_checksum;
using test::migrator_of;
using test::session;
using Versions = std::vector<std::int64_t>;

namespace {

Versions versions(const std::vector<PlannedMigration>& plan) {
  Versions result;
  for (const auto& planned : plan) result.push_back(planned.migration->version);
  return result;
}

std::int64_t objects(Connection& db) {
  return db.query_one<std::int64_t>("SELECT count(*) FROM sqlite_master");
}

/// Everything that is in the bookkeeping table, in one text.
std::string bookkeeping(Connection& db) {
  std::string all;
  for (const auto& row : db.query_all<std::string>("SELECT version || '|' || description || '|' || installed_on || '|' "
                                                   "|| success || '|' || hex(checksum) || '|' "
                                                   "|| execution_time FROM _sqlx_migrations ORDER BY version"))
    all += row + "\n";
  return all;
}

constexpr auto first_file = EmbeddedFile{"1_a.up.sql", "CREATE TABLE a(x);"};
constexpr auto first_down = EmbeddedFile{"1_a.down.sql", "DROP TABLE a;"};

}  // namespace

TEST_CASE("plan: on a fresh database it names everything in order, and creates nothing") {
  Connection db(":memory:");
  const auto migrator =
      migrator_of({first_file, first_down, {"2_b.sql", "CREATE TABLE n(x); DROP TABLE a; ALTER TABLE n RENAME TO a;"}});
  const auto plan = migrator.plan(db);
  CHECK(versions(plan) == Versions{1, 2});
  CHECK_FALSE(plan[0].foreign_keys_off);
  CHECK(plan[1].foreign_keys_off);
  CHECK(plan[0].migration->kind == migration_kind::up);
  CHECK(migrator.plan_undo(db, 0).empty());
  CHECK(objects(db) == 0);
}

TEST_CASE("plan: it says what run, run_to and undo then do") {
  Connection db(":memory:");
  const auto migrator = migrator_of({first_file, first_down, {"2_b.sql", "CREATE TABLE b(x);"}, {"3_c.sql", ""}});
  CHECK(versions(migrator.plan(db, 2)) == Versions{1, 2});
  CHECK(migrator.run_to(db, 2).versions == Versions{1, 2});
  CHECK(versions(migrator.plan(db)) == Versions{3});
  CHECK(migrator.plan(db, 2).empty());

  const auto undo = migrator.plan_undo(db, 0);
  CHECK(versions(undo) == Versions{1});  // 2 has no down file
  CHECK(undo[0].migration->kind == migration_kind::down);
  CHECK(migrator.undo(db, 0).versions == Versions{1});
  CHECK(versions(migrator.plan(db)) == Versions{1, 3});
}

TEST_CASE("plan: it fails as the run would, and changes nothing") {
  const testing::TempDir dir;
  Connection db(dir / "a.db");
  migrator_of({first_file, {"2_b.sql", ""}}).run(db);
  const std::string before = bookkeeping(db);
  const auto both = [&](const Migrator& migrator, errc code) {
    CHECK(code_of([&] { migrator.plan(db); }) == code);
    CHECK(code_of([&] { migrator.run(db); }) == code);
    CHECK(bookkeeping(db) == before);
  };
  SECTION("mismatch") {
    both(migrator_of({{"1_a.up.sql", "CREATE TABLE other(x);"}, {"2_b.sql", ""}, {"3_c.sql", ""}}),
         errc::migration_mismatch);
  }
  SECTION("missing") {
    both(migrator_of({first_file, {"3_c.sql", ""}}), errc::migration_missing);
    CHECK(code_of([&] { migrator_of({first_file}).plan_undo(db, 0); }) == errc::migration_missing);
  }
  SECTION("refused") {
    both(migrator_of({first_file, {"2_b.sql", ""}, {"3_c.sql", "CREATE TABLE c(x);\nCOMMIT;"}}),
         errc::migration_refused);
  }
  SECTION("dirty") {
    db.execute("UPDATE _sqlx_migrations SET success = 0 WHERE version = 2");
    const auto migrator = migrator_of({first_file, {"2_b.sql", ""}});
    CHECK(code_of([&] { migrator.plan(db); }) == errc::migration_dirty);
    CHECK(code_of([&] { migrator.plan_undo(db, 0); }) == errc::migration_dirty);
  }
  SECTION("target") {
    const auto migrator = migrator_of({first_file, {"2_b.sql", ""}});
    CHECK(code_of([&] { migrator.plan(db, 1); }) == errc::migration_target);
    CHECK(code_of([&] { migrator.plan(db, 9); }) == errc::migration_target);
  }
  SECTION("inside a transaction") {
    session(db).begin(detail::transaction_kind::deferred);
    CHECK(code_of([&] { migrator_of({first_file}).plan(db); }) == errc::operation_in_progress);
    session(db).rollback();
  }
}

TEST_CASE("plan: it needs no write lock, and outlives its migrator") {
  const testing::TempDir dir;
  Connection db(dir / "a.db");
  test::PlainDatabase stranger(dir / "a.db");
  stranger.execute("BEGIN IMMEDIATE");
  const auto plan = migrator_of({first_file}).plan(db);
  REQUIRE(plan.size() == 1);
  CHECK(plan[0].migration->sql == first_file.content);
}

TEST_CASE("strict order: a pending version below an applied one is an error before anything is applied") {
  Connection db(":memory:");
  migrator_of({{"5_a.sql", ""}}).run(db);
  const auto migrator = migrator_of({{"3_old.sql", "CREATE TABLE old(x);"}, {"5_a.sql", ""}, {"7_b.sql", ""}});
  const auto strict = migrator.with_options({.strict_order = true});
  const std::string before = bookkeeping(db);

  const auto error = error_of([&] { strict.run(db); });
  INFO(error.what());
  CHECK(error.code() == errc::migration_order);
  CHECK(contains(error.what(), "3_old.sql"));
  CHECK(contains(error.what(), "5"));
  CHECK(code_of([&] { strict.run_to(db, 7); }) == errc::migration_order);
  CHECK(code_of([&] { strict.plan(db); }) == errc::migration_order);
  CHECK(bookkeeping(db) == before);
  CHECK(strict.undo(db, 0).versions.empty());

  CHECK(migrator.run(db).versions == Versions{3, 7});
  CHECK(strict.run(db).versions.empty());
}

// this process                  | another one
// 1 applied, on_progress        |
//                               | applies 3
// 2 is due: 3 is applied        |
TEST_CASE("strict order: what another process has applied meanwhile counts") {
  const testing::TempDir dir;
  const auto file = dir / "a.db";
  Connection db(file);
  const auto others = migrator_of({{"1_a.sql", ""}, {"3_c.sql", ""}});
  MigratorOptions options{.ignore_missing = true, .strict_order = true};
  options.on_progress = [&](const MigrationProgress& progress) {
    if (progress.migration.version != 1) return;
    Connection other(file);
    others.run(other);
  };
  const auto error = error_of([&] {
    migrator_of({{"1_a.sql", ""}, {"2_b.sql", ""}}).with_options(std::move(options)).run(db);
  });
  CHECK(error.code() == errc::migration_order);
  CHECK(db.query_all<std::int64_t>("SELECT version FROM _sqlx_migrations ORDER BY version") == Versions{1, 3});
}

TEST_CASE("ignored characters: they are left out of checksums, and only there") {
  Connection db(":memory:");
  const auto dos = migrator_of({{"1_a.sql", "CREATE TABLE a(x);\r\nINSERT INTO a VALUES ('\r');\r\n"}});
  const auto unix = migrator_of({{"1_a.sql", "CREATE TABLE a(x);\nINSERT INTO a VALUES ('');\n"}});
  const MigratorOptions options{.ignored_characters = U"\r"};
  CHECK(dos.migrations()[0].checksum != unix.migrations()[0].checksum);
  // sqlx's: the file without these characters, hashed as it stands.
  CHECK(first_checksum(dos.with_options(options)) == first_checksum(unix));
  CHECK(first_checksum(dos.with_options(options).with_options({})) == first_checksum(dos));

  dos.with_options(options).run(db);
  CHECK(db.query_one<std::string>("SELECT x FROM a") == "\r");
  CHECK(unix.with_options(options).run(db).versions.empty());
  CHECK(unix.run(db).versions.empty());
  CHECK(code_of([&] { dos.run(db); }) == errc::migration_mismatch);
}

TEST_CASE("ignored characters: those beyond ASCII count as characters, not as bytes") {
  const auto one = migrator_of({{"1_a.sql", "-- caf\xC3\xA9\xE2\x80\x8B \xC3\xA8"}});
  const auto other = migrator_of({{"1_a.sql", "-- caf\xC3\xA9 \xC3\xA8"}});
  const MigratorOptions options{.ignored_characters = U"\u200B"};
  CHECK(first_checksum(one.with_options(options)) == first_checksum(other));
}

TEST_CASE("ignored characters: a checksum recorded before they were ignored is told apart from a change") {
  Connection db(":memory:");
  const auto migrator = migrator_of({{"1_a.sql", "CREATE TABLE a(x);\r\n"}});
  migrator.run(db);
  const auto error = error_of([&] { migrator.with_options({.ignored_characters = U"\r"}).run(db); });
  INFO(error.what());
  CHECK(error.code() == errc::migration_mismatch);
  CHECK(contains(error.what(), "only this differs: characters that are ignored now"));
}

TEST_CASE("status: it says when, how long and whether there is a way back") {
  Connection db(":memory:");
  const auto migrator = migrator_of({first_file, first_down, {"2_b.sql", ""}, {"3_c.sql", ""}});
  migrator.run_to(db, 2);
  db.execute("UPDATE _sqlx_migrations SET installed_on = '2025-01-02 03:04:05', execution_time = 42 WHERE version = 1");
  db.execute("UPDATE _sqlx_migrations SET execution_time = -1 WHERE version = 2");
  const auto status = migrator.status(db);
  REQUIRE(status.size() == 3);
  CHECK(status[0].installed_on == "2025-01-02 03:04:05");
  CHECK(status[0].execution_time == std::chrono::nanoseconds(42));
  CHECK(status[0].revertible);
  CHECK_FALSE(status[1].execution_time);
  CHECK_FALSE(status[1].revertible);
  CHECK(status[2].installed_on.empty());
  CHECK_FALSE(status[2].execution_time);
}
