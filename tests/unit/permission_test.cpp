#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <string>
#include <vector>

#include "database_file.hpp"
#include "error_of.hpp"
#include "open_session.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using detail::permission;
using test::code_of;
using test::contains;
using test::error_of;
using test::session;

namespace {

struct Case {
  std::string sql;
  bool ordinary;     // passes through the statement verbs
  bool maintenance;  // passes in write_without_transaction
};

const std::vector<Case> cases{
    // transaction control
    {"BEGIN", false, true},
    {"BEGIN IMMEDIATE", false, true},
    {"BEGIN EXCLUSIVE TRANSACTION", false, true},
    {"begin deferred", false, true},
    {"/* c */ BEGIN", false, true},
    {"SAVEPOINT a", false, true},
    // what changes which files the connection works on
    {"ATTACH ':memory:' AS other", false, true},
    {"VACUUM", false, true},
    {"VACUUM main", false, true},
    // settings the pool's promises rest on
    {"PRAGMA journal_mode = DELETE", false, false},
    {"PRAGMA JOURNAL_MODE(WAL)", false, false},
    {"PRAGMA main.journal_mode = TRUNCATE", false, false},
    {"PRAGMA locking_mode = EXCLUSIVE", false, false},
    {"PRAGMA query_only = OFF", false, false},
    {"PRAGMA wal_autocheckpoint = 1", false, false},
    {"PRAGMA writable_schema = ON", false, false},
    {"PRAGMA busy_timeout = 1", false, false},
    {"PRAGMA trusted_schema = ON", false, false},
    // settings of the connection
    {"PRAGMA foreign_keys = OFF", false, true},
    {"PRAGMA synchronous = OFF", false, true},
    {"PRAGMA synchronous(0)", false, true},
    {"PRAGMA cache_size = 10", false, true},
    {"PRAGMA temp_store = 1", false, true},
    {"PRAGMA journal_size_limit = 1", false, true},
    {"PRAGMA recursive_triggers = ON", false, true},
    {"PRAGMA ignore_check_constraints = ON", false, true},
    {"PRAGMA legacy_alter_table = ON", false, true},
    {"PRAGMA mmap_size = 1000000", false, true},
    {"PRAGMA secure_delete = OFF", false, true},
    {"PRAGMA analysis_limit = 1", false, true},
    {"PRAGMA auto_vacuum = 1", false, true},
    {"PRAGMA page_size = 8192", false, true},
    {"PRAGMA schema_version = 99", false, true},
    {"PRAGMA no_such_pragma = 1", false, true},
    // these act without an argument
    {"PRAGMA wal_checkpoint", false, true},
    {"PRAGMA wal_checkpoint(TRUNCATE)", false, true},
    {"PRAGMA main.wal_checkpoint", false, true},
    {"PRAGMA optimize", false, true},
    {"PRAGMA optimize(0x10002)", false, true},
    {"PRAGMA incremental_vacuum", false, true},
    {"PRAGMA incremental_vacuum(1)", false, true},
    {"PRAGMA shrink_memory", false, true},
    // harmless PRAGMAs: questions, and what belongs to the file
    {"PRAGMA journal_mode", true, true},
    {"PRAGMA foreign_keys", true, true},
    {"PRAGMA query_only", true, true},
    {"PRAGMA busy_timeout", true, true},
    {"PRAGMA data_version", true, true},
    {"PRAGMA database_list", true, true},
    {"PRAGMA compile_options", true, true},
    {"PRAGMA page_count", true, true},
    {"PRAGMA table_info(t)", true, true},
    {"PRAGMA main.table_info('t')", true, true},
    {"PRAGMA table_xinfo(t)", true, true},
    {"PRAGMA table_list", true, true},
    {"PRAGMA index_list(t)", true, true},
    {"PRAGMA foreign_key_list(t)", true, true},
    {"PRAGMA foreign_key_check", true, true},
    {"PRAGMA foreign_key_check(t)", true, true},
    {"PRAGMA quick_check", true, true},
    {"PRAGMA integrity_check(10)", true, true},
    {"PRAGMA user_version", true, true},
    {"PRAGMA user_version = 7", true, true},
    {"PRAGMA application_id = 7", true, true},
    {"PRAGMA no_such_pragma", true, true},
    // ... and as tables
    {"SELECT * FROM pragma_table_info('t')", true, true},
    {"SELECT * FROM pragma_journal_mode", true, true},
    {"SELECT * FROM pragma_foreign_keys", true, true},
    {"SELECT * FROM pragma_user_version", true, true},
    {"SELECT * FROM pragma_optimize", false, true},
    {"SELECT * FROM pragma_optimize(0x10002)", false, true},
    {"SELECT * FROM t WHERE a IN (SELECT 1 FROM pragma_optimize)", false, true},
    // ordinary work, the schema included
    {"SELECT 1", true, true},
    {"INSERT INTO t VALUES (1)", true, true},
    {"CREATE TABLE u(a)", true, true},
    {"CREATE TEMP TABLE u(a)", true, true},
    {"ALTER TABLE t ADD COLUMN b", true, true},
    {"CREATE INDEX i ON t(a)", true, true},
    {"ANALYZE", true, true},
    {"REINDEX", true, true},
    {"EXPLAIN SELECT 1", true, true},
};

void check(const Case& test_case, permission granted, bool allowed) {
  CAPTURE(test_case.sql, static_cast<int>(granted));
  testing::TempDir directory;
  Connection db(directory / "a.db");
  db.execute("CREATE TABLE t(a)");
  db.execute("INSERT INTO t VALUES (1)");
  detail::PermissionScope scope(session(db), granted);
  // Twice, so that the second comes from the cache if anything does.
  for (int round = 0; round < 2; ++round) {
    try {
      db.execute(test_case.sql);
      CHECK(allowed);
    } catch (const Error& error) {
      CAPTURE(error.what());
      if (!allowed || round == 0) {
        CHECK(error.code() == errc::statement_refused);
        CHECK_FALSE(allowed);
      }
    }
    if (!allowed) CHECK_FALSE(session(db).in_transaction());
  }
  if (!allowed) {
    CHECK(db.query_one<std::string>("PRAGMA journal_mode") == "wal");
    CHECK(db.query_one<int>("PRAGMA foreign_keys") == 1);
    CHECK(db.query_one<int>("PRAGMA synchronous") == 1);
    CHECK(db.query_one<int>("SELECT count(*) FROM pragma_database_list") == 1);
  }
}

}  // namespace

TEST_CASE("permission: which statements the ordinary verbs refuse") {
  for (const Case& test_case : cases) check(test_case, permission::statements, test_case.ordinary);
}

TEST_CASE("permission: maintenance may do all but change the settings the pool rests on") {
  for (const Case& test_case : cases) check(test_case, permission::maintenance, test_case.maintenance);
}

TEST_CASE("permission: COMMIT, ROLLBACK, RELEASE and DETACH are refused while there is something to end") {
  Connection db(":memory:");
  db.execute("CREATE TABLE t(a)");
  {
    detail::PermissionScope scope(session(db), permission::maintenance);
    db.execute("ATTACH ':memory:' AS other");
  }
  CHECK(code_of([&] { db.execute("DETACH other"); }) == errc::statement_refused);
  session(db).begin(detail::transaction_kind::immediate);
  db.savepoint([&] {
    db.execute("INSERT INTO t VALUES (1)");
    for (const std::string sql :
         {"COMMIT", "END", "END TRANSACTION", "ROLLBACK", "ROLLBACK TO statehouse", "RELEASE statehouse",
          "RELEASE SAVEPOINT statehouse", "SAVEPOINT mine", "BEGIN", "DETACH other"}) {
      CAPTURE(sql);
      CHECK(code_of([&] { db.execute(sql); }) == errc::statement_refused);
      CHECK(code_of([&] { db.execute_script(sql); }) == errc::statement_refused);
      CHECK(session(db).in_transaction());
    }
  });
  session(db).commit();
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 1);
}

TEST_CASE("permission: a refusal says what to do instead") {
  Connection db(":memory:");
  const auto message = [&](const char* sql) { return std::string(error_of([&] { db.execute(sql); }).what()); };
  CHECK(contains(message("BEGIN"), "write(f)"));
  CHECK(contains(message("SAVEPOINT a"), "savepoint(f)"));
  CHECK(contains(message("ATTACH ':memory:' AS b"), "write_without_transaction"));
  CHECK(contains(message("VACUUM"), "write_without_transaction"));
  CHECK(contains(message("PRAGMA synchronous = OFF"), "write_without_transaction or the options"));
  detail::PermissionScope scope(session(db), permission::maintenance);
  CHECK(contains(message("PRAGMA journal_mode = DELETE"), "set it in the options"));
}

TEST_CASE("permission: a statement compiled with more rights is not kept for those with fewer") {
  testing::TempDir directory;
  Connection db(directory / "a.db");
  for (const std::string sql :
       {"BEGIN", "PRAGMA synchronous = 2", "PRAGMA wal_checkpoint", "SAVEPOINT a", "ATTACH ':memory:' AS other"}) {
    CAPTURE(sql);
    {
      detail::PermissionScope scope(session(db), permission::unrestricted);
      db.execute(sql);
      session(db).rollback();
    }
    CHECK(code_of([&] { db.execute(sql); }) == errc::statement_refused);
  }
  // VACUUM is compiled without a question, and asks only when it runs: its place in the cache gives it no right.
  CHECK(code_of([&] { db.execute("VACUUM"); }) == errc::statement_refused);
  {
    detail::PermissionScope scope(session(db), permission::maintenance);
    db.execute("DETACH other");
    CHECK_NOTHROW(db.execute("VACUUM"));
  }
  CHECK(code_of([&] { db.execute("VACUUM"); }) == errc::statement_refused);
}

TEST_CASE("permission: a scope gives back what was before, on the way of an exception too") {
  Connection db(":memory:");
  try {
    detail::PermissionScope outer(session(db), permission::maintenance);
    {
      detail::PermissionScope inner(session(db), permission::unrestricted);
      db.execute("PRAGMA writable_schema");
    }
    CHECK(code_of([&] { db.execute("PRAGMA query_only = ON"); }) == errc::statement_refused);
    throw 1;
  } catch (int) {
  }
  CHECK(code_of([&] { db.execute("BEGIN"); }) == errc::statement_refused);
}

TEST_CASE("permission: a refusal is not remembered for a later error") {
  Connection db(":memory:");
  CHECK(code_of([&] { db.execute("BEGIN"); }) == errc::statement_refused);
  CHECK(code_of([&] { db.execute("SELECT nothing"); }) == make_sqlite_error(SQLITE_ERROR));
}

namespace {

/// A writer and a reader on one file.
struct Both : test::DatabaseFile {
  std::unique_ptr<Connection> writer;
  std::unique_ptr<Connection> reader;

  Both() {
    writer = fixture.connect();
    writer->execute_script("CREATE TABLE t(a); CREATE INDEX i ON t(a)");
    writer->execute("INSERT INTO t VALUES (1)");
    reader = fixture.connect(connection_role::reader);
  }
};

}  // namespace

TEST_CASE("reader: a statement that writes is write_on_reader and names the verbs that write") {
  Both both;
  for (const std::string sql :
       {"INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (2) RETURNING a", "UPDATE t SET a = 2", "DELETE FROM t",
        "REPLACE INTO t VALUES (2)", "CREATE TABLE u(a)", "CREATE TEMP TABLE u(a)", "CREATE INDEX j ON t(a)",
        "DROP TABLE t", "ALTER TABLE t ADD COLUMN b", "PRAGMA user_version = 3", "REINDEX", "ANALYZE",
        "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x"}) {
    CAPTURE(sql);
    for (int round = 0; round < 2; ++round) {
      const Error error = error_of([&] { both.reader->query_all<int>(sql); });
      CHECK(error.code() == errc::write_on_reader);
      CHECK(contains(error.what(), "execute, execute_returning or write(f)"));
    }
    CHECK(code_of([&] { both.reader->execute_script(sql); }) == errc::write_on_reader);
  }
  CHECK(both.writer->query_one<int>("SELECT sum(a) FROM t") == 1);
  CHECK(both.writer->query_one<int>("SELECT count(*) FROM sqlite_schema") == 2);
}

TEST_CASE("reader: neither checkpoints nor takes off its own restraint") {
  Both both;
  for (const auto granted : {permission::statements, permission::maintenance}) {
    detail::PermissionScope scope(session(*both.reader), granted);
    for (const std::string sql :
         {"PRAGMA query_only = OFF", "PRAGMA query_only(0)", "PRAGMA wal_autocheckpoint = 1000",
          "PRAGMA journal_mode = DELETE", "PRAGMA wal_checkpoint", "PRAGMA wal_checkpoint(TRUNCATE)"}) {
      CAPTURE(sql, static_cast<int>(granted));
      CHECK(code_of([&] { both.reader->query_all<std::string>(sql); }) == errc::statement_refused);
    }
  }
  CHECK(both.reader->query_one<int>("PRAGMA query_only") == 1);
  CHECK(both.reader->query_one<int>("PRAGMA wal_autocheckpoint") == 0);
}

TEST_CASE("reader: even what goes past the verbs cannot write") {
  Both both;
  sqlite3* const db = session(*both.reader).handle().get();
  CHECK(sqlite3_exec(db, "INSERT INTO t VALUES (2)", nullptr, nullptr, nullptr) == SQLITE_READONLY);
  CHECK(sqlite3_exec(db, "PRAGMA query_only = OFF", nullptr, nullptr, nullptr) == SQLITE_AUTH);
  CHECK(sqlite3_exec(db, "PRAGMA wal_checkpoint", nullptr, nullptr, nullptr) == SQLITE_AUTH);
  CHECK(both.writer->query_one<int>("SELECT count(*) FROM t") == 1);
}

TEST_CASE("reader: sees what the writer has committed before it asks") {
  Both both;
  for (int i = 2; i < 20; ++i) {
    both.writer->execute("INSERT INTO t VALUES (?)", i);
    CHECK(both.reader->query_one<int>("SELECT max(a) FROM t") == i);
  }
  both.writer->execute_returning<int>("INSERT INTO t VALUES (?) RETURNING a", 100);
  CHECK(both.reader->query_one<int>("SELECT max(a) FROM t") == 100);
}

TEST_CASE("set_read_only: refuses writes on the one connection of an in-memory database, and only while it is on") {
  Connection db(":memory:");
  db.execute("CREATE TABLE t(a)");
  session(db).rules().read_only = true;
  CHECK(code_of([&] { db.execute("INSERT INTO t VALUES (1)"); }) == errc::write_on_reader);
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 0);
  session(db).rules().read_only = false;
  CHECK(db.execute("INSERT INTO t VALUES (1)").changes == 1);
}
