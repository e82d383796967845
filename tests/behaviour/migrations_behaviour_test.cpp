// Migrations: applied once, in order, each as a whole, and refused where they are not what was applied; on every
// engine.

#include <string>
#include <vector>

#include "behaviour.hpp"

namespace statehouse::test {
namespace {

constexpr const char* first_script =
    "CREATE TABLE a(id INTEGER PRIMARY KEY, done TEXT) STRICT; -- a comment; with a semicolon\n"
    "CREATE TABLE log(what TEXT) STRICT;\n"
    "CREATE TRIGGER noted AFTER INSERT ON a BEGIN INSERT INTO log VALUES ('in; out'); SELECT 1; END;\n"
    "INSERT INTO a VALUES (1, 'x')";
constexpr const char* second_script =
    "CREATE TABLE b(a INTEGER REFERENCES a ON DELETE CASCADE) STRICT; INSERT INTO b VALUES (1)";
// Its foreign keys are off meanwhile, or the rows of b would go.
constexpr const char* rebuild_script =
    "CREATE TABLE new_a(id INTEGER PRIMARY KEY, done TEXT NOT NULL) STRICT; INSERT INTO new_a SELECT * FROM a;\n"
    "DROP TABLE a; ALTER TABLE new_a RENAME TO a";

std::vector<int> versions(Behaviour& database) {
  return database.numbers("SELECT version FROM _sqlx_migrations ORDER BY version");
}

/// What opening the database with these comes to.
boost::system::error_code refusal(Behaviour& database, const Migrator& migrator, std::string& text) {
  try {
    database.reopen(migrator);
  } catch (const Error& error) {
    text = error.what();
    return error.code();
  }
  return {};
}

TEST_CASE("migrations: all are applied in order, with triggers, comments and a rebuild that keeps other tables' rows") {
  Behaviour database(migrations({first_script, second_script, rebuild_script}));
  CHECK(versions(database) == std::vector{1, 2, 3});
  CHECK(database.number("SELECT count(*) FROM a") == 1);
  CHECK(database.number("SELECT count(*) FROM b") == 1);
  CHECK(database.run(database.pool.query_one<std::string>("SELECT what FROM log")) == "in; out");
  CHECK(database.run(database.pool.write([](Connection& db) { return db.query_one<int>("PRAGMA foreign_keys"); })) ==
        1);
  CHECK(database.pool.stats().schema_version == 3);
  CHECK(database.app.log.count("applied in") == 3);
}

TEST_CASE("migrations: a later opening applies what is new, and nothing twice") {
  Behaviour database(migrations({first_script}));
  database.reopen(migrations({first_script, second_script}));
  CHECK(versions(database) == std::vector{1, 2});
  database.reopen(migrations({first_script, second_script}));
  CHECK(database.number("SELECT count(*) FROM a") == 1);
  CHECK(database.app.log.count("applied in") == 2);
}

TEST_CASE("migrations: one that fails leaves nothing of itself, keeps those before it, and says where and why") {
  Behaviour database(migrations({first_script}));
  std::string text;
  const Migrator fails =
      migrations({first_script, "CREATE TABLE c(id INTEGER PRIMARY KEY);\nINSERT INTO c VALUES (1), (1);"});
  CHECK(refusal(database, fails, text) == errc::migration_failed);
  CHECK(contains(text, "2_step.sql:2"));
  CHECK(contains(text, "UNIQUE constraint failed: c.id"));
  database.reopen(migrations({first_script, "CREATE TABLE c(id INTEGER PRIMARY KEY)"}));
  CHECK(versions(database) == std::vector{1, 2});
}

TEST_CASE("migrations: a changed, a missing and an older one are refused by name, before anything is done") {
  Behaviour database(migrations({first_script, second_script}));
  std::string text;
  CHECK(refusal(database, migrations({first_script, "CREATE TABLE b(other)", "CREATE TABLE c(a)"}), text) ==
        errc::migration_mismatch);
  CHECK(contains(text, "2"));
  CHECK(refusal(database, migrations({first_script}), text) == errc::migration_missing);
  CHECK(refusal(database, migrator_of({{"1_step.sql", first_script}, {"3_step.sql", "CREATE TABLE c(a)"}}), text) ==
        errc::migration_missing);
  database.reopen(migrations({first_script, second_script}));
  CHECK(versions(database) == std::vector{1, 2});
  CHECK(database.number("SELECT count(*) FROM sqlite_master WHERE name = 'c'") == 0);
}

TEST_CASE("migrations: one that controls its transaction is refused, and nothing of it is done") {
  Behaviour database(migrations({first_script}));
  std::string text;
  CHECK(refusal(database, migrations({first_script, "CREATE TABLE c(a); COMMIT; CREATE TABLE d(a)"}), text) ==
        errc::migration_refused);
  CHECK(contains(text, "no-transaction"));
  database.reopen(migrations({first_script}));
  CHECK(database.number("SELECT count(*) FROM sqlite_master WHERE name IN ('c', 'd')") == 0);
}

TEST_CASE(
    "migrations: outside of a transaction each statement is kept, and it is applied when it has come to its end") {
  Behaviour database(migrations({first_script}));
  const char* const script = "-- no-transaction\nCREATE TABLE IF NOT EXISTS c(a);\nINSERT INTO later VALUES (1)";
  std::string text;
  CHECK(refusal(database, migrations({first_script, script}), text) == errc::migration_failed);
  CHECK(contains(text, "no such table: later"));
  database.reopen(migrations({first_script}));
  CHECK(database.number("SELECT count(*) FROM c") == 0);
  database.execute("CREATE TABLE later(a)");
  database.reopen(migrations({first_script, script}));
  CHECK(versions(database) == std::vector{1, 2});
  CHECK(database.number("SELECT count(*) FROM later") == 1);
}

TEST_CASE("migrations: a foreign key that a rebuild leaves violated undoes it, and is named") {
  Behaviour database(migrations({first_script, second_script}));
  std::string text;
  CHECK(refusal(database,
                migrations({first_script, second_script,
                            "CREATE TABLE new_a(id INTEGER PRIMARY KEY, done TEXT) STRICT;\n"
                            "DROP TABLE a; ALTER TABLE new_a RENAME TO a"}),
                text) == errc::migration_failed);
  CHECK(contains(text, "leads nowhere"));
  database.reopen(migrations({first_script, second_script}));
  CHECK(database.number("SELECT count(*) FROM a") == 1);
}

}  // namespace
}  // namespace statehouse::test
