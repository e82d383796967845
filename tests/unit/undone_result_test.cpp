// What a statement did is undone when its result cannot be given, in a transaction that goes on as well as by itself.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "error_of.hpp"
#include "open_session.hpp"

using namespace statehouse;
using test::code_of;
using test::session;

namespace {

int refuse_to_be() {
  throw std::runtime_error("no such row");
}
struct Refusing {
  int value = refuse_to_be();
};

/// A transaction that has inserted 'before' and will insert 'after' whatever comes between.
struct Undoing {
  test::Fixture fixture;
  Connection db = fixture.open();

  Undoing() {
    db.execute("CREATE TABLE t(v)");
    db.execute("CREATE TABLE log(v)");
    session(db).begin(detail::transaction_kind::immediate);
    db.execute("INSERT INTO t VALUES ('before')");
  }
  std::vector<std::string> kept() {
    db.execute("INSERT INTO t VALUES ('after')");
    session(db).commit();
    return db.query_all<std::string>("SELECT v FROM t");
  }
  bool has_prepared(std::string_view text) {
    const auto texts = test::prepared_statements(session(db).handle().get());
    return std::ranges::count(texts, text) > 0;
  }
};

const std::vector<std::string> only_the_others{"before", "after"};
constexpr const char* three_rows = "INSERT INTO t VALUES (1), ('x'), (NULL) RETURNING v";

}  // namespace

TEST_CASE("undone result: whatever is wrong with a row, in a transaction that goes on") {
  using Work = std::function<void(Connection&)>;
  const std::vector<std::pair<boost::system::error_code, Work>> cases{
      {errc::column_type, [](Connection& db) { db.execute_returning<int>(three_rows); }},
      {errc::column_type, [](Connection& db) { db.query_all<std::optional<int>>(three_rows); }},
      {errc::unexpected_null,
       [](Connection& db) { db.execute_returning<int>("INSERT INTO t VALUES (1), (NULL) RETURNING v"); }},
      {errc::value_out_of_range,
       [](Connection& db) { db.execute_returning<std::int8_t>("INSERT INTO t VALUES (1), (128) RETURNING v"); }},
      {errc::column_count,
       [](Connection& db) { db.execute_returning<std::tuple<int, int>>("INSERT INTO t VALUES (1) RETURNING v"); }},
      {errc::too_many_rows, [](Connection& db) { db.query_one<int>("INSERT INTO t VALUES (1), (2) RETURNING v"); }},
      {errc::too_many_rows,
       [](Connection& db) { db.query_optional<int>("INSERT INTO t VALUES (1), (2) RETURNING v"); }},
      {errc::column_type, [](Connection& db) { db.query_one<int>("INSERT INTO t VALUES ('x') RETURNING v"); }},
      {errc::column_type, [](Connection& db) { db.query_optional<int>("UPDATE t SET v = 'x' RETURNING v"); }},
      {errc::column_type, [](Connection& db) { db.execute_returning<int>("DELETE FROM t RETURNING v"); }},
  };
  for (const auto& [code, work] : cases) {
    Undoing test;
    CHECK(code_of([&] { work(test.db); }) == code);
    CHECK(session(test.db).in_transaction());
    CHECK(test.kept() == only_the_others);
  }
}

TEST_CASE("undone result: a row type that throws undoes the statement, and the exception comes through") {
  Undoing test;
  CHECK_THROWS_AS(test.db.execute_returning<Refusing>("INSERT INTO t VALUES (1) RETURNING v"), std::runtime_error);
  CHECK(test.kept() == only_the_others);
}

TEST_CASE("undone result: of no row, where one was wanted, what triggers did is undone") {
  Undoing test;
  test.db.execute(
      "CREATE TRIGGER refuse BEFORE INSERT ON t WHEN NEW.v = 'ignored' "
      "BEGIN INSERT INTO log VALUES ('tried'); SELECT RAISE(IGNORE); END");
  const char* const ignored = "INSERT INTO t VALUES ('ignored') RETURNING v";
  CHECK(code_of([&] { test.db.query_one<std::string>(ignored); }) == errc::no_row);
  CHECK(test.db.query_one<int>("SELECT count(*) FROM log") == 0);
  CHECK(test.db.query_optional<std::string>(ignored) == std::nullopt);
  CHECK(test.db.query_one<int>("SELECT count(*) FROM log") == 1);
  CHECK(test.kept() == only_the_others);
}

TEST_CASE("undone result: inside savepoints, each keeps what is its own") {
  Undoing test;
  test.db.savepoint([&] {
    test.db.execute("INSERT INTO t VALUES ('inside')");
    CHECK(code_of([&] { test.db.execute_returning<int>(three_rows); }) == errc::column_type);
    CHECK(test.db.execute_returning<std::string>("INSERT INTO t VALUES ('returned') RETURNING v").size() == 1);
  });
  CHECK(test.kept() == std::vector<std::string>{"before", "inside", "returned", "after"});
}

TEST_CASE("undone result: a result that can be given is kept, from every verb that writes") {
  Undoing test;
  CHECK(test.db.execute_returning<std::string>("INSERT INTO t VALUES ('1') RETURNING v").size() == 1);
  CHECK(test.db.query_all<std::string>("INSERT INTO t VALUES ('2') RETURNING v").size() == 1);
  CHECK(test.db.query_one<std::string>("INSERT INTO t VALUES ('3') RETURNING v") == "3");
  CHECK(test.db.query_optional<std::string>("INSERT INTO t VALUES ('4') RETURNING v") == "4");
  CHECK(test.kept() == std::vector<std::string>{"before", "1", "2", "3", "4", "after"});
}

TEST_CASE("undone result: by itself, each statement is undone without a transaction") {
  test::Fixture fixture;
  Connection db = fixture.open();
  db.execute("CREATE TABLE t(v)");
  CHECK(code_of([&] { db.execute_returning<int>(three_rows); }) == errc::column_type);
  CHECK(code_of([&] { db.query_one<int>("INSERT INTO t VALUES (1), (2) RETURNING v"); }) == errc::too_many_rows);
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 0);
}

TEST_CASE("undone result: costs no savepoint where there is no result, nothing is changed, or no transaction is open") {
  Undoing test;
  CHECK(test.db.query_one<int>("SELECT count(*) FROM t") == 1);
  test.db.execute("UPDATE t SET v = 'x'");
  test.db.execute("INSERT INTO t VALUES (1) RETURNING v");  // rows that nobody reads
  session(test.db).commit();
  CHECK(test.db.execute_returning<int>("INSERT INTO t VALUES (1) RETURNING v") == std::vector{1});
  CHECK_FALSE(test.has_prepared("SAVEPOINT statehouse"));
  session(test.db).begin(detail::transaction_kind::immediate);
  CHECK(test.db.execute_returning<int>("INSERT INTO t VALUES (1) RETURNING v") == std::vector{1});
  CHECK(test.has_prepared("SAVEPOINT statehouse"));
}
