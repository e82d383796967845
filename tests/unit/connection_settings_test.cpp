#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "database_file.hpp"
#include "error_of.hpp"
#include "open_session.hpp"
#include "plain_database.hpp"
#include "process_files.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using detail::permission;
using test::code_of;
using test::contains;
using test::DatabaseFile;
using test::error_of;
using test::session;

namespace {

/// Past the verbs, since SQLite counts the question for the journal mode among the statements that write.
std::string setting(Connection& db, const std::string& name) {
  std::string value = "none";
  const auto keep = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) = values[0];
    return 0;
  };
  REQUIRE(sqlite3_exec(session(db).handle().get(), ("PRAGMA " + name).c_str(), keep, &value, nullptr) == SQLITE_OK);
  return value;
}

int config_of(Connection& db, int option) {
  int value = -1;
  sqlite3_db_config(session(db).handle().get(), option, -1, &value);
  return value;
}

}  // namespace

TEST_CASE("settings: a writer's and a reader's defaults") {
  DatabaseFile file;
  Connection writer = file.fixture.open();
  Connection reader = file.fixture.open(connection_role::reader);
  for (Connection* db : {&writer, &reader}) {
    CHECK(setting(*db, "journal_mode") == "wal");
    CHECK(setting(*db, "foreign_keys") == "1");
    CHECK(setting(*db, "synchronous") == "1");
    CHECK(setting(*db, "cache_size") == "-2000");
    CHECK(setting(*db, "temp_store") == "2");
    CHECK(setting(*db, "cell_size_check") == "1");
    CHECK(setting(*db, "analysis_limit") == "400");
    CHECK(setting(*db, "trusted_schema") == "0");
  }
  CHECK(setting(writer, "query_only") == "0");
  CHECK(setting(writer, "wal_autocheckpoint") == "1000");
  CHECK(setting(writer, "journal_size_limit") == "67108864");
  CHECK(setting(reader, "query_only") == "1");
  CHECK(setting(reader, "wal_autocheckpoint") == "0");
}

TEST_CASE("settings: each option arrives") {
  DatabaseFile file;
  file.fixture.options.synchronous = durability::full;
  file.fixture.options.foreign_keys = false;
  file.fixture.options.cache_kib = 512;
  file.fixture.options.journal_size_limit = 4096;
  Connection db = file.fixture.open();
  CHECK(setting(db, "synchronous") == "2");
  CHECK(setting(db, "foreign_keys") == "0");
  CHECK(setting(db, "cache_size") == "-512");
  CHECK(setting(db, "journal_size_limit") == "4096");
}

TEST_CASE("settings: foreign keys are enforced") {
  Connection db(":memory:");
  db.execute_script("CREATE TABLE p(a PRIMARY KEY); CREATE TABLE c(a REFERENCES p(a))");
  CHECK(code_of([&] { db.execute("INSERT INTO c VALUES (1)"); }) == make_sqlite_error(SQLITE_CONSTRAINT_FOREIGNKEY));
}

TEST_CASE("WAL: an existing database in another mode is switched, one in WAL mode is taken as it is") {
  testing::TempDir directory;
  {
    test::PlainDatabase stranger(directory / "a.db");
    stranger.execute("PRAGMA journal_mode = DELETE; CREATE TABLE t(a); INSERT INTO t VALUES (1)");
  }
  for (int round = 0; round < 2; ++round) {
    Connection db(directory / "a.db");
    CHECK(setting(db, "journal_mode") == "wal");
    CHECK(db.query_one<int>("SELECT a FROM t") == 1);
  }
}

TEST_CASE("WAL: where SQLite silently keeps another mode, opening fails and says what a directory must be") {
  DatabaseFile file;
  sqlite3_vfs* const usual = sqlite3_vfs_find(nullptr);
  sqlite3_vfs* const without_shared_memory = sqlite3_vfs_find("unix-none");
  REQUIRE(without_shared_memory != nullptr);
  sqlite3_vfs_register(without_shared_memory, 1);
  std::optional<Error> error;
  try {
    Connection db = file.fixture.open();
  } catch (const Error& thrown) {
    error = thrown;
  }
  sqlite3_vfs_register(usual, 1);
  REQUIRE(error);
  CHECK(error->code() == errc::wal_unavailable);
  CHECK(contains(error->what(), "'delete' instead of WAL: the directory must be writable and on a local file system"));
  CHECK(test::open_descriptors(file.fixture.path) == 0);
}

TEST_CASE("hardening: the schema table cannot be written") {
  Connection db(":memory:");
  db.execute("CREATE TABLE t(a)");
  detail::PermissionScope scope(session(db), permission::unrestricted);
  db.execute("PRAGMA writable_schema = ON");
  const Error error = error_of([&] { db.execute("UPDATE sqlite_schema SET sql = 'garbage'"); });
  CHECK(contains(error.what(), "may not be modified"));
  CHECK(config_of(db, SQLITE_DBCONFIG_DEFENSIVE) == 1);
}

TEST_CASE("hardening: no extension can be loaded, in SQL or through a tokenizer") {
  Connection db(":memory:");
  CHECK(contains(error_of([&] { db.query_all<int>("SELECT load_extension('x')"); }).what(), "not authorized"));
  CHECK(config_of(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION) == 0);
  CHECK(config_of(db, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER) == 0);
}

TEST_CASE(
    "hardening: a trigger may feed an FTS5 table where SQLite counts that as safe, and wherever the schema is "
    "trusted") {
  constexpr const char* feeding =
      "CREATE TABLE doc(body); CREATE VIRTUAL TABLE f USING fts5(body);"
      "CREATE TRIGGER feed AFTER INSERT ON doc BEGIN INSERT INTO f VALUES (new.body); END";
  const test::PlainDatabase plain(":memory:");
  plain.execute("PRAGMA trusted_schema = OFF;" + std::string(feeding));
  const bool safe = plain.try_execute("INSERT INTO doc VALUES ('one')") == SQLITE_OK;

  DatabaseFile file;
  file.fixture.open().execute_script(feeding);
  const auto insert = [](Connection& db) { db.execute("INSERT INTO doc VALUES ('one')"); };
  {
    Connection db = file.fixture.open();
    if (safe) {
      insert(db);
      db.execute("DELETE FROM f");
    } else {
      const Error error = error_of([&] { insert(db); });
      CHECK(contains(error.what(), "unsafe use of virtual table"));
      CHECK(contains(error.what(), "ConnectionOptions::trusted_schema"));
    }
  }
  file.fixture.options.trusted_schema = true;
  Connection db = file.fixture.open();
  Connection reader = file.fixture.open(connection_role::reader);
  CHECK(setting(db, "trusted_schema") == "1");
  CHECK(setting(reader, "trusted_schema") == "1");
  insert(db);
  CHECK(reader.query_one<int>("SELECT count(*) FROM f WHERE f MATCH 'one'") == 1);
}

TEST_CASE("hardening: the schema may not call functions with side effects, but may use REGEXP") {
  Connection db(":memory:");
  bool called = false;
  sqlite3_create_function(
      session(db).handle().get(), "effect", 0, SQLITE_UTF8, &called,
      [](sqlite3_context* context, int, sqlite3_value**) { *static_cast<bool*>(sqlite3_user_data(context)) = true; },
      nullptr, nullptr);
  db.execute("CREATE VIEW v AS SELECT effect()");
  const Error error = error_of([&] { db.query_all<std::optional<int>>("SELECT * FROM v"); });
  CHECK(contains(error.what(), "unsafe use of effect()"));
  CHECK(contains(error.what(), "ConnectionOptions::trusted_schema"));
  CHECK_FALSE(called);
  CHECK(config_of(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA) == 0);

  db.execute("CREATE TABLE t(a TEXT CHECK (a REGEXP '^[a-z]+$'))");
  db.execute("CREATE INDEX digits ON t(a) WHERE a REGEXP 'z'");
  db.execute("CREATE VIEW w AS SELECT a FROM t WHERE a REGEXP '^b'");
  db.execute("INSERT INTO t VALUES ('abc'), ('bcd'), ('z'), (NULL)");
  CHECK(code_of([&] { db.execute("INSERT INTO t VALUES ('ABC')"); }) == make_sqlite_error(SQLITE_CONSTRAINT_CHECK));
  CHECK(db.query_all<std::string>("SELECT a FROM w") == std::vector<std::string>{"bcd"});
  CHECK(db.query_one<int>("SELECT count(*) FROM t INDEXED BY digits WHERE a REGEXP 'z'") == 1);
  CHECK(db.query_one<std::string>("PRAGMA integrity_check") == "ok");
}

TEST_CASE("on_connect: runs for each connection, after the settings, with its role") {
  DatabaseFile file;
  std::vector<connection_role> roles;
  file.fixture.options.on_connect = [&](Connection& db, connection_role role) {
    roles.push_back(role);
    CHECK(setting(db, "journal_mode") == "wal");
    CHECK(setting(db, "query_only") == (role == connection_role::reader ? "1" : "0"));
    db.execute("PRAGMA cache_size = -4000");
    sqlite3_create_function(
        db.native().getHandle(), "seven", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, nullptr,
        [](sqlite3_context* context, int, sqlite3_value**) { sqlite3_result_int(context, 7); }, nullptr, nullptr);
  };
  Connection writer = file.fixture.open();
  Connection reader = file.fixture.open(connection_role::reader);
  CHECK(roles == std::vector{connection_role::writer, connection_role::reader});
  CHECK(reader.query_one<int>("SELECT seven()") == 7);
  CHECK(setting(reader, "cache_size") == "-4000");
  CHECK(code_of([&] { writer.execute("BEGIN"); }) == errc::statement_refused);
}

TEST_CASE("on_connect: what it throws comes through, and nothing stays open") {
  DatabaseFile file;
  { file.fixture.open().execute("CREATE TABLE t(a)"); }
  struct Odd {};
  for (const auto role : {connection_role::writer, connection_role::reader}) {
    file.fixture.options.on_connect = [](Connection& db, connection_role) {
      db.query_all<int>("SELECT count(*) FROM t");
      throw Odd();
    };
    CHECK_THROWS_AS(file.fixture.open(role), Odd);
    CHECK(test::open_descriptors(file.fixture.path) == 0);
    file.fixture.options.on_connect = [](Connection& db, connection_role) { db.execute("SELECT nothing"); };
    CHECK_THROWS_AS(file.fixture.open(role), Error);
    CHECK(test::open_descriptors(file.fixture.path) == 0);
  }
}

TEST_CASE("on_connect: a transaction it leaves open does not reach the first user") {
  DatabaseFile file;
  file.fixture.options.on_connect = [](Connection& db, connection_role) {
    db.execute("BEGIN IMMEDIATE");
    db.execute("CREATE TABLE half(a)");
  };
  Connection db = file.fixture.open();
  CHECK_FALSE(session(db).in_transaction());
  CHECK(db.query_one<int>("SELECT count(*) FROM sqlite_schema") == 0);
}

TEST_CASE("on_connect: may not loosen what the pool rests on") {
  DatabaseFile file;
  file.fixture.options.on_connect = [](Connection& db, connection_role) {
    for (const std::string sql :
         {"PRAGMA journal_mode = DELETE", "PRAGMA query_only = OFF", "PRAGMA wal_autocheckpoint = 1",
          "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA busy_timeout = 0"})
      CHECK(code_of([&] { db.execute(sql); }) == errc::statement_refused);
  };
  Connection writer = file.fixture.open();
  Connection reader = file.fixture.open(connection_role::reader);
  CHECK(setting(writer, "journal_mode") == "wal");
}

TEST_CASE("restore_settings: undoes what maintenance has changed and detaches what it has attached") {
  DatabaseFile file;
  Connection db = file.fixture.open();
  const std::vector<std::string> names{"foreign_keys",       "synchronous",        "cache_size",
                                       "temp_store",         "cell_size_check",    "analysis_limit",
                                       "journal_size_limit", "recursive_triggers", "ignore_check_constraints",
                                       "legacy_alter_table", "automatic_index",    "reverse_unordered_selects",
                                       "secure_delete",      "mmap_size",          "threads",
                                       "read_uncommitted",   "cache_spill"};
  std::vector<std::string> before;
  for (const auto& name : names) before.push_back(setting(db, name));
  {
    detail::PermissionScope scope(session(db), permission::maintenance);
    for (const auto& name : names) {
      // Any value that is not the one before.
      for (const char* value : {"0", "1", "2", "65536"}) {
        db.execute("PRAGMA " + name + " = " + value);
        if (setting(db, name) != before[static_cast<std::size_t>(&name - names.data())]) break;
      }
      CAPTURE(name);
      CHECK(setting(db, name) != before[static_cast<std::size_t>(&name - names.data())]);
    }
    db.execute("ATTACH ':memory:' AS first");
    db.execute("ATTACH ':memory:' AS \"sec\"\"ond\"");
  }
  session(db).restore_settings();
  for (std::size_t i = 0; i < names.size(); ++i) {
    CAPTURE(names[i]);
    CHECK(setting(db, names[i]) == before[i]);
  }
  CHECK(db.query_all<std::string>("SELECT name FROM pragma_database_list WHERE name <> 'temp'") ==
        std::vector<std::string>{"main"});
}

TEST_CASE("restore_settings: goes back to what on_connect has set and attached, not to the defaults") {
  DatabaseFile file;
  file.fixture.options.on_connect = [](Connection& db, connection_role) {
    db.execute("PRAGMA cache_size = -4000");
    db.execute("PRAGMA synchronous = 2");
    db.execute("PRAGMA recursive_triggers = ON");
    db.execute("ATTACH ':memory:' AS mine");
  };
  Connection db = file.fixture.open();
  {
    detail::PermissionScope scope(session(db), permission::maintenance);
    db.execute("PRAGMA cache_size = -100");
    db.execute("PRAGMA synchronous = OFF");
    db.execute("PRAGMA recursive_triggers = OFF");
    db.execute("ATTACH ':memory:' AS theirs");
  }
  session(db).restore_settings();
  CHECK(setting(db, "cache_size") == "-4000");
  CHECK(setting(db, "synchronous") == "2");
  CHECK(setting(db, "recursive_triggers") == "1");
  CHECK(db.query_all<std::string>("SELECT name FROM pragma_database_list WHERE name <> 'temp'") ==
        std::vector<std::string>{"main", "mine"});
}

TEST_CASE("restore_settings: puts back what only a migration may change") {
  DatabaseFile file;
  Connection db = file.fixture.open();
  db.execute("CREATE TABLE t(a)");
  {
    detail::PermissionScope scope(session(db), permission::unrestricted);
    db.execute("PRAGMA journal_mode = DELETE");
    db.execute("PRAGMA wal_autocheckpoint = 7");
    db.execute("PRAGMA writable_schema = ON");
    db.execute("PRAGMA trusted_schema = ON");
    db.execute("PRAGMA query_only = ON");
  }
  session(db).restore_settings();
  CHECK(setting(db, "journal_mode") == "wal");
  CHECK(setting(db, "wal_autocheckpoint") == "1000");
  CHECK(setting(db, "writable_schema") == "0");
  CHECK(setting(db, "trusted_schema") == "0");
  CHECK(setting(db, "query_only") == "0");
}

TEST_CASE("restore_settings: what a script runs with is not taken for what was set before it") {
  DatabaseFile file;
  Connection db = file.fixture.open();
  session(db).begin_script(false);
  {
    detail::PermissionScope scope(session(db), permission::unrestricted);
    db.execute_script("CREATE TABLE t(a); PRAGMA cache_size = 7");
  }
  session(db).end_script();
  CHECK(setting(db, "cache_size") == "7");
  session(db).restore_settings();
  CHECK(setting(db, "cache_size") == "-2000");
  CHECK(setting(db, "foreign_keys") == "1");
  CHECK(setting(db, "trusted_schema") == "0");
}

TEST_CASE("restore_settings: after clean, works whatever the closure has left, and though it was cancelled") {
  DatabaseFile file;
  Connection db = file.fixture.open();
  {
    detail::PermissionScope scope(session(db), permission::maintenance);
    db.execute("PRAGMA synchronous = OFF");
    db.execute("ATTACH ':memory:' AS other");
    db.execute("BEGIN IMMEDIATE");
    db.execute("CREATE TABLE half(a)");
  }
  session(db).interrupter().request(detail::stop_reason::cancelled);
  CHECK(session(db).clean() == detail::hygiene::rolled_back);
  session(db).restore_settings();
  session(db).interrupter().disarm();
  CHECK_FALSE(session(db).in_transaction());
  CHECK(setting(db, "synchronous") == "1");
  CHECK(db.query_one<int>("SELECT count(*) FROM pragma_database_list WHERE name = 'other'") == 0);
  CHECK(db.query_one<int>("SELECT count(*) FROM sqlite_schema") == 0);
}

TEST_CASE(
    "standalone connection: relative paths, paths through a symbolic link to the directory, the name of the file") {
  testing::TempDir directory;
  std::filesystem::create_directory(directory / "real");
  std::filesystem::create_directory_symlink(directory / "real", directory / "link");
  { Connection(directory / "link" / "a.db").execute("CREATE TABLE t(a)"); }
  CHECK(std::filesystem::exists(directory / "real" / "a.db"));
  Connection db(directory / "real" / ".." / "link" / "a.db");
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 0);
  CHECK(error_of([&] { db.execute("SELECT nothing"); }).database() == "a");

  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory.path());
  { Connection("relative.db").execute("CREATE TABLE t(a)"); }
  std::filesystem::current_path(before);
  CHECK(std::filesystem::exists(directory / "relative.db"));
}
