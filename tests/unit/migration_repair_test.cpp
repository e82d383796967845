#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>
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
using test::migrator_of;
using test::session;
using Versions = std::vector<std::int64_t>;

namespace {

std::vector<std::string> recorded_rows(Connection& db) {
  return db.query_all<std::string>(
      "SELECT version || '|' || description || '|' || success || '|' || hex(checksum) || '|' || installed_on || '|' || "
      "execution_time FROM _sqlx_migrations ORDER BY version");
}

}  // namespace

TEST_CASE("repair: a changed and an unfinished version are recorded as their files are, and nothing else is touched") {
  Connection db(":memory:");
  migrator_of({{"1_a.sql", "CREATE TABLE a(x);"}, {"2_b.sql", ""}, {"3_c.sql", ""}}).run(db);
  db.execute("UPDATE _sqlx_migrations SET success = 0 WHERE version = 3");
  const auto before = recorded_rows(db);
  const auto migrator = migrator_of({{"1_new_name.sql", "CREATE TABLE a (x);"}, {"2_b.sql", ""}, {"3_c.sql", ""}});

  const Versions versions{3, 1, 2, 1};
  const auto planned = migrator.plan_repair(db, versions);
  CHECK(recorded_rows(db) == before);
  const auto changes = migrator.repair(db, versions);
  REQUIRE(changes.size() == 2);  // 2 is as it should be
  CHECK(changes[0].version == 1);
  CHECK(changes[0].before->description == "a");
  CHECK(changes[0].before->checksum != changes[0].after.checksum);
  CHECK(changes[0].after.description == "new name");
  CHECK(changes[0].after.checksum == to_hex(migrator.migrations()[0].checksum));
  CHECK(changes[1].version == 3);
  CHECK_FALSE(changes[1].before->success);
  CHECK(changes[1].after.success);
  REQUIRE(planned.size() == 2);
  CHECK(planned[0].before == changes[0].before);
  CHECK(planned[0].after == changes[0].after);

  const auto after = recorded_rows(db);
  CHECK(after[1] == before[1]);
  CHECK(after[0].substr(after[0].rfind('|')) == before[0].substr(before[0].rfind('|')));
  CHECK(migrator.run(db).versions.empty());
  CHECK(migrator.repair(db, versions).empty());
}

TEST_CASE("repair: one version that cannot be repaired leaves all as they are, and the error says what to do") {
  Connection db(":memory:");
  migrator_of({{"1_a.sql", ""}, {"2_gone.sql", ""}}).run(db);
  const auto migrator = migrator_of({{"1_a.sql", "-- changed"}, {"2_gone.down.sql", ""}, {"3_new.sql", ""}});
  const auto before = recorded_rows(db);
  const auto refused = [&](std::int64_t version, errc code, const std::string& advice) {
    const Versions versions{1, version};
    const auto error = error_of([&] { migrator.repair(db, versions); });
    INFO(error.what());
    CHECK(error.code() == code);
    CHECK(contains(error.what(), "migration " + std::to_string(version)));
    CHECK(contains(error.what(), advice));
    CHECK(code_of([&] { migrator.plan_repair(db, versions); }) == code);
    CHECK(recorded_rows(db) == before);
  };
  refused(2, errc::migration_missing, "DELETE FROM _sqlx_migrations WHERE version = 2");
  refused(3, errc::migration_target, "run it");
  refused(4, errc::migration_target, "neither in this set nor applied");
}

TEST_CASE("repair: on a database without bookkeeping nothing is created") {
  Connection db(":memory:");
  const Versions versions{1};
  CHECK(code_of([&] { migrator_of({{"1_a.sql", ""}}).repair(db, versions); }) == errc::migration_target);
  CHECK(db.query_one<int>("SELECT count(*) FROM sqlite_master") == 0);
}

TEST_CASE("baseline: everything up to the version is recorded without being run, the rest runs") {
  Connection db(":memory:");
  db.execute("CREATE TABLE a(x)");
  const auto migrator = migrator_of({{"1_a.up.sql", "CREATE TABLE a(x);"},
                                     {"1_a.down.sql", "DROP TABLE a;"},
                                     {"2_b.sql", "SELECT nosuch;"},
                                     {"3_c.sql", "CREATE TABLE c(x);"}});
  const auto planned = migrator.plan_baseline(db, 2);
  CHECK(db.query_one<int>("SELECT count(*) FROM sqlite_master") == 1);
  const auto changes = migrator.baseline(db, 2);
  REQUIRE(changes.size() == 2);
  REQUIRE(planned.size() == 2);
  CHECK_FALSE(changes[0].before);
  CHECK(changes[0].after == planned[0].after);
  CHECK(changes[1].after.checksum == to_hex(migrator.migrations()[2].checksum));

  const auto status = migrator.status(db);
  CHECK(status[1].state == migration_state::applied);
  CHECK_FALSE(status[1].execution_time);
  CHECK(migrator.run(db).versions == Versions{3});
  CHECK(migrator.undo(db, 0).versions == Versions{1});
}

TEST_CASE("baseline: a database with any record of migrations is left alone") {
  Connection db(":memory:");
  const auto migrator = migrator_of({{"1_a.sql", ""}, {"2_b.sql", ""}, {"3_b.down.sql", ""}});
  migrator.run_to(db, 1);
  const auto before = recorded_rows(db);
  CHECK(code_of([&] { migrator.baseline(db, 2); }) == errc::migration_recorded);
  CHECK(code_of([&] { migrator.plan_baseline(db, 2); }) == errc::migration_recorded);
  CHECK(recorded_rows(db) == before);
  db.execute("DELETE FROM _sqlx_migrations");
  CHECK(code_of([&] { migrator.baseline(db, 9); }) == errc::migration_target);
  CHECK(code_of([&] { migrator.baseline(db, 3); }) == errc::migration_target);
  CHECK(migrator.baseline(db, 1).size() == 1);
}

TEST_CASE("repair and baseline: an open transaction is refused, a lock held elsewhere is busy, and nothing changes") {
  const testing::TempDir dir;
  Connection db(dir / "a.db", {.busy_timeout = std::chrono::milliseconds(20)});
  const auto migrator = migrator_of({{"1_a.sql", ""}});
  session(db).begin(detail::transaction_kind::deferred);
  CHECK(code_of([&] { migrator.baseline(db, 1); }) == errc::operation_in_progress);
  session(db).rollback();
  test::PlainDatabase stranger(dir / "a.db");
  stranger.execute("BEGIN IMMEDIATE");
  CHECK(code_of([&] { migrator.baseline(db, 1); }) == condition::busy);
  stranger.execute("ROLLBACK");
  CHECK(db.query_one<int>("SELECT count(*) FROM sqlite_master") == 0);
  CHECK_FALSE(session(db).in_transaction());
}
