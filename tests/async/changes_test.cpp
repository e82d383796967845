// Pool::changes: who is told of which commits.

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <optional>

#include "async_fixture.hpp"
#include "plain_database.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;
using Tables = std::vector<std::string>;

constexpr const char* schema = R"(
  CREATE TABLE parent(id INTEGER PRIMARY KEY, name UNIQUE);
  CREATE TABLE child(parent INTEGER REFERENCES parent ON DELETE CASCADE);
  CREATE TABLE Other(a);
  CREATE TABLE keyed(k PRIMARY KEY, v) WITHOUT ROWID;
  CREATE TABLE audited(a);
  CREATE TABLE audit(a);
  CREATE TRIGGER audit_it AFTER INSERT ON audited BEGIN INSERT INTO audit VALUES (new.a); END;
  CREATE VIEW parents AS SELECT name FROM parent;
  CREATE TRIGGER insert_it INSTEAD OF INSERT ON parents BEGIN INSERT INTO parent(name) VALUES (new.name); END;
  INSERT INTO parent VALUES (1, 'a'), (2, 'b');
  INSERT INTO child VALUES (1), (2);
  INSERT INTO Other VALUES (1);
  INSERT INTO keyed VALUES (1, 1);
)";

/// A stepped pool with those tables.
struct Told {
  SteppedApp app;
  Pool pool;

  explicit Told(PoolOptions options = {}) : app(std::move(options)), pool(app.open()) {
    auto make = [](Connection& db) { db.execute_script(schema); };
    app.run(pool.write(make));
  }
  static PoolOptions in_memory() {
    PoolOptions options;
    options.in_memory = true;
    return options;
  }

  void execute(const char* sql) { app.run(pool.execute(sql)); }
  /// What the next Change says, if it is there already.
  std::optional<Change> heard(Changes& changes) {
    auto task = app.spawn(changes.next());
    app.settle();
    if (!task.done()) {
      task.cancel();
      app.settle();
      CHECK(task.code() == boost::system::errc::operation_canceled);
      return std::nullopt;
    }
    return task.get();
  }
  /// For sure; none where nothing was told.
  Tables tables(Changes& changes) {
    const auto change = heard(changes);
    if (!change) return {};
    CHECK_FALSE(change->perhaps);
    return change->tables;
  }
  /// What one who hears of all tables is told of the statement.
  Tables after(const char* sql) {
    Changes changes = pool.changes();
    execute(sql);
    return tables(changes);
  }
  void second() {
    app.clock->advance(1s);
    app.settle();
  }
};

TEST_CASE("changes: a commit is told to who waits for one of its tables, by the name that he asked for") {
  Told told;
  Changes changes = told.pool.changes({"OTHER", "parent"});
  auto next = told.app.spawn(changes.next());
  told.app.settle();
  CHECK_FALSE(next.done());
  told.execute("INSERT INTO keyed VALUES (2, 2)");
  CHECK_FALSE(next.done());
  told.execute("UPDATE other SET a = 2");
  told.app.settle();
  REQUIRE(next.done());
  const auto change = next.get();
  REQUIRE(change);
  CHECK(change->tables == Tables{"OTHER"});
  CHECK_FALSE(change->perhaps);
  CHECK(told.tables(changes).empty());
}

TEST_CASE("changes: a loop is told until the shutdown, and a read in it sees what it was told of") {
  Told told;
  std::vector<int> seen;
  const auto follow = [&]() -> asio::awaitable<void> {
    Changes changes = told.pool.changes({"Other"});
    while (auto change = co_await changes.next())
      seen.push_back(co_await told.pool.query_one<int>("SELECT max(a) FROM Other"));
  };
  auto task = told.app.spawn(follow);
  for (const char* sql : {"INSERT INTO Other VALUES (7)", "INSERT INTO Other VALUES (8)"}) {
    told.execute(sql);
    told.app.settle();
  }
  told.app.run(told.app.state->shutdown());
  told.app.finish(task);
  CHECK(seen == std::vector<int>{7, 8});
}

TEST_CASE("changes: what comes while nobody waits is one Change, sorted, however much it is") {
  Told told;
  Changes changes = told.pool.changes();
  for (int i = 0; i < 100; ++i) {
    told.execute("INSERT INTO parent(name) VALUES (random())");
    told.execute("INSERT INTO audited VALUES (1)");
  }
  CHECK(told.tables(changes) == Tables{"audit", "audited", "parent"});
  CHECK(told.tables(changes).empty());
}

TEST_CASE("changes: who asked for all tables and does not come is told of no more than a thousand by name") {
  Told told;
  Changes changes = told.pool.changes();
  auto make = [](Connection& db) {
    for (int i = 0; i < 1001; ++i) db.execute("CREATE TABLE t" + std::to_string(i) + "(a)");
  };
  told.app.run(told.pool.write(make));
  const auto change = told.heard(changes);
  REQUIRE(change);
  CHECK(change->perhaps);
  CHECK(change->tables.empty());
}

TEST_CASE("changes: triggers, foreign keys and what SQLite tells no update hook of") {
  Told told;
  const auto [sql, tables] = GENERATE(Catch::Generators::table<const char*, Tables>({
      {"INSERT INTO audited VALUES (1)", {"audit", "audited"}},
      {"INSERT INTO parents VALUES ('x')", {"parent", "parents"}},
      {"DELETE FROM parent WHERE id = 1", {"child", "parent"}},
      {"INSERT OR REPLACE INTO parent VALUES (1, 'b')", {"child", "parent"}},
      {"INSERT INTO keyed VALUES (1, 2) ON CONFLICT(k) DO UPDATE SET v = excluded.v", {"keyed"}},
      {"DELETE FROM keyed WHERE k = 1", {"keyed"}},
      {"DELETE FROM Other", {"Other"}},
      {"WITH n(i) AS (SELECT 1) INSERT INTO Other SELECT i FROM n", {"Other"}},
      {"UPDATE Other SET a = 3 FROM parent WHERE parent.id = a", {"Other"}},
  }));
  CAPTURE(sql);
  CHECK(told.after(sql) == tables);
}

TEST_CASE("changes: what a statement leaves as it was is not told") {
  Told told;
  const char* const sql =
      GENERATE("UPDATE Other SET a = 2 WHERE a = 99", "DELETE FROM audit", "SELECT * FROM Other",
               "INSERT OR IGNORE INTO parent VALUES (1, 'a')", "CREATE TABLE IF NOT EXISTS Other(a)",
               "CREATE INDEX other_a ON Other(a)", "PRAGMA user_version", "CREATE TEMP TABLE own(a)", "ANALYZE");
  CAPTURE(sql);
  CHECK(told.after(sql).empty());
}

TEST_CASE("changes: tables that are made, dropped and altered") {
  Told told;
  CHECK(told.after("CREATE TABLE fresh(a)") == Tables{"fresh"});
  CHECK(told.after("CREATE TABLE copy AS SELECT * FROM Other") == Tables{"copy"});
  CHECK(told.after("DROP TABLE parent") == Tables{"child", "parent"});
  CHECK(told.after("DROP VIEW parents") == Tables{"parents"});
  Changes changes = told.pool.changes({"keyed", "fresh"});
  told.execute("ALTER TABLE Other RENAME TO fresher");
  const auto change = told.heard(changes);
  REQUIRE(change);
  CHECK(change->perhaps);
  CHECK(change->tables == Tables{"fresh", "keyed"});
}

TEST_CASE("changes: a virtual table is told by its own name") {
  Told told;
  if (told.app.run(told.pool.query_one<int>("SELECT sqlite_compileoption_used('ENABLE_FTS5')")) == 0)
    SKIP("this SQLite has no FTS5");
  CHECK(told.after("CREATE VIRTUAL TABLE docs USING fts5(body)") == Tables{"docs"});
  CHECK(told.after("INSERT INTO docs VALUES ('a word')") == Tables{"docs"});
  CHECK(told.after("UPDATE docs SET body = 'two words'") == Tables{"docs"});
  CHECK(told.after("DELETE FROM docs") == Tables{"docs"});
  CHECK(told.after("DROP TABLE docs") == Tables{"docs"});
}

TEST_CASE("changes: by whichever verb") {
  Told told(GENERATE(false, true) ? Told::in_memory() : PoolOptions());
  const Pool& pool = told.pool;
  Changes changes = pool.changes({"Other", "keyed"});
  SECTION("execute_many") {
    const std::vector<std::tuple<int>> rows{{1}, {2}};
    told.app.run(pool.execute_many("INSERT INTO Other VALUES (?)", rows));
  }
  SECTION("execute_returning") {
    told.app.run(pool.execute_returning<int>("INSERT INTO Other VALUES (1) RETURNING a"));
  }
  SECTION("write") {
    auto write = [](Connection& db) { db.execute("INSERT INTO Other VALUES (1)"); };
    told.app.run(pool.write(write));
  }
  SECTION("a script") {
    auto write = [](Connection& db) { db.execute_script("SELECT 1; INSERT INTO Other VALUES (1); SELECT 2"); };
    told.app.run(pool.write(write));
  }
  SECTION("write_without_transaction") {
    auto write = [](Connection& db) { db.execute("INSERT INTO Other VALUES (1)"); };
    told.app.run(pool.write_without_transaction(write));
  }
  SECTION("a transaction, when it commits") {
    auto transaction = told.app.run(pool.begin());
    told.app.run(transaction.execute("INSERT INTO Other VALUES (1)"));
    CHECK(told.tables(changes).empty());
    told.app.run(std::move(transaction).commit());
  }
  SECTION("a lease") {
    auto lease = told.app.run(pool.acquire(writer));
    told.app.run(lease.execute("INSERT INTO Other VALUES (1)"));
  }
  CHECK(told.tables(changes) == Tables{"Other"});
}

TEST_CASE("changes: nothing is told of what was rolled back") {
  Told told;
  const Pool& pool = told.pool;
  Changes changes = pool.changes();
  SECTION("a closure that throws") {
    auto write = [](Connection& db) {
      db.execute("INSERT INTO Other VALUES (1)");
      throw std::runtime_error("no");
    };
    CHECK(told.app.ended(pool.write(write)).failed());
  }
  SECTION("a transaction") {
    auto transaction = told.app.run(pool.begin());
    told.app.run(transaction.execute("INSERT INTO Other VALUES (1)"));
    told.app.run(std::move(transaction).rollback());
  }
  SECTION("a transaction that is dropped") {
    auto transaction = std::optional(told.app.run(pool.begin()));
    told.app.run(transaction->execute("INSERT INTO Other VALUES (1)"));
    transaction.reset();
  }
  SECTION("one that SQLite rolls back by itself") {
    auto write = [](Connection& db) {
      db.execute("INSERT INTO Other VALUES (1)");
      db.execute("INSERT OR ROLLBACK INTO parent VALUES (1, 'a')");
    };
    CHECK(told.app.ended(pool.write(write)).failed());
  }
  SECTION("a statement that fails") {
    CHECK(told.app.ended(pool.execute("INSERT INTO parent VALUES (3, 'c'), (1, 'a')")).failed());
  }
  SECTION("a commit that is refused") {
    auto write = [](Connection& db) {
      db.execute("PRAGMA defer_foreign_keys = 1");
      db.execute("INSERT INTO child VALUES (99)");
    };
    CHECK(told.app.ended(pool.write(write)).failed());
  }
  CHECK(told.tables(changes).empty());
  told.execute("INSERT INTO keyed VALUES (5, 5)");
  CHECK(told.tables(changes) == Tables{"keyed"});
}

TEST_CASE("changes: of a savepoint that is rolled back the rest of the transaction is told") {
  Told told;
  Changes changes = told.pool.changes();
  auto write = [](Connection& db) {
    db.execute("INSERT INTO Other VALUES (1)");
    auto undone = [&] {
      auto kept = [&] { db.execute("INSERT INTO audited VALUES (1)"); };
      db.savepoint(kept);
      db.execute("INSERT INTO Other VALUES (2)");
      throw std::runtime_error("no");
    };
    CHECK_THROWS(db.savepoint(undone));
    auto kept = [&] { db.execute("INSERT INTO keyed VALUES (6, 6)"); };
    db.savepoint(kept);
  };
  told.app.run(told.pool.write(write));
  CHECK(told.tables(changes) == Tables{"Other", "keyed"});
}

TEST_CASE("changes: of operations that share a commit, what was kept is told") {
  Told told;
  const Pool& pool = told.pool;
  Changes changes = pool.changes();
  const CallOptions grouped{.group_commit = true};
  auto fails = [](Connection& db) {
    db.execute("INSERT INTO audited VALUES (1)");
    throw std::runtime_error("no");
  };
  auto uses_native = [](Connection& db) {
    db.native();
    throw std::runtime_error("no");
  };
  auto stays = [](Connection& db) { db.execute("INSERT INTO keyed VALUES (7, 7)"); };
  SECTION("when one of them fails") {
    auto first = told.app.spawn(pool.write(fails, grouped));
    auto second = told.app.spawn(pool.write(stays, grouped));
    auto third = told.app.spawn(pool.execute("INSERT INTO parent VALUES (4, 'd'), (1, 'a')"));
    auto fourth = told.app.spawn(pool.execute("INSERT INTO Other VALUES (9)"));
    told.app.settle();
    CHECK(first.failed());
    CHECK(third.failed());
    second.get();
    fourth.get();
    CHECK(told.tables(changes) == Tables{"Other", "keyed"});
  }
  SECTION("when one that fails has used native()") {
    auto first = told.app.spawn(pool.write(stays, grouped));
    auto second = told.app.spawn(pool.write(uses_native, grouped));
    told.app.settle();
    first.get();
    CHECK(second.failed());
    CHECK(told.tables(changes) == Tables{"keyed"});
  }
  SECTION("when one takes back all, and the others run again") {
    auto first = told.app.spawn(pool.write(stays, grouped));
    auto second = told.app.spawn(pool.execute("INSERT OR ROLLBACK INTO parent VALUES (4, 'd'), (1, 'a')"));
    auto third = told.app.spawn(pool.execute("INSERT INTO Other VALUES (9)"));
    told.app.settle();
    CHECK(second.failed());
    first.get();
    third.get();
    CHECK(told.tables(changes) == Tables{"Other", "keyed"});
  }
}

TEST_CASE("changes: half of a statement that its failure does not undo is told") {
  Told told;
  Changes changes = told.pool.changes();
  CHECK(told.app.ended(told.pool.execute("INSERT OR FAIL INTO parent VALUES (3, 'c'), (1, 'a')")).failed());
  CHECK(told.tables(changes) == Tables{"parent"});
}

TEST_CASE("changes: what was committed stays so when something else is rolled back after it") {
  Told told;
  Changes changes = told.pool.changes({"parent"});
  const int how = GENERATE(0, 1, 2, 3);
  CAPTURE(how);
  auto write = [&](Connection& db) {
    CHECK_THROWS(db.execute("INSERT OR FAIL INTO parent VALUES (3, 'c'), (1, 'a')"));
    if (how == 0) CHECK_THROWS(db.execute("INSERT INTO parent VALUES (1, 'a')"));
    if (how == 1) db.execute_script("BEGIN; INSERT INTO parent VALUES (7, 'g'); ROLLBACK");
    if (how == 2) CHECK_THROWS(db.savepoint([&] { db.execute("INSERT OR ROLLBACK INTO parent VALUES (1, 'a')"); }));
    if (how == 3) CHECK(db.native().tryExec("INSERT INTO parent VALUES (1, 'a')") != 0);
  };
  told.app.run(told.pool.write_without_transaction(write));
  const auto change = told.heard(changes);
  REQUIRE(change);
  CHECK(change->tables == Tables{"parent"});
}

TEST_CASE("changes: what native() has committed is told, whatever is rolled back after it") {
  Told told;
  Changes changes = told.pool.changes({"parent"});
  const int how = GENERATE(0, 1, 2, 3, 4);  // the last: nothing is
  CAPTURE(how);
  auto write = [&](Connection& db) {
    SQLite::Database& database = db.native();
    database.exec("INSERT INTO parent VALUES (7, 'g')");
    if (how == 0) CHECK(database.tryExec("INSERT INTO parent VALUES (1, 'a')") != 0);
    if (how == 1) CHECK_THROWS(db.execute("INSERT INTO parent VALUES (1, 'a')"));
    if (how == 2) database.exec("BEGIN; INSERT INTO parent VALUES (8, 'h'); ROLLBACK");
    if (how == 3) database.exec("BEGIN; INSERT INTO parent VALUES (8, 'h')");  // left open, and rolled back
  };
  told.app.run(told.pool.write_without_transaction(write));
  CHECK(told.app.run(told.pool.query_one<int>("SELECT count(*) FROM parent")) == 3);
  const auto change = told.heard(changes);
  REQUIRE(change);
  CHECK(change->perhaps);
}

TEST_CASE("changes: what native() writes after the savepoint that it was taken in was undone is told") {
  Told told;
  Changes changes = told.pool.changes({"Other"});
  const bool more = GENERATE(false, true);
  auto write = [&](Connection& db) {
    SQLite::Database* database = nullptr;
    auto undone = [&] {
      database = &db.native();
      throw std::runtime_error("no");
    };
    CHECK_THROWS(db.savepoint(undone));
    database->exec("INSERT INTO Other VALUES (7)");
    if (more) db.execute("INSERT INTO keyed VALUES (7, 7)");
  };
  SECTION("in a transaction") {
    told.app.run(told.pool.write(write));
  }
  SECTION("outside") {
    told.app.run(told.pool.write_without_transaction(write));
  }
  const auto change = told.heard(changes);
  REQUIRE(change);
  CHECK(change->perhaps);
}

TEST_CASE("changes: DDL that was run before names what it finds now") {
  Told told;
  Changes changes = told.pool.changes();
  const auto told_of = [&](const char* sql) {
    told.execute(sql);
    return told.tables(changes);
  };
  SECTION("nothing at first") {
    CHECK(told_of("DROP TABLE IF EXISTS late").empty());
    CHECK(told_of("CREATE TABLE late(a)") == Tables{"late"});
    CHECK(told_of("DROP TABLE IF EXISTS late") == Tables{"late"});
    CHECK(told_of("DROP VIEW IF EXISTS later").empty());
    CHECK(told_of("CREATE VIEW later AS SELECT 1") == Tables{"later"});
    CHECK(told_of(" -- again\n/**/ drop VIEW IF EXISTS later") == Tables{"later"});
  }
  SECTION("a table that has got children") {
    CHECK(told_of("CREATE TABLE kept(id INTEGER PRIMARY KEY)") == Tables{"kept"});
    CHECK(told_of("DROP TABLE kept") == Tables{"kept"});
    auto make = [](Connection& db) {
      db.execute_script(
          "CREATE TABLE kept(id INTEGER PRIMARY KEY); CREATE TABLE goes(p REFERENCES kept ON DELETE CASCADE);"
          "INSERT INTO kept VALUES (1); INSERT INTO goes VALUES (1)");
    };
    told.app.run(told.pool.write(make));
    CHECK(told.tables(changes) == Tables{"goes", "kept"});
    CHECK(told_of("DROP TABLE kept") == Tables{"goes", "kept"});
  }
  SECTION("a virtual table that was there at first") {
    const char* const create = "CREATE VIRTUAL TABLE IF NOT EXISTS docs USING fts5(body)";
    CHECK(told_of("CREATE VIRTUAL TABLE docs USING fts5(body)") == Tables{"docs"});
    CHECK(told_of(create).empty());
    CHECK(told_of("DROP TABLE docs") == Tables{"docs"});
    CHECK(told_of(create) == Tables{"docs"});
  }
  SECTION("a table that another process has made") {
    CHECK(told_of("DROP TABLE IF EXISTS late").empty());
    const PlainDatabase another(told.pool.path());
    another.execute("CREATE TABLE late(a)");
    told.second();
    CHECK(told.heard(changes));
    told.execute("DROP TABLE IF EXISTS late");
    CHECK(told.heard(changes));
  }
}

TEST_CASE("changes: who comes during a transaction is told that it has perhaps changed something") {
  Told told;
  auto transaction = told.app.run(told.pool.begin());
  told.app.run(transaction.execute("INSERT INTO Other VALUES (1)"));
  Changes changes = told.pool.changes({"keyed", "Other"});
  told.app.run(transaction.execute("INSERT INTO keyed VALUES (8, 8)"));
  told.app.run(std::move(transaction).commit());
  const auto change = told.heard(changes);
  REQUIRE(change);
  CHECK(change->perhaps);
  CHECK(change->tables == Tables{"Other", "keyed"});
  told.execute("INSERT INTO Other VALUES (1)");
  CHECK(told.tables(changes) == Tables{"Other"});
}

TEST_CASE("changes: statements that were compiled before anybody listened are told, and after the schema has changed") {
  Told told;
  const char* const sql = "INSERT INTO Other VALUES (1)";
  told.execute(sql);
  CHECK(told.after(sql) == Tables{"Other"});
  const PlainDatabase another(told.pool.path());
  another.execute("CREATE TRIGGER more AFTER INSERT ON Other BEGIN INSERT INTO audit VALUES (1); END");
  Changes changes = told.pool.changes({"audit"});
  told.execute(sql);
  const auto change = told.heard(changes);
  REQUIRE(change);
  CHECK(change->tables == Tables{"audit"});
}

TEST_CASE("changes: what native() has written is perhaps any table, unless it was rolled back") {
  Told told;
  Changes changes = told.pool.changes({"Other", "keyed"});
  const bool fails = GENERATE(false, true);
  auto write = [&](Connection& db) {
    db.native().exec("INSERT INTO Other VALUES (1)");
    if (fails) throw std::runtime_error("no");
  };
  told.app.ended(told.pool.write(write));
  const auto change = told.heard(changes);
  CHECK(change.has_value() != fails);
  if (change) CHECK((change->perhaps && change->tables == Tables{"Other", "keyed"}));
  told.second();
  CHECK_FALSE(told.heard(changes));
}

TEST_CASE("changes: what native() writes after other statements is told, too") {
  Told told;
  Changes changes = told.pool.changes({"Other"});
  auto write = [](Connection& db) {
    SQLite::Database& database = db.native();
    db.query_one<int>("SELECT count(*) FROM Other");
    database.exec("INSERT INTO Other VALUES (10)");
  };
  told.app.run(told.pool.write_without_transaction(write));
  std::optional<Change> last;
  while (auto change = told.heard(changes)) last = change;
  REQUIRE(last);
  CHECK(last->perhaps);
  const auto before = told.app.run(told.pool.query_one<int>("SELECT count(*) FROM Other"));
  CHECK(before == 2);
}

TEST_CASE("changes: what came before the end is told before it") {
  Told told;
  Changes changes = told.pool.changes({"Other"});
  told.execute("INSERT INTO Other VALUES (10)");
  told.app.run(told.app.state->shutdown());
  CHECK(told.tables(changes) == Tables{"Other"});
  CHECK_FALSE(told.app.run(changes.next()).has_value());
}

TEST_CASE("changes: a commit of another process is perhaps any table, within a second") {
  Told told;
  Changes changes = told.pool.changes({"Other"});
  Changes all = told.pool.changes();
  told.second();
  told.execute("INSERT INTO keyed VALUES (9, 9)");
  told.second();
  CHECK_FALSE(told.heard(changes));
  CHECK(told.tables(all) == Tables{"keyed"});
  const PlainDatabase another(told.pool.path());
  another.execute("INSERT INTO keyed VALUES (10, 10)");
  told.second();
  auto change = told.heard(changes);
  REQUIRE(change);
  CHECK(change->perhaps);
  CHECK(change->tables == Tables{"Other"});
  change = told.heard(all);
  REQUIRE(change);
  CHECK(change->perhaps);
  CHECK(change->tables.empty());
  told.second();
  CHECK_FALSE(told.heard(changes));
}

TEST_CASE("changes: a commit of another process is told also where ours came after it") {
  Told told;
  Changes changes = told.pool.changes({"Other"});
  const PlainDatabase another(told.pool.path());
  another.execute("INSERT INTO Other VALUES (10)");
  told.execute("INSERT INTO keyed VALUES (11, 11)");
  const auto change = told.heard(changes);
  REQUIRE(change);
  CHECK(change->perhaps);
}

TEST_CASE("changes: a database that is listened to stays awake, and is woken for it") {
  PoolOptions options;
  options.idle_close = 60s;
  Told told(options);
  const auto state = [&] { return told.app.state->db_instances.stats().at(0).state; };
  for (int i = 0; i < 130; ++i) told.second();
  REQUIRE(state() == database_state::asleep);
  std::optional<Changes> changes(told.pool.changes({"Other"}));
  for (int i = 0; i < 130; ++i) told.second();
  CHECK(state() == database_state::ready);
  while (told.heard(*changes)) {
  }
  const PlainDatabase another(told.pool.path());
  another.execute("INSERT INTO Other VALUES (10)");
  told.second();
  CHECK(told.heard(*changes));
  changes.reset();
  for (int i = 0; i < 130; ++i) told.second();
  CHECK(state() == database_state::asleep);
}

TEST_CASE("changes: cancelled by any type, and nothing is lost by it") {
  Told told;
  Changes changes = told.pool.changes({"Other"});
  const auto type =
      GENERATE(asio::cancellation_type::total, asio::cancellation_type::partial, asio::cancellation_type::terminal);
  auto next = told.app.spawn(changes.next());
  auto another = told.app.spawn(changes.next());
  told.app.settle();
  CHECK(another.code() == errc::operation_in_progress);
  next.cancel(type);
  told.app.settle();
  CHECK(next.code() == boost::system::errc::operation_canceled);
  told.execute("INSERT INTO Other VALUES (1)");
  CHECK(told.tables(changes) == Tables{"Other"});
  auto late = told.app.spawn(changes.next());
  told.app.settle();
  auto write = told.app.start(told.pool.execute("INSERT INTO Other VALUES (2)"));
  while (told.app.step_io()) {
  }
  while (told.app.step_db()) {
  }
  late.cancel(type);  // it is on its way
  told.app.settle();
  CHECK(late.code() == boost::system::errc::operation_canceled);
  CHECK(told.tables(changes) == Tables{"Other"});
}

TEST_CASE("changes: what one did not take who was cancelled comes to who waits by then") {
  Told told;
  Changes changes = told.pool.changes({"Other"});
  auto first = told.app.spawn(changes.next());
  auto write = told.app.spawn(told.pool.execute("UPDATE Other SET a = 2"));
  auto second = told.app.start(changes.next());
  while (told.app.step_db()) {  // it commits: the answer of the first comes behind the start of the second
  }
  REQUIRE(told.app.step_io());
  REQUIRE_FALSE(first.done());
  first.cancel();
  told.app.settle();
  CHECK(first.code() == boost::system::errc::operation_canceled);
  REQUIRE(second.done());
  CHECK(second.get()->tables == Tables{"Other"});
}

TEST_CASE("changes: the end of the object ends who waits, and so do a shutdown and a pool that is closed") {
  Told told;
  std::optional<Changes> changes(told.pool.changes({"Other"}));
  Changes others = told.pool.changes();
  auto next = told.app.spawn(changes->next());
  auto other = told.app.spawn(others.next());
  told.app.settle();
  changes.reset();
  told.app.settle();
  CHECK_FALSE(next.get().has_value());
  CHECK_FALSE(other.done());
  told.app.run(told.app.state->shutdown());
  told.app.settle();
  CHECK_FALSE(other.get().has_value());
  CHECK_FALSE(told.app.run(others.next()).has_value());
  Changes late = told.pool.changes();
  CHECK_FALSE(told.app.run(late.next()).has_value());
}

TEST_CASE("changes: a handle that was moved from, or was empty") {
  Told told;
  Changes changes = told.pool.changes();
  Changes moved = std::move(changes);
  CHECK(told.app.code(changes.next()) == errc::invalid_handle);
  changes = std::move(moved);
  told.execute("INSERT INTO Other VALUES (1)");
  CHECK(told.tables(changes) == Tables{"Other"});
  CHECK_THROWS_AS(Pool().changes(), Error);
}

}  // namespace
}  // namespace statehouse::test
