// Rows that are read by the names of their columns.

#include <boost/describe/class.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "error_of.hpp"
#include "statehouse/by_name.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::test {
namespace {

struct Weighed {
  int id = 0;
  std::string name;
  std::optional<double> weight;
  bool operator==(const Weighed&) const = default;
};
BOOST_DESCRIBE_STRUCT(Weighed, (), (id, name, weight))

struct WeighedAndBorn : Weighed {
  std::chrono::year_month_day born{};
};
BOOST_DESCRIBE_STRUCT(WeighedAndBorn, (Weighed), (born))

/// No aggregate, and not all of it is public.
class HalfPublic {
 public:
  HalfPublic() : limit_(7) {}
  int balance = 0;
  int limit() const { return limit_; }

 private:
  BOOST_DESCRIBE_CLASS(HalfPublic, (), (balance), (), (limit_))
  int limit_;
};

struct ByName {
  Connection db{":memory:"};

  ByName() {
    db.execute_script(
        "CREATE TABLE person(name TEXT, weight REAL, id INTEGER PRIMARY KEY);"
        "INSERT INTO person VALUES ('Ada', 55.5, 1), ('Bob', NULL, 2)");
  }
  template <class T>
  Error failure(const std::string& sql) {
    return error_of([&] { db.query_all<by_name<T>>(sql); });
  }
};

TEST_CASE_METHOD(ByName, "by_name: columns may come in any order, and each verb that reads has it") {
  const Weighed ada{1, "Ada", 55.5};
  const Weighed bob{2, "Bob", std::nullopt};
  for (const char* const sql : {"SELECT * FROM person ORDER BY id", "SELECT id, name, weight FROM person ORDER BY id",
                                "SELECT name, weight, id FROM person ORDER BY id"})
    CHECK(db.query_all<by_name<Weighed>>(sql) == std::vector{ada, bob});
  CHECK(db.query_one<by_name<Weighed>>("SELECT * FROM person WHERE id = ?", 2) == bob);
  CHECK(db.query_optional<by_name<Weighed>>("SELECT * FROM person WHERE id = 1") == ada);
  CHECK(db.query_optional<by_name<Weighed>>("SELECT * FROM person WHERE id = 9") == std::nullopt);
  CHECK(db.execute_returning<by_name<Weighed>>("DELETE FROM person WHERE id = 1 RETURNING name, weight, id") ==
        std::vector{ada});
}

TEST_CASE_METHOD(ByName, "by_name: letters of either case, columns of expressions, and those without a field") {
  CHECK(db.query_one<by_name<Weighed>>("SELECT 1 AS more, 3 AS ID, upper('x') AS Name, NULL AS weight") ==
        Weighed{3, "X", std::nullopt});
}

TEST_CASE_METHOD(ByName, "by_name: fields of described bases, and of classes with a private part") {
  const WeighedAndBorn aged =
      db.query_one<by_name<WeighedAndBorn>>("SELECT '2000-01-02' AS born, * FROM person WHERE id = 1");
  CHECK(aged.name == "Ada");
  CHECK(aged.born == std::chrono::year_month_day(std::chrono::year(2000) / 1 / 2));
  const auto account = db.query_one<by_name<HalfPublic>>("SELECT 3 AS balance, 9 AS limit_");
  CHECK(account.balance == 3);
  CHECK(account.limit() == 7);
}

TEST_CASE_METHOD(ByName, "by_name: a field without a column, or with two, is column_name and named") {
  const Error missing = failure<Weighed>("SELECT id, weight FROM person");
  CHECK(missing.code() == errc::column_name);
  CHECK(missing.message() == "the row has no column for the field 'name'");
  const Error twice = failure<Weighed>("SELECT a.*, b.id FROM person a, person b");
  CHECK(twice.code() == errc::column_name);
  CHECK(twice.message() == "the row has several columns for the field 'id': name them differently with AS");
}

TEST_CASE_METHOD(ByName,
                 "by_name: a value that does not fit is an error with its column, and the statement is undone") {
  CHECK(failure<Weighed>("SELECT 1 AS weight, 'x' AS id, '' AS name").message() ==
        "column 2 ('id') holds TEXT, the field needs INTEGER");
  CHECK(code_of([&] { db.execute_returning<by_name<Weighed>>("DELETE FROM person RETURNING id, weight"); }) ==
        errc::column_name);
  CHECK(db.query_one<int>("SELECT count(*) FROM person") == 2);
}

TEST_CASE_METHOD(ByName,
                 "by_name: a statement that is prepared already sees a table whose columns have changed places") {
  CHECK(db.query_one<by_name<Weighed>>("SELECT * FROM person WHERE id = 2").name == "Bob");
  db.execute_script(
      "ALTER TABLE person RENAME TO old; CREATE TABLE person AS SELECT name, id, weight FROM old; DROP TABLE old");
  CHECK(db.query_one<by_name<Weighed>>("SELECT * FROM person WHERE id = 2") == Weighed{2, "Bob", std::nullopt});
}

}  // namespace
}  // namespace statehouse::test
