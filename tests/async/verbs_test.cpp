// What each verb does, and which errors it reports, one operation at a time.

#include <sqlite3.h>
#include <SQLiteCpp/Statement.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

// What a reader's connection and lease do not have, nobody can call by mistake.
template <class T>
concept Executes = requires(T& object) {
  object.execute("DELETE FROM t");
};
template <class T>
concept ExecutesReturning = requires(T& object) {
  object.template execute_returning<int>("DELETE FROM t RETURNING a");
};
template <class T>
concept ExecutesScripts = requires(T& object) {
  object.execute_script("DELETE FROM t");
};
template <class T>
concept Writes = requires(T& object, void (*work)(Connection&)) {
  object.write(work);
};
template <class T>
concept HasSavepoints = requires(T& object, void (*work)()) {
  object.savepoint(work);
};

static_assert(!Executes<Reader> && !ExecutesReturning<Reader> && !ExecutesScripts<Reader> && !HasSavepoints<Reader>);
static_assert(!Executes<ReaderLease> && !ExecutesReturning<ReaderLease> && !Writes<ReaderLease>);
static_assert(Executes<Connection> && ExecutesReturning<Connection> && ExecutesScripts<Connection>);
static_assert(Executes<WriterLease> && ExecutesReturning<WriterLease> && Writes<WriterLease>);
static_assert(!std::is_convertible_v<ReaderLease, WriterLease> && !std::is_copy_constructible_v<ReaderLease>);
static_assert(!std::is_copy_constructible_v<Transaction> && std::is_nothrow_move_constructible_v<Transaction>);
// A closure that wants to write cannot be given to `read`.
template <class F>
concept Readable = requires(const Pool& pool, F& closure) {
  pool.read(closure);
};
static_assert(Readable<int (*)(Reader&)> && !Readable<int (*)(Connection&)>);
// Only an rvalue can be finished: std::move says so at the call.
template <class T>
concept Finishes = requires(T&& transaction) {
  std::forward<T>(transaction).commit();
  std::forward<T>(transaction).rollback();
};
static_assert(Finishes<Transaction> && !Finishes<Transaction&>);

struct Person {
  std::int64_t id;
  std::string name;
  std::optional<double> weight;
};

/// A pool with a table `t(a INTEGER PRIMARY KEY, b UNIQUE, c)`.
struct Verbs {
  SqlHook hook;
  SteppedApp app{hook.in()};
  Pool pool = app.open();

  Verbs() { app.run(pool.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE, c)")); }
};

TEST_CASE_METHOD(Verbs, "execute: reports changed rows and the last rowid") {
  CHECK(app.run(pool.execute("INSERT INTO t VALUES (?, ?, ?)", 7, "seven", nullptr)).last_insert_rowid == 7);
  CHECK(app.run(pool.execute("INSERT INTO t(b) VALUES ('x'), ('y')")).changes == 2);
  CHECK(app.run(pool.execute("UPDATE t SET c = ? WHERE a > ?", 1.5, 100)).changes == 0);
  CHECK(app.run(pool.execute("CREATE TABLE other(a)")).changes == 0);
}

TEST_CASE_METHOD(Verbs, "execute_returning: gives the rows, and the statement has run to its end") {
  const auto ids =
      app.run(pool.execute_returning<std::int64_t>("INSERT INTO t(b) VALUES ('p'), ('q'), ('r') RETURNING a"));
  CHECK(ids == std::vector<std::int64_t>{1, 2, 3});
  CHECK(count(app, pool) == 3);
}

TEST_CASE_METHOD(Verbs, "execute_returning: when a row cannot be read, nothing of the statement is kept") {
  auto task = app.spawn(pool.execute_returning<int>("INSERT INTO t(b) VALUES ('p'), ('q') RETURNING c"));
  app.settle();
  CHECK(task.code() == errc::unexpected_null);
  CHECK(count(app, pool) == 0);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Verbs, "query verbs: all, at most one, exactly one row, into scalars, tuples and aggregates") {
  app.run(pool.execute("INSERT INTO t VALUES (1, 'Ada', 55.5), (2, 'Bob', NULL)"));
  const auto people = app.run(pool.query_all<Person>("SELECT a, b, c FROM t ORDER BY a"));
  REQUIRE(people.size() == 2);
  CHECK(people[0].name == "Ada");
  CHECK(people[0].weight == 55.5);
  CHECK(!people[1].weight.has_value());
  CHECK(app.run(pool.query_optional<std::string>("SELECT b FROM t WHERE a = ?", 2)) == "Bob");
  CHECK(app.run(pool.query_optional<std::string>("SELECT b FROM t WHERE a = ?", 3)) == std::nullopt);
  CHECK(app.run(pool.query_one<std::tuple<int, std::string>>("SELECT a, b FROM t WHERE a = 1")) ==
        std::tuple(1, std::string("Ada")));
}

TEST_CASE_METHOD(Verbs, "query verbs: a wrong number of rows, columns, parameters or a wrong type has its own error") {
  app.run(pool.execute("INSERT INTO t VALUES (1, 'Ada', 1), (2, 'Bob', NULL)"));
  const auto fails = [&](auto operation) { return app.spawn(std::move(operation)); };
  const auto code = [&](auto operation) {
    auto task = fails(std::move(operation));
    app.settle();
    return task.code();
  };
  CHECK(code(pool.query_one<int>("SELECT a FROM t WHERE a = 9")) == errc::no_row);
  CHECK(code(pool.query_one<int>("SELECT a FROM t")) == errc::too_many_rows);
  CHECK(code(pool.query_optional<int>("SELECT a FROM t")) == errc::too_many_rows);
  CHECK(code(pool.query_all<int>("SELECT a, b FROM t")) == errc::column_count);
  CHECK(code(pool.query_all<int>("SELECT b FROM t")) == errc::column_type);
  CHECK(code(pool.query_all<int>("SELECT c FROM t")) == errc::unexpected_null);
  CHECK(code(pool.query_all<std::int8_t>("SELECT 1000")) == errc::value_out_of_range);
  CHECK(code(pool.query_all<int>("SELECT ?", 1, 2)) == errc::parameter_count);
  CHECK(code(pool.execute("DELETE FROM t WHERE a = ?")) == errc::parameter_count);
  CHECK(code(pool.execute("SELECT 1; SELECT 2")) == errc::not_one_statement);
  CHECK(code(pool.execute("  -- nothing")) == errc::not_one_statement);
  CHECK(code(pool.execute("SELEC 1")) == make_sqlite_error(SQLITE_ERROR));
  CHECK(code(pool.execute("INSERT INTO t(b) VALUES ('Ada')")) == condition::unique);
  CHECK(code(pool.query_all<int>("SELECT a FROM missing")) == make_sqlite_error(SQLITE_ERROR));
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Verbs, "readers: whatever writes is refused before it runs, and named") {
  app.run(pool.execute("INSERT INTO t(b) VALUES ('x')"));
  for (const char* sql : {"DELETE FROM t RETURNING a", "INSERT INTO t(b) VALUES ('y') RETURNING a",
                          "CREATE TEMP TABLE mine(a)", "PRAGMA user_version = 5"}) {
    auto task = app.spawn(pool.query_all<int>(sql));
    app.settle();
    CHECK(task.code() == errc::write_on_reader);
    CHECK(contains(task.text(), "execute"));
    const auto in_closure = [&](Reader& db) { return db.query_all<int>(sql); };
    auto closure = app.spawn(pool.read(in_closure));
    app.settle();
    CHECK(closure.code() == errc::write_on_reader);
  }
  const auto checkpoint = [](Reader& db) { return db.query_all<std::tuple<int, int, int>>("PRAGMA wal_checkpoint"); };
  auto task = app.spawn(pool.read(checkpoint));
  app.settle();
  CHECK(task.code() == errc::statement_refused);
  CHECK(count(app, pool) == 1);
}

TEST_CASE_METHOD(Verbs, "statement verbs: transaction control, ATTACH and settings are refused on every lane") {
  for (const char* sql : {"BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", "SAVEPOINT x", "RELEASE x", "ROLLBACK TO x",
                          "ATTACH ':memory:' AS other", "DETACH other", "PRAGMA foreign_keys = OFF",
                          "PRAGMA journal_mode = DELETE", "PRAGMA wal_checkpoint"}) {
    CAPTURE(sql);
    auto execute = app.spawn(pool.execute(sql));
    auto query = app.spawn(pool.query_all<int>(sql));
    auto write = app.spawn(pool.write([&](Connection& db) { db.execute(sql); }));
    app.settle();
    CHECK(execute.code() == errc::statement_refused);
    CHECK(query.code() == errc::statement_refused);
    CHECK(write.code() == errc::statement_refused);
  }
  auto vacuum = app.spawn(pool.execute("VACUUM"));
  app.settle();
  CHECK(vacuum.code() == errc::statement_refused);
  CHECK(contains(vacuum.text(), "write_without_transaction"));
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Verbs, "read: all statements of a closure see one snapshot, whatever is committed meanwhile") {
  //   reader                          writer
  //   BEGIN, count = 0
  //                                   INSERT, committed, its caller knows
  //   count = 0
  //   done; a new read: count = 1
  std::optional<Task<ExecuteResult>> insert;
  const auto twice = [&](Reader& db) {
    const int before = db.query_one<int>("SELECT count(*) FROM t");
    app.step_db();
    app.step_io();
    return std::tuple(before, insert->done(), db.query_one<int>("SELECT count(*) FROM t"));
  };
  auto read = app.spawn(pool.read(twice));
  insert = app.spawn(pool.execute("INSERT INTO t(b) VALUES ('x')"));
  CHECK(app.finish(read) == std::tuple(0, true, 0));
  CHECK(count(app, pool) == 1);
}

TEST_CASE_METHOD(Verbs, "read: quick_check fits into the snapshot of a closure and leaves the reader as it was") {
  app.run(pool.execute("CREATE TABLE checked(x CHECK(x > 0))"));
  const auto look = [](Reader& db) {
    const int before = db.query_one<int>("PRAGMA ignore_check_constraints");
    const QuickCheck check = quick_check(db);
    return std::tuple(before, check.findings.size(), check.finished,
                      db.query_one<int>("PRAGMA ignore_check_constraints"));
  };
  for (std::size_t i = 0; i <= pool.stats().readers.max_connections; ++i)
    CHECK(app.run(pool.read(look)) == std::tuple(0, std::size_t(0), true, 0));
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Verbs, "write: commits when the closure returns, whatever it returns") {
  const auto nothing = [](Connection& db) { db.execute("INSERT INTO t(b) VALUES ('a')"); };
  app.run(pool.write(nothing));
  const auto number = [](Connection& db) {
    db.execute("INSERT INTO t(b) VALUES ('b')");
    return db.query_one<int>("SELECT count(*) FROM t");
  };
  CHECK(app.run(pool.write(number)) == 2);
  const auto move_only = [](Connection&) { return std::make_unique<int>(3); };
  CHECK(*app.run(pool.write(move_only)) == 3);
  CHECK(count(app, pool) == 2);
  CHECK(app.run(pool.write([](Connection& db) { return in_autocommit(db); })) == false);
  check_all_clean(app, pool);
}

struct NotStd {
  int value;
};

TEST_CASE_METHOD(Verbs, "write: any exception rolls back and arrives as it was thrown; the connection works on") {
  const auto insert_and = [&](auto thrown) {
    auto closure = [thrown](Connection& db) {
      db.execute("INSERT INTO t(b) VALUES ('x')");
      throw thrown;
    };
    auto task = app.spawn(pool.write(closure));
    app.settle();
    REQUIRE(task.completions() == 1);
    CHECK(count(app, pool) == 0);
    return task;
  };
  CHECK_THROWS_AS(insert_and(std::out_of_range("mine")).get(), std::out_of_range);
  CHECK_THROWS_AS(insert_and(42).get(), int);
  CHECK_THROWS_AS(insert_and(NotStd{7}).get(), NotStd);
  CHECK(pool.stats().writer.failed == 3);
  CHECK(pool.stats().last_error.empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Verbs, "read: any exception arrives as it was thrown; the connection works on") {
  const auto throws_int = [](Reader&) -> int { throw 42; };
  auto task = app.spawn(pool.read(throws_int));
  app.settle();
  CHECK_THROWS_AS(task.get(), int);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Verbs, "write: the first error wins over what happens while it is undone") {
  // The unique violation rolls the whole transaction back, so that the ROLLBACK that follows has nothing to do.
  const auto closure = [](Connection& db) {
    db.execute("INSERT INTO t VALUES (1, 'x', 0)");
    db.execute("INSERT OR ROLLBACK INTO t VALUES (2, 'x', 0)");
  };
  auto task = app.spawn(pool.write(closure));
  app.settle();
  CHECK(task.code() == condition::unique);
  CHECK(count(app, pool) == 0);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Verbs, "write: a closure that ignores that SQLite rolled back keeps nothing and hears of it") {
  const auto closure = [](Connection& db) {
    db.execute("INSERT INTO t VALUES (1, 'x', 0)");
    try {
      db.execute("INSERT OR ROLLBACK INTO t VALUES (2, 'x', 0)");
    } catch (const Error&) {
    }
    db.execute("INSERT INTO t VALUES (3, 'after', 0)");
  };
  auto task = app.spawn(pool.write(closure));
  app.settle();
  CHECK(task.code() == errc::transaction_rolled_back);
  CHECK(count(app, pool) == 0);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Verbs, "write: a COMMIT that fails rolls back and reports why") {
  app.run(pool.execute("CREATE TABLE child(a REFERENCES t(a) DEFERRABLE INITIALLY DEFERRED)"));
  auto task = app.spawn(pool.write([](Connection& db) { db.execute("INSERT INTO child VALUES (99)"); }));
  app.settle();
  CHECK(task.code() == condition::constraint);
  CHECK(count(app, pool, "child") == 0);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Verbs, "write_without_transaction: VACUUM works, and each statement commits by itself") {
  app.run(pool.write_without_transaction([](Connection& db) {
    db.execute("INSERT INTO t(b) VALUES ('x')");
    db.execute("VACUUM");
  }));
  CHECK(count(app, pool) == 1);
}

TEST_CASE_METHOD(Verbs,
                 "write_without_transaction: settings and attachments do not outlast it, whichever way it ends") {
  enum class end { returns, throws, leaves_a_transaction_open };
  for (const end how : {end::returns, end::throws, end::leaves_a_transaction_open}) {
    CAPTURE(static_cast<int>(how));
    const auto closure = [&](Connection& db) {
      db.execute("PRAGMA foreign_keys = OFF");
      db.execute("PRAGMA synchronous = OFF");
      db.execute("ATTACH ':memory:' AS \"quo\"\"ted\"");
      if (how == end::throws) throw std::runtime_error("mine");
      if (how == end::leaves_a_transaction_open) {
        db.execute("BEGIN");
        db.execute("INSERT INTO t(b) VALUES ('lost')");
      }
    };
    auto task = app.spawn(pool.write_without_transaction(closure));
    app.settle();
    REQUIRE(task.completions() == 1);
    CHECK(task.failed() == (how == end::throws));
    const auto settings = [](Connection& db) {
      return std::tuple(db.query_one<int>("PRAGMA foreign_keys"), db.query_one<int>("PRAGMA synchronous"),
                        db.query_all<std::string>("SELECT name FROM pragma_database_list").size());
    };
    CHECK(app.run(pool.write(settings)) == std::tuple(1, 1, std::size_t(1)));
    CHECK(count(app, pool) == 0);
    check_all_clean(app, pool);
  }
}

TEST_CASE_METHOD(Verbs, "write_without_transaction: what the pool rests on cannot be changed") {
  for (const char* sql : {"PRAGMA journal_mode = DELETE", "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA query_only = ON",
                          "PRAGMA wal_autocheckpoint = 0", "PRAGMA writable_schema = ON"}) {
    auto task = app.spawn(pool.write_without_transaction([&](Connection& db) { db.execute(sql); }));
    app.settle();
    CHECK(task.code() == errc::statement_refused);
  }
}

TEST_CASE_METHOD(Verbs,
                 "native: a closure that leaves a transaction open or a statement busy does not hurt the next user") {
  const auto messy = [](Connection& db) {
    sqlite3_stmt* left = nullptr;
    sqlite3* const handle = db.native().getHandle();
    if (sqlite3_exec(handle, "INSERT INTO t(b) VALUES ('in the transaction')", nullptr, nullptr, nullptr) != SQLITE_OK)
      throw std::logic_error("INSERT");
    sqlite3_prepare_v2(handle, "SELECT a FROM t UNION ALL SELECT 2", -1, &left, nullptr);
    if (sqlite3_step(left) != SQLITE_ROW) throw std::logic_error("step");
  };
  app.run(pool.write(messy));
  app.settle();
  CHECK(app.log.count("a statement was still alive at close", spdlog::level::warn) == 1);  // it is gone
  CHECK(count(app, pool) == 1);
  check_all_clean(app, pool);

  const auto leaves_begin = [](Connection& db) {
    db.execute("BEGIN");
    db.execute("INSERT INTO t(b) VALUES ('lost')");
  };
  app.run(pool.write_without_transaction(leaves_begin));
  CHECK(count(app, pool) == 1);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Verbs,
                 "native: a statement that a closure never finalises does not keep shutdown from closing the file") {
  app.run(pool.read([](Reader& db) {
    sqlite3_stmt* leaked = nullptr;
    sqlite3_prepare_v2(db.native().getHandle(), "SELECT 'leaked'", -1, &leaked, nullptr);
    sqlite3_step(leaked);
  }));
  const auto path = pool.path();
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(app.log.count("a statement was still alive at close", spdlog::level::warn) == 1);
  CHECK(!std::filesystem::exists(path.string() + "-wal"));
}

TEST_CASE_METHOD(Verbs, "arguments: text, views and temporaries may die right after the call expression") {
  std::optional<asio::awaitable<ExecuteResult>> later;
  {
    std::string sql = "INSERT INTO t(a, b, c) VALUES (?, ?, ?)";
    std::string text = "a text that is longer than the small string optimisation";
    std::vector<std::byte> bytes(100, std::byte{0x5a});
    later.emplace(pool.execute(std::string_view(sql), 1, std::string_view(text), std::span<const std::byte>(bytes)));
    sql.assign(sql.size(), '#');
    text.assign(text.size(), '#');
    bytes.assign(bytes.size(), std::byte{0});
  }
  app.run(std::move(*later));
  const auto row = app.run(pool.query_one<std::tuple<std::string, std::vector<std::byte>>>("SELECT b, c FROM t"));
  CHECK(std::get<0>(row) == "a text that is longer than the small string optimisation");
  CHECK(std::get<1>(row) == std::vector<std::byte>(100, std::byte{0x5a}));
}

TEST_CASE_METHOD(Verbs, "errors and logs: bound values never appear, SQL text is cut") {
  const std::string canary = "canary-7c1f";
  const std::string long_sql = "INSERT INTO t(b, c) VALUES (?, ?) /* " + std::string(500, '-') + " */";
  app.run(pool.execute(std::string_view(long_sql), canary, 1));
  std::vector<std::string> texts;
  const auto note = [&](auto operation) {
    auto task = app.spawn(std::move(operation));
    app.settle();
    REQUIRE(task.failed());
    texts.push_back(task.text());
  };
  note(pool.execute(std::string_view(long_sql), canary, 2));
  note(pool.query_all<int>("SELECT b FROM t WHERE b = ?", canary));
  note(pool.query_one<int>("SELECT a FROM t WHERE b = ?", canary + "x"));
  note(pool.execute("INSERT INTO missing VALUES (?)", canary));
  note(pool.query_all<int>("DELETE FROM t WHERE b = ? RETURNING a", canary));
  hook.call = [&](int) { app.clock->advance(std::chrono::seconds(2)); };
  app.run(pool.query_all<int>("SELECT hook() WHERE ? <> ''", canary));
  CHECK(app.log.count("SELECT hook()", spdlog::level::warn) == 1);
  for (const std::string& text : texts) {
    CHECK(!contains(text, canary));
    CHECK(text.size() < 400);
  }
  CHECK(app.log.count(canary) == 0);
}

TEST_CASE_METHOD(Verbs, "blobs: a large one is written and read in pieces through the handle of SQLite") {
  constexpr int piece = 1 << 20;
  constexpr int pieces = 10;
  struct Stream {
    Stream(SQLite::Database& db, std::int64_t row, bool writes) {
      REQUIRE(sqlite3_blob_open(db.getHandle(), "main", "t", "c", row, writes ? 1 : 0, &blob) == SQLITE_OK);
    }
    ~Stream() { sqlite3_blob_close(blob); }
    sqlite3_blob* blob = nullptr;
  };
  app.run(pool.write([](Connection& db) {
    const std::int64_t id = db.execute("INSERT INTO t(c) VALUES (zeroblob(?))", pieces * piece).last_insert_rowid;
    const Stream out(db.native(), id, true);
    for (int i = 0; i < pieces; ++i) {
      const std::vector<char> bytes(piece, static_cast<char>('a' + i));
      REQUIRE(sqlite3_blob_write(out.blob, bytes.data(), piece, i * piece) == SQLITE_OK);
    }
  }));
  const int equal = app.run(pool.read([](Reader& db) {
    // Unlike a statement, sqlite3_blob_open does not see that the schema has changed.
    const auto row = db.query_one<std::int64_t>("SELECT a FROM t");
    const Stream in(db.native(), row, false);
    REQUIRE(sqlite3_blob_bytes(in.blob) == pieces * piece);
    std::vector<char> bytes(piece);
    int found = 0;
    for (int i = 0; i < pieces; ++i) {
      REQUIRE(sqlite3_blob_read(in.blob, bytes.data(), piece, i * piece) == SQLITE_OK);
      if (std::ranges::all_of(bytes, [i](char byte) { return byte == 'a' + i; })) ++found;
    }
    return found;
  }));
  CHECK(equal == pieces);
  check_all_clean(app, pool);
}

}  // namespace
}  // namespace statehouse::test
