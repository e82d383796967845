// Values that are given by name.

#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "cluster/statement_facts.hpp"
#include "error_of.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::test {
namespace {

struct NamedValues {
  Connection db{":memory:"};
};

TEST_CASE_METHOD(NamedValues,
                 "named: a value goes where its name stands, each time, in whatever order they are given") {
  using Row = std::tuple<int, std::string, int, std::optional<int>>;
  CHECK(db.query_one<Row>("SELECT :id, @name, :id, $none", named("@name", "Ada"), named("$none", std::optional<int>()),
                          named(":id", 7)) == Row(7, "Ada", 7, std::nullopt));
  CHECK(db.query_one<int>("SELECT ?2 - ?1", named("?1", 1), named("?2", 3)) == 2);
  const std::string name = ":id";
  std::string text = "kept";
  CHECK(db.query_one<std::string>("SELECT :id", named(name, text)) == "kept");
  CHECK(db.query_one<std::string>("SELECT :id", named(name, std::string_view(text))) == "kept");
}

TEST_CASE_METHOD(NamedValues,
                 "named: a name too many, too few, twice or none at all is parameter_name, which says which") {
  const auto message = [&](auto... values) {
    const Error error = error_of([&] { db.execute("SELECT :id, @name", values...); });
    CHECK(error.code() == errc::parameter_name);
    return error.message();
  };
  CHECK(message(named(":id", 1), named(":name", 2)) == "the statement has no parameter ':name': it has :id, @name");
  CHECK(message(named("id", 1)) == "the statement has no parameter 'id': it has :id, @name");
  CHECK(message(named("", 1)) == "the statement has no parameter '': it has :id, @name");
  CHECK(message(named("@name", 1)) == "no value is given for the parameter ':id'");
  CHECK(message(named(":id", 1), named(":id", 2)) == "two values are given for the parameter ':id'");
  CHECK(error_of([&] { db.execute("SELECT 1", named(":id", 1)); }).message() ==
        "the statement has no parameter ':id': it has none");
  CHECK(error_of([&] { db.execute("SELECT :id, ?", named(":id", 1)); }).message() ==
        "parameter 2 has no name: give it one, or all values in order");
}

TEST_CASE_METHOD(NamedValues, "named: a value that does not fit is an error as without a name") {
  CHECK(code_of([&] { db.execute("SELECT :a", named(":a", ~0ULL)); }) == errc::value_out_of_range);
  CHECK(db.query_one<int>("SELECT :a", 3) == 3);  // in order still
}

template <class... Args>
concept CanBeExecuted = requires(Connection& db, Args... args) {
  db.execute("SELECT :a", args...);
};
static_assert(CanBeExecuted<Named<int>> && !CanBeExecuted<std::optional<Named<int>>>);

TEST_CASE("named: an awaited verb owns the name and the value") {
  std::string name = ":parameter_of_a_long_name";
  std::string text = "before";
  auto owned = detail::to_owned(named(name, std::string_view(text)));
  static_assert(std::same_as<decltype(owned), Named<std::string>>);
  name.clear();
  text = "after!";
  CHECK(owned.name == ":parameter_of_a_long_name");
  CHECK(owned.value == "before");
}

TEST_CASE_METHOD(NamedValues, "named: a cluster's client numbers the parameters as SQLite does") {
  for (const char* const sql :
       {"SELECT 1", "SELECT ?, ?", "SELECT :a, @a, $a, :a", "SELECT ?3, ?, ?1, ?3", "SELECT :a, ?, :b, ?2, :a",
        "SELECT ':no', \"a:no\", [:no] /* :no */ -- :no\n, :yes FROM (SELECT 1 AS \"a:no\", 2 AS \":no\")",
        "SELECT $tcl::name(x), ?", "SELECT ?002, :a, ?2"}) {
    CAPTURE(sql);
    std::vector<std::string> names;
    const auto statement = detail::prepare(detail::VerbAccess::session(db), sql);
    for (int i = 1; i <= statement->parameter_count(); ++i) names.push_back(statement->parameter_name(i));
    CHECK(detail::parameter_names(detail::tokens_of(sql)) == names);
  }
}

}  // namespace
}  // namespace statehouse::test
