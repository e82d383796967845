// What stays with a connection when its user is gone: each entry of the list, and what it takes to know of it.

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <boost/asio/error.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <optional>
#include <string>

#include "database_file.hpp"
#include "error_of.hpp"
#include "plain_database.hpp"

using namespace statehouse;
using detail::permission;

namespace {

struct Used : test::WrittenFile {
  /// As the lane does it before the next user.
  bool put_back() {
    CHECK(session().clean() != detail::hygiene::broken);
    return session().put_back();
  }
  std::int64_t ask(const std::string& sql) { return db().query_one<std::int64_t>(sql); }
};

constexpr const char* temp_objects = "SELECT count(*) FROM sqlite_temp_master";

}  // namespace

TEST_CASE_METHOD(Used, "put back: ordinary work changes nothing, and nothing is asked for") {
  CHECK_FALSE(session().changed());
  db().execute("INSERT INTO t VALUES (1)");
  db().execute_script(
      "CREATE TABLE u(a); CREATE INDEX i ON u(a); CREATE VIEW v AS SELECT * FROM u;"
      "CREATE TRIGGER r AFTER INSERT ON u BEGIN DELETE FROM t; END; DROP VIEW v");
  db().query_all<int>("SELECT a FROM t");
  db().execute("PRAGMA user_version = 3");
  db().savepoint([&] { db().execute("INSERT INTO u VALUES (1)"); });
  CHECK_THROWS_AS(db().execute("INSERT INTO nothing VALUES (1)"), Error);
  CHECK_FALSE(session().changed());
}

TEST_CASE_METHOD(Used, "put back: temporary tables, views, triggers and indexes, however they are made") {
  const std::string made = GENERATE(
      as<std::string>{}, "CREATE TEMP TABLE t(a)", "CREATE TABLE temp.t AS SELECT * FROM main.t",
      "CREATE TEMPORARY VIEW t AS SELECT 1", "CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; END",
      "CREATE TRIGGER temp.r AFTER INSERT ON t BEGIN DELETE FROM t; END", "CREATE VIRTUAL TABLE temp.t USING fts5(a)",
      "CREATE TEMP TABLE u(a UNIQUE); CREATE INDEX temp.i ON u(a)",
      "CREATE TEMP TABLE u(k INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO u(a) VALUES (1)",
      "CREATE TEMP TABLE p(a PRIMARY KEY); CREATE TEMP TABLE c(a REFERENCES p(a)); INSERT INTO p VALUES (1);"
      "INSERT INTO c VALUES (1)",
      "CREATE TEMP TABLE u(a); ALTER TABLE u RENAME TO t",
      "CREATE TEMP TABLE u(a); DROP TABLE u; CREATE TEMP TABLE t(a)", "CREATE TEMP TABLE u(a); ANALYZE temp");
  CAPTURE(made);
  db().execute_script(made);
  CHECK(session().changed());
  CHECK(put_back());
  CHECK_FALSE(session().changed());
  CHECK(ask(temp_objects) == 0);
  CHECK(db().execute("INSERT INTO t VALUES (7)").changes == 1);
  CHECK(test::PlainDatabase(fixture.path).scalar("SELECT a FROM t") == 7);
  CHECK(ask("PRAGMA temp_store") == 2);
  CHECK_NOTHROW(db().execute_script(made));  // the same job again
}

TEST_CASE_METHOD(Used, "put back: a temporary table that was made in a transaction, committed or not") {
  session().begin(detail::transaction_kind::immediate);
  db().execute("CREATE TEMP TABLE t(a)");
  db().execute("INSERT INTO t VALUES (1)");
  if (GENERATE(false, true)) session().commit();
  CHECK(put_back());
  CHECK(ask(temp_objects) == 0);
  CHECK(ask("SELECT count(*) FROM t") == 0);
}

TEST_CASE_METHOD(Used,
                 "put back: a statement that makes one is known each time it runs, not only when it is compiled") {
  for (int round = 0; round < 3; ++round) {
    db().execute("CREATE TEMP TABLE IF NOT EXISTS u(a)");
    CHECK(session().changed());
    CHECK_FALSE(session().has_prepared("CREATE TEMP TABLE IF NOT EXISTS u(a)"));
    CHECK(put_back());
    CHECK(ask(temp_objects) == 0);
  }
  // Failed before it made anything, and made later.
  db().execute("CREATE TEMP TABLE w(a)");
  CHECK_THROWS_AS(db().execute("CREATE TEMP TABLE w(a)"), Error);
  CHECK(put_back());
  db().execute("CREATE TEMP TABLE w(a)");
  CHECK(session().changed());
}

TEST_CASE("put back: temporary tables of on_connect stay; where they were changed, a new connection is needed") {
  test::DatabaseFile file;
  file.fixture.options.on_connect = [](Connection& db, connection_role) {
    db.execute("CREATE TEMP TABLE mine(a)");
    db.native();
  };
  const auto connection = file.fixture.connect();
  Connection& db = *connection;
  CHECK_FALSE(test::session(db).changed());
  db.execute("INSERT INTO mine VALUES (1)");
  CHECK_FALSE(test::session(db).changed());
  const char* const sql = GENERATE("CREATE TEMP TABLE theirs(a)", "DROP TABLE mine", "ALTER TABLE mine ADD COLUMN b");
  db.execute(sql);
  CHECK(test::session(db).changed());
  CHECK_FALSE(test::session(db).put_back());
}

TEST_CASE_METHOD(Used, "put back: deferred foreign keys") {
  db().execute_script("CREATE TABLE p(a PRIMARY KEY); CREATE TABLE c(a REFERENCES p(a))");
  db().execute("PRAGMA defer_foreign_keys = ON");
  CHECK(ask("PRAGMA defer_foreign_keys") == 1);
  CHECK(session().changed());
  CHECK(put_back());
  CHECK(ask("PRAGMA defer_foreign_keys") == 0);
  session().begin(detail::transaction_kind::immediate);
  CHECK(test::code_of([&] { db().execute("INSERT INTO c VALUES (1)"); }) ==
        make_sqlite_error(SQLITE_CONSTRAINT_FOREIGNKEY));
}

TEST_CASE_METHOD(Used, "put back: PRAGMAs and attached databases, see also restore_settings") {
  {
    const detail::MaintenanceScope scope(session());
    for (const char* const sql :
         {"PRAGMA full_column_names = ON", "PRAGMA short_column_names = OFF", "PRAGMA max_page_count = 4000",
          "PRAGMA cache_size = 17", "ATTACH ':memory:' AS other", "PRAGMA count_changes = ON"})
      db().execute(sql);
  }
  CHECK(put_back());
  CHECK(ask("PRAGMA full_column_names") == 0);
  CHECK(ask("PRAGMA short_column_names") == 1);
  CHECK(ask("PRAGMA max_page_count") > 1'000'000);
  CHECK(ask("PRAGMA cache_size") == -2000);
  CHECK(ask("PRAGMA count_changes") == 0);
  CHECK(ask("SELECT count(*) FROM pragma_database_list WHERE name = 'other'") == 0);
}

TEST_CASE_METHOD(Used, "put back: PRAGMAs that do not tell what they set need a new connection") {
  const char* const sql =
      GENERATE("PRAGMA case_sensitive_like = ON", "PRAGMA page_size = 8192", "PRAGMA auto_vacuum = 1");
  CAPTURE(sql);
  {
    const detail::MaintenanceScope scope(session());
    db().execute(sql);
  }
  CHECK(session().changed());
  CHECK_FALSE(put_back());
}

TEST_CASE_METHOD(Used, "put back: maintenance that changes no connection needs no new one") {
  {
    const detail::MaintenanceScope scope(session());
    for (const char* const sql : {"VACUUM", "PRAGMA optimize", "PRAGMA wal_checkpoint(TRUNCATE)",
                                  "PRAGMA user_version = 1", "PRAGMA incremental_vacuum(3)", "PRAGMA cache_size = 1"})
      db().execute(sql);
  }
  CHECK_FALSE(session().changed());
}

TEST_CASE("put back: an attached database of on_connect that was detached needs a new connection") {
  test::DatabaseFile file;
  file.fixture.options.on_connect = [](Connection& db, connection_role) { db.execute("ATTACH ':memory:' AS mine"); };
  const auto connection = file.fixture.connect();
  {
    const detail::MaintenanceScope scope(test::session(*connection));
    connection->execute("DETACH mine");
  }
  CHECK(test::session(*connection).changed());
  CHECK_FALSE(test::session(*connection).put_back());
}

TEST_CASE_METHOD(Used, "put back: what native() may have set needs a new connection") {
  CHECK_FALSE(session().changed());
  db().native();
  CHECK(session().changed());
  CHECK_FALSE(put_back());
  CHECK(session().changed());
}

TEST_CASE("take over: in memory the new connection has the content, and nothing else, of the old") {
  test::Fixture fixture;
  const auto old = fixture.connect();
  old->execute_script("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2); CREATE TEMP TABLE mine(a)");
  const auto fresh = fixture.connect();
  test::session(*fresh).take_over(test::session(*old));
  CHECK(fresh->query_one<int>("SELECT count(*) FROM t") == 2);
  CHECK(fresh->query_one<int>(temp_objects) == 0);
  CHECK(fresh->execute("INSERT INTO t VALUES (3)").changes == 1);
}

TEST_CASE_METHOD(Used, "interrupter: the old connection of a slot, when it goes, does not take the new one's with it") {
  const auto stop = session().context().interrupter;
  detail::SessionConfig config = fixture.config();
  config.context.interrupter = stop;
  auto fresh = detail::connect(std::make_unique<detail::LocalSession>(std::move(config)), fixture.options);
  connection.reset();
  sqlite3* const handle = test::session(*fresh).handle().get();
  sqlite3_create_function(
      handle, "stop", 0, SQLITE_UTF8, stop.get(),
      [](sqlite3_context* context, int, sqlite3_value**) {
        static_cast<detail::Interrupter*>(sqlite3_user_data(context))->request(detail::stop_reason::cancelled);
        sqlite3_result_int(context, 1);
      },
      nullptr, nullptr);
  CHECK(test::code_of([&] { fresh->query_all<int>("SELECT stop() UNION ALL SELECT stop() UNION ALL SELECT 1"); }) ==
        boost::asio::error::operation_aborted);
  stop->disarm();
  CHECK(fresh->query_one<int>("SELECT 1") == 1);
}
