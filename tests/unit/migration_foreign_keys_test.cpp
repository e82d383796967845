#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "error_of.hpp"
#include "files.hpp"
#include "migrator_of.hpp"
#include "open_session.hpp"
#include "statehouse/migration_folder.hpp"
#include "statehouse/migrator.hpp"
#include "statehouse/testing/temp_dir.hpp"

/// What a script means for the rows that foreign keys connect: as in sqlx, but for a pure rebuild.
using namespace statehouse;
using test::contains;
using test::error_of;
using test::migrations;
using RowIds = std::vector<std::int64_t>;

namespace {

constexpr std::string_view family =
    "CREATE TABLE p(id INTEGER PRIMARY KEY, n);"
    "CREATE TABLE c(id INTEGER PRIMARY KEY, pid REFERENCES p(id) ON DELETE CASCADE);"
    "CREATE TABLE g(id INTEGER PRIMARY KEY, cid REFERENCES c(id) ON DELETE SET NULL);"
    "CREATE TABLE setting(key TEXT PRIMARY KEY, value TEXT);"
    "INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (10, 1), (11, 2); INSERT INTO g VALUES (20, 10);";
constexpr std::string_view rebuild_p =
    "CREATE TABLE n(id INTEGER PRIMARY KEY, n, extra); INSERT INTO n SELECT id, n, 0 FROM p; DROP TABLE p;"
    "ALTER TABLE n RENAME TO p;\n";

/// A database on which `family` was applied, and one more script.
class ScriptRun {
 public:
  explicit ScriptRun(std::string_view script, MigratorOptions options = {})
      : migrator_(migrations({family, script}, std::move(options))) {
    migrator_.run_to(db_, 1);
  }

  void run() {
    migrator_.run(db_);
    check_keys();
  }
  MigrationError failure() {
    auto error = error_of<MigrationError>([&] { migrator_.run(db_); });
    check_keys();
    CHECK(count("SELECT count(*) FROM _sqlx_migrations") == 1);
    return error;
  }
  PlannedMigration plan() { return migrator_.plan(db_).at(0); }
  /// All that the plan says, of that severity.
  std::string foretold(problem_severity severity) {
    std::string text;
    for (const auto& remark : plan().remarks)
      if (remark.severity == severity) text += remark.message + "\n";
    return text;
  }
  std::int64_t count(std::string_view sql) { return db_.query_one<std::int64_t>(sql); }
  RowIds ids(std::string_view table) {
    return db_.query_all<std::int64_t>("SELECT id FROM " + std::string(table) + " ORDER BY 1");
  }
  /// As another program may, with foreign keys off.
  void by_hand(std::string_view sql) {
    const detail::PermissionScope all(test::session(db_), detail::permission::unrestricted);
    db_.execute_script("PRAGMA foreign_keys = OFF; " + std::string(sql) + "; PRAGMA foreign_keys = ON");
  }
  const testing::LogCapture& log() const { return fixture_.log; }

 private:
  void check_keys() { CHECK(count("PRAGMA foreign_keys") == 1); }

  test::Fixture fixture_;
  Connection db_ = fixture_.open();
  Migrator migrator_;
};

std::string verified(const std::vector<std::string_view>& scripts, problem_severity severity) {
  const testing::TempDir dir;
  int version = 0;
  for (const auto script : scripts) test::write_file(dir / (std::to_string(++version) + "_x.sql"), script);
  std::string text;
  for (const auto& problem : verify_folder(dir.path())) {
    CHECK(problem.severity != problem_severity::error);
    if (problem.severity == severity) text += problem.message + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("foreign keys: a pure rebuild keeps the rows that refer to the table, and the plan says so") {
  for (const std::string extra :
       {"", "PRAGMA foreign_keys = OFF;", "CREATE TABLE mine(x); INSERT INTO mine VALUES (1);",
        "UPDATE setting SET value = '';", "CREATE INDEX i ON c(pid);"}) {
    INFO(extra);
    ScriptRun db(extra + std::string(rebuild_p) + "CREATE INDEX pn ON p(n); PRAGMA foreign_keys = ON;");
    CHECK(db.plan().foreign_keys_off);
    CHECK(contains(db.foretold(problem_severity::note), "with foreign keys off"));
    CHECK(db.foretold(problem_severity::warning).empty());
    db.run();
    CHECK(db.ids("c") == RowIds{10, 11});
    CHECK(db.ids("p") == RowIds{1, 2});
  }
}

TEST_CASE("foreign keys: a pure rebuild that loses a parent fails as a whole, and names the row") {
  ScriptRun db(
      "CREATE TABLE n(id INTEGER PRIMARY KEY, n); INSERT INTO n SELECT id, n FROM p WHERE id > 1; DROP TABLE p;"
      "ALTER TABLE n RENAME TO p;");
  const auto error = db.failure();
  CHECK(error.code() == errc::migration_failed);
  CHECK(error.cause() == make_sqlite_error(SQLITE_CONSTRAINT_FOREIGNKEY));
  CHECK(contains(error.what(), "c rowid 10 refers to no row of p"));
  CHECK(db.ids("p") == RowIds{1, 2});
}

TEST_CASE("foreign keys: rows that are parked and put back are there once, but for what was not parked") {
  for (const std::string extra : {"", "PRAGMA foreign_keys = off;"}) {
    ScriptRun db(extra + "CREATE TEMP TABLE parked AS SELECT * FROM c;" + std::string(rebuild_p) +
                 "INSERT INTO c SELECT * FROM parked; DROP TABLE parked;");
    CHECK_FALSE(db.plan().foreign_keys_off);
    CHECK(contains(db.foretold(problem_severity::warning), "references of g"));  // which are not put back
    CHECK(contains(db.failure().what(), "references of 1 row of g"));
    db.by_hand("DROP TABLE g");
    CHECK(contains(db.foretold(problem_severity::note), "INSERT INTO c (line 2)"));
    db.run();
    CHECK(db.ids("c") == RowIds{10, 11});
    CHECK(db.ids("p") == RowIds{1, 2});
  }
}

TEST_CASE("foreign keys: beside a rebuild, DELETE, UPDATE and REPLACE take what they take in SQLite") {
  const std::string rebuild =
      "CREATE TABLE s(key TEXT PRIMARY KEY, value TEXT NOT NULL); INSERT INTO s SELECT key, value FROM setting;"
      "DROP TABLE setting; ALTER TABLE s RENAME TO setting;";
  for (const std::string statement :
       {"DELETE FROM p WHERE id = 1;", "REPLACE INTO p VALUES (1, 'new');",
        "UPDATE OR REPLACE p SET id = 1 WHERE id = 2;", "WITH one(i) AS (VALUES (1)) DELETE FROM p WHERE id IN one;"}) {
    for (const bool before : {true, false}) {
      INFO(statement << before);
      ScriptRun db(before ? statement + rebuild : rebuild + statement);
      CHECK_FALSE(db.plan().foreign_keys_off);
      if (statement.starts_with("UPDATE")) {
        CHECK(db.failure().cause() == make_sqlite_error(SQLITE_CONSTRAINT_FOREIGNKEY));
        continue;
      }
      db.run();
      CHECK(db.ids("c") == RowIds{11});
      CHECK(db.count("SELECT count(*) FROM g WHERE cid IS NULL") == 1);
    }
  }
}

TEST_CASE("foreign keys: a rebuild beside other work is rolled back when it takes rows that are not put back") {
  const std::string script = "UPDATE p SET n = upper(n);\n" + std::string(rebuild_p);
  ScriptRun db(script);
  CHECK(contains(db.foretold(problem_severity::warning), "rows of c (ON DELETE CASCADE, by DROP TABLE p in line 2)"));
  CHECK(contains(db.foretold(problem_severity::warning), "UPDATE p SET (line 1)"));
  const auto error = db.failure();
  INFO(error.what());
  CHECK(error.code() == errc::migration_refused);
  CHECK(error.line() == 2);
  for (const auto part : {"2 rows of c", "references of 1 row of g", "UPDATE p SET (line 1)", "a file of its own",
                          "-- foreign-keys off", "-- foreign-keys on"})
    CHECK(contains(error.what(), part));
  CHECK(db.ids("c") == RowIds{10, 11});
  CHECK(db.count("SELECT count(*) FROM p WHERE n = 'a'") == 1);

  SECTION("where there are none to take, it runs") {
    db.by_hand("DELETE FROM g; DELETE FROM c");
    db.run();
    CHECK(db.ids("p") == RowIds{1, 2});
  }
}

TEST_CASE("foreign keys: what was written before DROP TABLE is not put back, nor is a rebuilt child") {
  ScriptRun written("UPDATE c SET pid = pid;" + std::string(rebuild_p));
  CHECK(written.failure().code() == errc::migration_refused);
  ScriptRun new_row(std::string(rebuild_p) + "INSERT INTO c VALUES (12, 1);");
  CHECK(new_row.failure().code() == errc::migration_refused);
  ScriptRun child(
      "UPDATE p SET n = 0;" + std::string(rebuild_p) +
      "CREATE TABLE d(id INTEGER PRIMARY KEY, pid REFERENCES p(id)); INSERT INTO d SELECT * FROM c; DROP TABLE c;"
      "ALTER TABLE d RENAME TO c;");
  CHECK(child.failure().code() == errc::migration_refused);
  ScriptRun dropped("UPDATE p SET n = 0;" + std::string(rebuild_p) + "DROP TABLE c; DROP TABLE g;");
  dropped.run();
}

TEST_CASE("foreign keys: the first line chooses, before the option does") {
  const std::string mixed = "UPDATE p SET n = 0;\n" + std::string(rebuild_p);
  const auto children = [](std::string_view script, foreign_keys_mode mode) {
    ScriptRun db(script, {.foreign_keys = mode});
    CHECK(db.foretold(problem_severity::warning).empty());
    db.run();
    return db.ids("c").size();
  };
  CHECK(children("-- foreign-keys off\n" + mixed, foreign_keys_mode::automatic) == 2);
  CHECK(children("-- foreign-keys on\n" + mixed, foreign_keys_mode::automatic) == 0);
  CHECK(children(mixed, foreign_keys_mode::off) == 2);
  CHECK(children(mixed, foreign_keys_mode::on) == 0);
  CHECK(children(rebuild_p, foreign_keys_mode::on) == 0);
  CHECK(children("-- foreign-keys off\r\n" + mixed, foreign_keys_mode::on) == 2);
  CHECK(children("-- foreign-keys on: they are to go\n" + mixed, foreign_keys_mode::off) == 0);
  ScriptRun checked("-- foreign-keys off\nDELETE FROM p WHERE id = 1;");
  CHECK(checked.plan().foreign_keys_off);
  CHECK(contains(checked.failure().what(), "c rowid 10 refers to no row of p"));
}

TEST_CASE("foreign keys: a first line that only looks like the choice is warned of") {
  for (const auto line : {"--foreign-keys off", "-- foreign_keys = OFF", "-- Foreign keys: on", " -- x"}) {
    INFO(line);
    const bool warned =
        contains(verified({std::string(line) + "\nSELECT 1;"}, problem_severity::warning), "first bytes must be");
    CHECK(warned == (std::string_view(line) != " -- x"));
  }
  CHECK(verified({"-- foreign keys on all of these are checked\nSELECT 1;"}, problem_severity::warning).empty());
}

TEST_CASE("foreign keys: violations from before are warned of, and nobody is blamed for them") {
  SECTION("a row without its parent") {
    ScriptRun db(rebuild_p);
    db.by_hand("INSERT INTO c VALUES (12, 77)");
    CHECK(contains(db.foretold(problem_severity::warning), "c rowid 12 refers to no row of p"));
    db.run();
    CHECK(db.log().count("c rowid 12 refers to no row of p", spdlog::level::warn) == 1);
  }
  SECTION("in the rebuilt table itself, which gets other row ids") {
    ScriptRun db(
        "CREATE TABLE n(id INTEGER PRIMARY KEY, pid REFERENCES p(id)); INSERT INTO n SELECT id + 100, pid FROM c;"
        "DROP TABLE c; ALTER TABLE n RENAME TO c;");
    db.by_hand("DELETE FROM g; INSERT INTO c VALUES (12, 77), (13, 77)");
    db.run();
    CHECK(db.ids("c") == RowIds{110, 111, 112, 113});
  }
  SECTION("but for one more of the same kind") {
    ScriptRun db(
        "CREATE TABLE n(id INTEGER PRIMARY KEY, pid REFERENCES p(id)); INSERT INTO n SELECT id, pid FROM c;"
        "INSERT INTO n VALUES (14, 77); DROP TABLE c; ALTER TABLE n RENAME TO c;");
    db.by_hand("DELETE FROM g; INSERT INTO c VALUES (12, 77)");
    CHECK(contains(db.failure().what(), "1 reference leads nowhere"));
  }
  SECTION("a parent that is gone, one that has no such key, a table without row ids") {
    ScriptRun db(rebuild_p);
    db.by_hand(
        "CREATE TABLE gone(id INTEGER PRIMARY KEY); CREATE TABLE orphan(gid REFERENCES gone(id)); INSERT INTO orphan "
        "VALUES "
        "(5); DROP TABLE gone; CREATE TABLE odd(n REFERENCES setting(value)); INSERT INTO odd VALUES (1);"
        "CREATE TABLE w(k TEXT PRIMARY KEY, pid REFERENCES p(id)) WITHOUT ROWID; INSERT INTO w VALUES ('k', 9)");
    const std::string told = db.foretold(problem_severity::warning);
    CHECK(contains(told, "orphan rowid 1 refers to no row of gone"));
    CHECK(contains(told, "the foreign keys of odd"));
    CHECK(contains(told, "w (a row) refers to no row of p"));
    db.run();
  }
}

TEST_CASE("foreign keys: what is no rebuild of this form does as in sqlx, and is told beforehand") {
  const std::string_view scripts[]{
      "ALTER TABLE p RENAME TO o; CREATE TABLE p(id INTEGER PRIMARY KEY, n); INSERT INTO p SELECT * FROM o; DROP TABLE "
      "o;",
      "CREATE TEMP TABLE b AS SELECT * FROM p; DROP TABLE p; CREATE TABLE p(id INTEGER PRIMARY KEY, n);"
      "INSERT INTO p SELECT * FROM b; DROP TABLE b;",
      "PRAGMA defer_foreign_keys = ON; CREATE TABLE n(id INTEGER PRIMARY KEY, n); INSERT INTO n SELECT * FROM p;"
      "DROP TABLE p; ALTER TABLE n RENAME TO p;",
      "CREATE TABLE n(id INTEGER PRIMARY KEY, n); INSERT INTO n SELECT * FROM p; ALTER TABLE p RENAME TO o;"
      "ALTER TABLE n RENAME TO p; DROP TABLE o;"};
  for (const auto script : scripts) {
    INFO(script);
    ScriptRun db(script);
    CHECK_FALSE(db.plan().foreign_keys_off);
    CHECK(contains(db.foretold(problem_severity::warning), "rows of c (ON DELETE CASCADE"));
    CHECK(contains(db.foretold(problem_severity::warning), "references of g (ON DELETE SET NULL"));
    CHECK(contains(verified({family, script}, problem_severity::warning), "rows of c (ON DELETE CASCADE"));
    db.run();
    CHECK(db.ids("c").empty());
  }
  ScriptRun reused("DROP TABLE IF EXISTS archive; ALTER TABLE setting RENAME TO archive; DELETE FROM p WHERE id = 2;");
  CHECK(reused.plan().remarks.empty());
  reused.run();
  CHECK(reused.ids("c") == RowIds{10});
}

TEST_CASE("foreign keys: PRAGMA foreign_keys = OFF in a script that is no pure rebuild does nothing, and is told") {
  ScriptRun db("PRAGMA foreign_keys = OFF;\nDELETE FROM p WHERE id = 1;");
  CHECK(contains(db.foretold(problem_severity::warning), "does nothing inside a transaction"));
  db.run();
  CHECK(db.ids("c") == RowIds{11});
}

TEST_CASE("foreign keys: a table dropped together with those that refer to it is nobody's loss") {
  CHECK(verified({family, "DROP TABLE p; DROP TABLE c; DROP TABLE g;"}, problem_severity::warning).empty());
  CHECK(contains(verified({family, "DROP TABLE p; DROP TABLE c;"}, problem_severity::warning), "references of g"));
}

TEST_CASE("foreign keys: a script that commits and begins again does as in sqlx, with a warning") {
  const std::string idiom = "COMMIT TRANSACTION;\nPRAGMA foreign_keys = OFF;\nBEGIN;\n";
  SECTION("it runs, and the rows stay") {
    for (const std::string end : {"COMMIT; PRAGMA foreign_keys = ON; BEGIN;", ""}) {
      ScriptRun db(idiom + std::string(rebuild_p) + "PRAGMA foreign_key_check;" + end);
      CHECK_FALSE(db.plan().foreign_keys_off);
      CHECK(contains(db.foretold(problem_severity::warning), "commits in the middle (line 1)"));
      db.run();
      CHECK(db.log().count("commits in the middle", spdlog::level::warn) == 1);
      CHECK(db.ids("c") == RowIds{10, 11});
      CHECK(db.count("SELECT count(*) FROM _sqlx_migrations") == 2);
    }
  }
  SECTION("if it fails, what it has committed stays, and foreign keys are on again") {
    ScriptRun db("UPDATE p SET n = 'kept';" + idiom + "DELETE FROM p WHERE id = 1; SELECT nosuch;");
    const auto error = db.failure();
    CHECK(error.line() == 4);
    CHECK(contains(error.what(), "what it has committed itself stays"));
    CHECK(db.count("SELECT count(*) FROM p WHERE n = 'kept'") == 2);
  }
  SECTION("if it fails outside of any transaction") {
    ScriptRun db("COMMIT; PRAGMA foreign_keys = OFF; DELETE FROM p WHERE id = 1; SELECT nosuch; BEGIN;");
    CHECK(db.failure().code() == errc::migration_failed);
    CHECK(db.ids("p") == RowIds{2});
  }
  SECTION("a deferred violation at its own COMMIT") {
    ScriptRun db("PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES (12, 77); COMMIT; BEGIN;");
    CHECK(db.failure().cause() == make_sqlite_error(SQLITE_CONSTRAINT_FOREIGNKEY));
    CHECK(db.ids("c") == RowIds{10, 11});
  }
}

TEST_CASE("foreign keys: a view or a trigger in the way of a rebuild is named, with what to do, before and after") {
  for (const std::string kind : {"VIEW", "TRIGGER"}) {
    const std::string create = kind == "VIEW"
                                   ? "CREATE VIEW \"my one\" AS SELECT n FROM p;"
                                   : "CREATE TRIGGER \"my one\" AFTER INSERT ON c BEGIN UPDATE p SET n = 0; END;";
    ScriptRun db(rebuild_p);
    db.by_hand(create);
    CHECK(contains(db.foretold(problem_severity::warning), "will fail in line 1"));
    const auto error = db.failure();
    INFO(error.what());
    CHECK(contains(error.what(), "DROP " + kind + " my one first, and CREATE it again"));
    CHECK(db.ids("c") == RowIds{10, 11});
    CHECK(contains(verified({std::string(family) + create, rebuild_p}, problem_severity::warning), "will fail"));

    ScriptRun well("DROP " + kind + " \"my one\"; " + std::string(rebuild_p) + create);
    well.by_hand(create);
    CHECK(well.plan().foreign_keys_off);
    well.run();
    CHECK(well.ids("c") == RowIds{10, 11});
  }
}

TEST_CASE("foreign keys: what the application adds to SQLite does not keep a rebuild from being recognised") {
  ScriptRun db(
      "CREATE TABLE n(id INTEGER PRIMARY KEY, n CHECK (mine(n) IS NULL), e COLLATE mine); CREATE INDEX i ON n(e);"
      "INSERT INTO n SELECT id, mine(n), mine(1, 2) FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;");
  CHECK(db.plan().foreign_keys_off);
  ScriptRun through_view(
      "CREATE VIEW v AS SELECT id FROM p; CREATE TRIGGER t INSTEAD OF INSERT ON v BEGIN DELETE FROM p WHERE id = "
      "new.id; "
      "END; CREATE TABLE s(key, value); DROP TABLE setting; ALTER TABLE s RENAME TO setting; INSERT INTO v VALUES "
      "(1);");
  CHECK_FALSE(through_view.plan().foreign_keys_off);
  through_view.run();
  CHECK(through_view.ids("c") == RowIds{11});
}

TEST_CASE("foreign keys: a script that computes without end on an empty schema is planned all the same") {
  ScriptRun db("CREATE TABLE long AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;" +
               std::string(rebuild_p));
  CHECK(db.plan().foreign_keys_off);
}

TEST_CASE("foreign keys: down files are judged by the schema they meet") {
  const auto migrator =
      test::migrator_of({{"1_a.sql", family}, {"2_b.up.sql", rebuild_p}, {"2_b.down.sql", rebuild_p}});
  Connection db(":memory:");
  migrator.run(db);
  CHECK(migrator.plan_undo(db, 1).at(0).foreign_keys_off);
  migrator.undo(db, 1);
  CHECK(db.query_one<int>("SELECT count(*) FROM c") == 2);
}
