// What goes in comes out, and what is wrong with a statement, a value or a row is said; on every engine.

#include <array>
#include <boost/describe/class.hpp>
#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "behaviour.hpp"

namespace statehouse::test {
namespace {

using Bytes = std::vector<std::byte>;

/// Kept as a BLOB that its traits make.
struct Sixteen {
  char of;
};

}  // namespace
}  // namespace statehouse::test

template <>
struct statehouse::value_traits<statehouse::test::Sixteen> {
  static std::vector<std::byte> to_stored(statehouse::test::Sixteen value) {
    return std::vector(16, static_cast<std::byte>(value.of));
  }
};

namespace statehouse::test {
namespace {

struct ValueRow {
  std::string s;
  int id = 0;
};
BOOST_DESCRIBE_STRUCT(ValueRow, (), (s, id))

struct Values : Behaviour {
  Values() { execute("CREATE TABLE t(id INTEGER PRIMARY KEY, i INTEGER, r REAL, s TEXT, b BLOB) STRICT"); }
};

TEST_CASE_METHOD(Values, "values: every type comes back as it was given, its extremes too") {
  using Row =
      std::tuple<std::optional<std::int64_t>, std::optional<double>, std::optional<std::string>, std::optional<Bytes>>;
  const std::vector<Row> rows{{std::numeric_limits<std::int64_t>::min(), std::numeric_limits<double>::lowest(),
                               "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80", Bytes(300, std::byte{0})},
                              {std::numeric_limits<std::int64_t>::max(), std::numeric_limits<double>::denorm_min(),
                               std::string(70'000, 'x'), Bytes{std::byte{255}}},
                              {0, std::numeric_limits<double>::infinity(), "", Bytes{}},
                              {-1, -0.0, "'; DROP TABLE t; --", Bytes(70'000, std::byte{7})},
                              {std::nullopt, std::nullopt, std::nullopt, std::nullopt}};
  for (const auto& [i, r, s, b] : rows) run(pool.execute("INSERT INTO t(i, r, s, b) VALUES (?, ?, ?, ?)", i, r, s, b));
  CHECK(run(pool.query_all<Row>("SELECT i, r, s, b FROM t ORDER BY id")) == rows);
  const auto types = run(pool.query_one<std::string>(
      "SELECT group_concat(typeof(i) || typeof(r) || typeof(s) || typeof(b), ' ') FROM (SELECT * FROM t ORDER BY id)"));
  const std::string full = "integerrealtextblob";
  CHECK(types == full + ' ' + full + ' ' + full + ' ' + full + " nullnullnullnull");
}

TEST_CASE_METHOD(Values, "values: bool, enum, time and expressions without a declared type") {
  enum class Colour { red = 1, green = 2 };
  const std::chrono::sys_time<std::chrono::milliseconds> time{1'700'000'000'123ms};
  using Row = std::tuple<bool, Colour, std::chrono::sys_time<std::chrono::milliseconds>, int, std::string>;
  const auto row = run(pool.query_one<Row>("SELECT ?, ?, ?, 1 + 1, 'a' || 'b'", true, Colour::green, time));
  CHECK(row == Row(true, Colour::green, time, 2, "ab"));
  CHECK(run(pool.query_one<double>("SELECT 3")) == 3.0);
  CHECK(run(pool.query_one<std::string>("SELECT typeof(?)", Bytes{})) == "blob");
  CHECK(run(pool.query_one<std::string>("SELECT typeof(?)", nullptr)) == "null");
}

TEST_CASE_METHOD(Values, "values: what a type's traits make for the statement is bound as it was made") {
  CHECK(run(pool.query_one<std::string>("SELECT typeof(?1) || hex(?1)", Sixteen{'a'})) ==
        "blob61616161616161616161616161616161");
  CHECK(run(pool.query_one<std::string>("SELECT ?", std::chrono::year_month_day(2024y / 2 / 29))) == "2024-02-29");
  const std::array<std::byte, 2> array{std::byte{1}, std::byte{2}};
  CHECK(run(pool.query_one<std::array<std::byte, 2>>("SELECT ?", array)) == array);
  using Value = std::variant<std::monostate, std::int64_t, std::string>;
  CHECK(run(pool.query_one<Value>("SELECT ?", std::variant<int, std::string_view>("text"))) == Value("text"));
  const std::vector<std::string> words{"b", "a"};
  CHECK(run(pool.query_all<std::string>("SELECT value FROM json_each(?) ORDER BY value", in(words))) ==
        std::vector<std::string>{"a", "b"});
}

TEST_CASE_METHOD(Values, "values: by name, in any order, each for all places of the name") {
  CHECK(run(pool.query_one<std::string>("SELECT :a || @b || $c || :a || ?4 /* :d */ || ':e'", named("$c", "3"),
                                        named("?4", "4"), named("@b", "2"), named(":a", "1"))) == "12314:e");
  CHECK(code(pool.query_one<int>("SELECT :a", named(":b", 1))) == errc::parameter_name);
  CHECK(code(pool.query_one<int>("SELECT :a, :b", named(":b", 1))) == errc::parameter_name);
  check_all_clean();
}

TEST_CASE_METHOD(Values, "values: many rows come whole and in order, and so does a large one") {
  const auto numbers = run(pool.query_all<std::int64_t>(
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20000) SELECT x FROM c"));
  REQUIRE(numbers.size() == 20'000);
  for (std::size_t i = 0; i < numbers.size(); ++i) REQUIRE(numbers[i] == static_cast<std::int64_t>(i) + 1);
  const std::string large(3 << 20, 'x');
  CHECK(run(pool.query_one<std::string>("SELECT ?", std::string_view(large))) == large);
  CHECK(run(pool.query_all<int>("SELECT id FROM t")).empty());
}

TEST_CASE_METHOD(Values, "execute_many: all rows are kept, or none and the one that failed is named") {
  using Row = std::tuple<int, std::optional<std::string>, Bytes>;
  const std::vector<Row> rows{{1, "a", Bytes(2)}, {2, std::nullopt, Bytes{}}, {3, "c", Bytes(1)}};
  const std::string insert = "INSERT INTO t(id, s, b) VALUES (?, ?, ?)";
  const ExecuteResult done = run(pool.execute_many(std::string_view(insert), rows));
  CHECK(done.changes == 3);
  CHECK(done.last_insert_rowid == 3);
  CHECK(run(pool.query_all<Row>("SELECT id, s, b FROM t ORDER BY id")) == rows);
  const std::vector<Row> again{{4, "d", {}}, {2, "b", {}}};
  auto failed = app.ended(pool.execute_many(std::string_view(insert), again));
  CHECK(failed.code() == condition::constraint);
  CHECK(contains(failed.text(), "rows[1]: "));
  auto transaction = run(pool.begin());
  CHECK(code(transaction.execute_many(std::string_view(insert), again)) == condition::constraint);
  run(transaction.execute_many("DELETE FROM t WHERE id = ?", std::vector{1, 3}));
  run(std::move(transaction).commit());
  CHECK(numbers("SELECT id FROM t") == std::vector{2});
  check_all_clean();
}

TEST_CASE_METHOD(Values, "rows: by name, whatever the order of the columns") {
  execute("INSERT INTO t(id, s) VALUES (1, 'Ada')");
  const ValueRow row = run(pool.query_one<by_name<ValueRow>>("SELECT * FROM t"));
  CHECK(row.s == "Ada");
  CHECK(row.id == 1);
  CHECK(code(pool.query_all<by_name<ValueRow>>("SELECT id FROM t")) == errc::column_name);
}

TEST_CASE_METHOD(Values, "rows: what does not fit has its own error, which names the column") {
  execute("INSERT INTO t VALUES (1, 1000, 1.5, 'Ada', NULL), (2, 2, 2.5, 'Bob', NULL)");
  CHECK(code(pool.query_one<int>("SELECT id FROM t WHERE id = 9")) == errc::no_row);
  CHECK(code(pool.query_one<int>("SELECT id FROM t")) == errc::too_many_rows);
  CHECK(code(pool.query_optional<int>("SELECT id FROM t")) == errc::too_many_rows);
  CHECK(run(pool.query_optional<int>("SELECT id FROM t WHERE id = 9")) == std::nullopt);
  CHECK(code(pool.query_all<int>("SELECT id, i FROM t")) == errc::column_count);
  CHECK(code(pool.query_all<std::int8_t>("SELECT i FROM t")) == errc::value_out_of_range);
  CHECK(code(pool.query_all<int>("SELECT r FROM t")) == errc::column_type);
  auto text = app.ended(pool.query_all<int>("SELECT s AS name FROM t"));
  CHECK(text.code() == errc::column_type);
  CHECK(contains(text.text(), "name"));
  auto null = app.ended(pool.query_all<Bytes>("SELECT b FROM t"));
  CHECK(null.code() == errc::unexpected_null);
  CHECK(contains(null.text(), "b"));
  check_all_clean();
}

TEST_CASE_METHOD(Values,
                 "statements: what is none, too many, unknown or short of a parameter is refused, and runs not") {
  CHECK(code(pool.execute("DELETE FROM t WHERE id = ?")) == errc::parameter_count);
  CHECK(code(pool.query_all<int>("SELECT ?", 1, 2)) == errc::parameter_count);
  CHECK(code(pool.execute("SELECT 1; SELECT 2")) == errc::not_one_statement);
  CHECK(code(pool.execute("  -- nothing")) == errc::not_one_statement);
  CHECK(code(pool.execute("SELEC 1")) == make_sqlite_error(SQLITE_ERROR));
  CHECK(code(pool.query_all<int>("SELECT a FROM missing")) == make_sqlite_error(SQLITE_ERROR));
  auto missing = app.ended(pool.execute("INSERT INTO missing VALUES (1)"));
  CHECK(missing.text() == "database 'test': no such table: missing (SQLite 1) [INSERT INTO missing VALUES (1)]");
  check_all_clean();
}

TEST_CASE_METHOD(Values, "statements: transaction control and settings are refused, each with what to use") {
  for (const char* const sql :
       {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT x", "RELEASE x", "ROLLBACK TO x", "PRAGMA foreign_keys = OFF"}) {
    CAPTURE(sql);
    auto execute_it = app.ended(pool.execute(std::string_view(sql)));
    CHECK(execute_it.code() == errc::statement_refused);
    CHECK(contains(execute_it.text(), "use "));
    CHECK(code(pool.write([&](Connection& db) { db.execute(sql); })) == errc::statement_refused);
  }
  CHECK(code(pool.execute("VACUUM")) == errc::statement_refused);
  for (const char* const sql : {"INSERT INTO t(i) VALUES (1)", "CREATE TABLE u(a)", "PRAGMA user_version = 5"}) {
    CAPTURE(sql);
    CHECK(code(pool.query_all<int>(std::string_view(sql))) == errc::write_on_reader);
    CHECK(code(pool.read([&](Reader& db) { return db.query_all<int>(sql); })) == errc::write_on_reader);
  }
  CHECK(number("SELECT count(*) FROM t") == 0);
  check_all_clean();
}

TEST_CASE_METHOD(Values, "results: changes and rowid are the statement's own") {
  execute("CREATE TABLE log(a INTEGER) STRICT");
  execute("CREATE TRIGGER noted AFTER INSERT ON t BEGIN INSERT INTO log VALUES (1), (2); END");
  const auto result = [&](std::string sql) {
    const ExecuteResult given = run(pool.execute(std::string_view(sql)));
    return std::tuple(given.changes, given.last_insert_rowid);
  };
  CHECK(result("INSERT INTO t(id) VALUES (7)") == std::tuple(1, 7));
  CHECK(result("INSERT INTO t(i) VALUES (1), (2)") == std::tuple(2, 9));
  CHECK(result("INSERT INTO t(id) VALUES (7) ON CONFLICT DO NOTHING") == std::tuple(0, 0));
  CHECK(result("INSERT INTO t(id) VALUES (7) ON CONFLICT(id) DO UPDATE SET i = 5") == std::tuple(1, 0));
  CHECK(result("REPLACE INTO t(id) VALUES (7)") == std::tuple(1, 7));
  CHECK(result("UPDATE t SET i = 3") == std::tuple(3, 0));
  CHECK(result("UPDATE t SET i = 3 WHERE id = 99") == std::tuple(0, 0));
  CHECK(result("CREATE TABLE other(a)") == std::tuple(0, 0));
  CHECK(result("DELETE FROM t") == std::tuple(3, 0));
}

}  // namespace
}  // namespace statehouse::test
