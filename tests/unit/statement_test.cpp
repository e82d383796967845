#include <sqlite3.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "error_of.hpp"
#include "open_session.hpp"
#include "plain_database.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using namespace std::string_literals;
using test::code_of;
using test::contains;
using test::error_of;
using test::prepared_statements;
using test::session;

TEST_CASE("one statement: semicolons, blanks and comments around it do no harm") {
  Connection db(":memory:");
  for (const std::string sql :
       {"SELECT 1", "SELECT 1;", "  SELECT 1 ; ", "SELECT 1;;;", "; SELECT 1", ";;\n;SELECT 1", "SELECT 1 -- comment",
        "SELECT 1; -- comment", "SELECT 1; /* comment */", "-- comment\nSELECT 1",
        "/* a */ SELECT /* b */ 1 /* c */; /* d */ -- e", "SELECT 1;\n\n", "SELECT 1 /* not closed",
        "SELECT 1; /* not closed", "SELECT 1; -- a; b; SELECT 2"}) {
    CAPTURE(sql);
    CHECK(db.query_one<int>(sql) == 1);
    CHECK(db.query_one<int>(sql) == 1);  // and again, from the cache
  }
  CHECK(db.query_one<std::string>("SELECT '; SELECT 2'") == "; SELECT 2");
}

TEST_CASE("one statement: a text that holds none is refused") {
  Connection db(":memory:");
  for (const std::string& sql : {""s, " "s, "\n"s, ";"s, ";;"s, "-- comment"s, "/* comment */"s, "/* not closed"s,
                                 "-- a\n;/* b */"s, "\0"s, "\0SELECT 1"s}) {
    CAPTURE(sql);
    CHECK(code_of([&] { db.execute(sql); }) == errc::not_one_statement);
    CHECK(code_of([&] { db.query_all<int>(sql); }) == errc::not_one_statement);
  }
}

TEST_CASE("one statement: a text that holds more is refused, and none of it runs") {
  Connection db(":memory:");
  db.execute("CREATE TABLE t(a)");
  for (const std::string& sql :
       {"INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"s, "INSERT INTO t VALUES (1); SELECT 1"s,
        "INSERT INTO t VALUES (1); garbage"s, "INSERT INTO t VALUES (1);; -- c\n SELECT 1"s,
        "INSERT INTO t VALUES (1); COMMIT"s, "INSERT INTO t VALUES (1); SELECT nothing"s}) {
    CAPTURE(sql);
    const Error error = error_of([&] { db.execute(sql); });
    CHECK(error.code() == errc::not_one_statement);
    CHECK(contains(error.what(), "execute_script"));
  }
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 0);
}

TEST_CASE("one statement: what follows a NUL byte is not ignored") {
  Connection db(":memory:");
  db.execute("CREATE TABLE t(a)");
  for (const std::string& sql :
       {"INSERT INTO t VALUES (1)\0"s, "INSERT INTO t VALUES (1);\0"s, "INSERT INTO t VALUES (1);\0DROP TABLE t"s,
        "INSERT INTO t VALUES (1)\0, (2)"s, "INSERT INTO t VALUES ('a\0b')"s}) {
    const Error error = error_of([&] { db.execute(sql); });
    CHECK(error.code() == errc::not_one_statement);
    CHECK(contains(error.what(), "NUL"));
  }
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 0);
}

TEST_CASE("one statement: only the given part of a longer text is read") {
  Connection db(":memory:");
  constexpr std::string_view text = "SELECT 12345";
  CHECK(db.query_one<int>(text.substr(0, 8)) == 1);
  CHECK(db.query_one<int>(text.substr(0, 9)) == 12);
}

TEST_CASE("execute: reports the rows of this statement, not of an earlier one or of a trigger") {
  Connection db(":memory:");
  CHECK(db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)").changes == 0);
  const ExecuteResult inserted = db.execute("INSERT INTO t(a) VALUES (1), (2), (3)");
  CHECK(inserted.changes == 3);
  CHECK(inserted.last_insert_rowid == 3);
  CHECK(db.execute("UPDATE t SET a = 0 WHERE id > 1").changes == 2);
  CHECK(db.execute("CREATE TABLE other(a)").changes == 0);
  CHECK(db.execute("SELECT * FROM t").changes == 0);
  CHECK(db.execute("UPDATE t SET a = 0 WHERE 0").changes == 0);
  CHECK(db.execute("DELETE FROM t").changes == 3);
  CHECK(db.execute("DELETE FROM t").changes == 0);
  CHECK(db.execute("INSERT INTO t(id, a) VALUES (9000000000, 1)").last_insert_rowid == 9'000'000'000);

  db.execute("CREATE TABLE log(a)");
  db.execute("CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (1), (2); END");
  CHECK(db.execute("INSERT INTO t(a) VALUES (1)").changes == 1);
  CHECK(db.query_one<int>("SELECT count(*) FROM log") == 2);
}

TEST_CASE("execute: rows that the statement gives are ignored, and it runs to its end") {
  Connection db(":memory:");
  db.execute("CREATE TABLE t(a)");
  CHECK(db.execute("INSERT INTO t VALUES (1), (2), (3) RETURNING a").changes == 3);
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 3);
}

TEST_CASE("execute_returning: gives the rows and has run to its end") {
  Connection db(":memory:");
  db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)");
  CHECK(db.execute_returning<std::int64_t>("INSERT INTO t(a) VALUES (?), (?) RETURNING id", "x", "y") ==
        std::vector<std::int64_t>{1, 2});
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 2);
  CHECK(db.query_one<int>("UPDATE t SET a = 'z' WHERE id = 1 RETURNING id") == 1);
  CHECK(db.query_one<std::string>("SELECT a FROM t WHERE id = 1") == "z");
}

TEST_CASE("execute_returning: a write whose rows cannot be read is not kept") {
  testing::TempDir directory;
  const bool memory = GENERATE(false, true);
  Connection db(memory ? std::filesystem::path(":memory:") : directory / "a.db");
  db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)");
  CHECK(code_of([&] { db.execute_returning<std::string>("INSERT INTO t(a) VALUES (1), (2) RETURNING id"); }) ==
        errc::column_type);
  CHECK(code_of([&] { db.execute_returning<int>("INSERT INTO t(a) VALUES (1), (2) RETURNING id, a"); }) ==
        errc::column_count);
  CHECK(code_of([&] { db.query_one<int>("INSERT INTO t(a) VALUES (1), (2) RETURNING id"); }) == errc::too_many_rows);
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 0);
  // The connection is as good as before.
  CHECK_FALSE(session(db).in_transaction());
  CHECK(db.execute_returning<int>("INSERT INTO t(a) VALUES (1) RETURNING id") == std::vector{1});
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 1);
}

TEST_CASE("execute_returning: inside a transaction a failure leaves the transaction to its owner") {
  Connection db(":memory:");
  db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a)");
  session(db).begin(detail::transaction_kind::immediate);
  db.execute("INSERT INTO t(a) VALUES (0)");
  CHECK(code_of([&] { db.execute_returning<std::string>("INSERT INTO t(a) VALUES (1) RETURNING id"); }) ==
        errc::column_type);
  CHECK(session(db).in_transaction());
  CHECK(session(db).rollback());
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 0);
}

TEST_CASE("execute_script: runs each statement in order and stops at the first that fails") {
  Connection db(":memory:");
  db.execute_script(
      "-- a script\nCREATE TABLE t(a);\n\nINSERT INTO t VALUES (1);; INSERT INTO t VALUES (2) -- no semicolon");
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 2);
  const Error error = error_of(
      [&] { db.execute_script("INSERT INTO t VALUES (3); INSERT INTO nowhere VALUES (4); INSERT INTO t VALUES (5)"); });
  CHECK(contains(error.what(), "nowhere"));
  CHECK(db.query_all<int>("SELECT a FROM t") == std::vector{1, 2, 3});
  for (const std::string harmless : {"", " ", ";", "-- nothing", "/* nothing */", "SELECT 1"})
    CHECK_NOTHROW(db.execute_script(harmless));
  CHECK(contains(error_of([&] { db.execute_script("SELECT 1;\0SELECT 2"s); }).what(), "NUL"));
}

TEST_CASE("statement cache: a text is compiled once, and the least recently used goes first") {
  test::Fixture fixture;
  fixture.options.statement_cache = 2;
  Connection db = fixture.open();
  const auto cached = [&] {
    auto texts = prepared_statements(session(db).handle().get());
    std::ranges::sort(texts);
    return texts;
  };
  db.query_one<int>("SELECT 1");
  db.query_one<int>("SELECT 2");
  CHECK(cached() == std::vector{"SELECT 1"s, "SELECT 2"s});
  db.query_one<int>("SELECT 1");
  CHECK(cached() == std::vector{"SELECT 1"s, "SELECT 2"s});
  db.query_one<int>("SELECT 3");
  CHECK(cached() == std::vector{"SELECT 1"s, "SELECT 3"s});
  for (int i = 0; i < 3; ++i) db.query_one<int>("SELECT 1");
  for (sqlite3_stmt* s = sqlite3_next_stmt(session(db).handle().get(), nullptr); s;
       s = sqlite3_next_stmt(session(db).handle().get(), s))
    if (sqlite3_sql(s) == "SELECT 1"s) CHECK(sqlite3_stmt_status(s, SQLITE_STMTSTATUS_RUN, 0) == 5);
}

TEST_CASE("statement cache: none when its size is 0") {
  test::Fixture fixture;
  fixture.options.statement_cache = 0;
  Connection db = fixture.open();
  CHECK(db.query_one<int>("SELECT 1") == 1);
  CHECK(prepared_statements(session(db).handle().get()).empty());
}

TEST_CASE("statement cache: the same text can be in use twice at once, and more texts than the cache holds") {
  test::Fixture fixture;
  fixture.options.statement_cache = 1;
  Connection db = fixture.open();
  {
    constexpr auto sql = "VALUES (1), (2), (3)";
    const auto outer = session(db).prepare(sql);
    REQUIRE(outer->step());
    {
      const auto inner = session(db).prepare(sql);
      CHECK(inner.get() != outer.get());
      CHECK(inner->step());
      CHECK(inner->step());
      CHECK(detail::read_row<int>(*inner) == 2);
      const auto other = session(db).prepare("SELECT 7");
      CHECK(other->step());
      CHECK(detail::read_row<int>(*other) == 7);
    }
    CHECK(detail::read_row<int>(*outer) == 1);
    CHECK(outer->step());
    CHECK(detail::read_row<int>(*outer) == 2);
  }
  for (int i = 0; i < 3; ++i) db.query_one<int>("SELECT 8");
  CHECK(prepared_statements(session(db).handle().get()) == std::vector{"SELECT 8"s});
}

TEST_CASE("statement cache: a statement comes back reset, with none of its last values") {
  Connection db(":memory:");
  constexpr auto sql = "SELECT ?1 UNION ALL SELECT ?1";
  CHECK(code_of([&] { db.query_optional<std::string>(sql, "left over"); }) == errc::too_many_rows);
  const auto again = session(db).prepare(sql);
  CHECK_FALSE(sqlite3_stmt_busy(sqlite3_next_stmt(session(db).handle().get(), nullptr)));
  REQUIRE(again->step());
  CHECK(again->column_class(0) == detail::storage_class::null);
}

TEST_CASE("statement cache: new values do not meet old ones") {
  Connection db(":memory:");
  for (int i = 0; i < 100; ++i) {
    std::string text = "value " + std::to_string(i);
    CHECK(db.query_one<std::string>("SELECT ?", text) == text);
  }
}

TEST_CASE("statement cache: a column that another connection adds is seen by a cached SELECT *") {
  testing::TempDir directory;
  Connection db(directory / "a.db");
  test::PlainDatabase other(directory / "a.db");
  db.execute("CREATE TABLE t(a)");
  db.execute("INSERT INTO t VALUES (1)");
  CHECK(db.query_one<int>("SELECT * FROM t") == 1);
  other.execute("ALTER TABLE t ADD COLUMN b DEFAULT 'new'");
  CHECK(db.query_one<std::tuple<int, std::string>>("SELECT * FROM t") == std::tuple(1, "new"s));
  CHECK(code_of([&] { db.query_one<int>("SELECT * FROM t"); }) == errc::column_count);
  other.execute("DROP TABLE t");
  CHECK(contains(error_of([&] { db.query_all<int>("SELECT * FROM t"); }).what(), "no such table"));
}

TEST_CASE("statement cache: memory stays bounded over 100,000 distinct statements") {
  Connection db(":memory:");
  db.execute("CREATE TABLE t(a, b, c)");
  const auto run = [&](int first, int last) {
    for (int i = first; i < last; ++i)
      db.query_all<int>("SELECT a FROM t WHERE b = " + std::to_string(i) + " AND c > ?", i);
  };
  run(0, 1000);
  const auto before = sqlite3_memory_used();
  run(1000, 100'000);
  CHECK(prepared_statements(session(db).handle().get()).size() == 100);
  CHECK(sqlite3_memory_used() < before + 100'000);
}

TEST_CASE("statement cache: its statements are few when they are large") {
  Connection db(":memory:");
  for (int i = 0; i < 100; ++i) {
    const std::string sql = "SELECT " + std::to_string(i) + " /* " + std::string(200'000, 'x') + " */";
    CHECK(db.query_one<int>(sql) == i);
  }
  CHECK(prepared_statements(session(db).handle().get()).size() < 21);  // 4 MiB / 200 kB
  const std::string huge = "SELECT 1 /* " + std::string(5'000'000, 'x') + " */";
  db.query_one<int>(huge);
  for (const auto& text : prepared_statements(session(db).handle().get())) CHECK(text.size() < 1'000'000);
}
