// A list of values as one parameter: what json_each makes of it is what was given.

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <list>
#include <stdexcept>
#include <string>
#include <vector>

#include "error_of.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/in.hpp"

namespace app {

struct Odd {
  int number;
};

}  // namespace app

template <>
struct statehouse::value_traits<app::Odd> {
  static int to_stored(app::Odd odd) {
    if (odd.number < 0) throw std::logic_error("not ours");
    if (odd.number % 2 == 0) throw UnfitValue("is even", errc::column_type);
    return odd.number;
  }
};

namespace statehouse::test {
namespace {

using namespace std::string_literals;

struct Lists {
  Connection db{":memory:"};

  template <class T, class Values>
  std::vector<T> rows(const Values& values) {
    return db.query_all<T>("SELECT value FROM json_each(?) ORDER BY key", in(values));
  }
};

TEST_CASE_METHOD(Lists, "in: every INTEGER is exact, beyond 2^53 too") {
  using limits = std::numeric_limits<std::int64_t>;
  const std::vector<std::int64_t> numbers{limits::min(),         limits::min() + 1, -9'007'199'254'740'993, -1, 0, 1,
                                          9'007'199'254'740'993, limits::max() - 1, limits::max()};
  CHECK(rows<std::int64_t>(numbers) == numbers);
  CHECK(rows<int>(std::array<bool, 2>{true, false}) == std::vector{1, 0});
  CHECK(rows<int>(std::vector<bool>{true, false}) == std::vector{1, 0});
  std::vector<bool> flags{true, false};
  CHECK(db.query_all<int>("SELECT value FROM json_each(?) ORDER BY key", in(flags)) == std::vector{1, 0});
  enum class Colour : std::uint8_t { red = 200 };
  CHECK(rows<Colour>(std::list{Colour::red}) == std::vector{Colour::red});
  CHECK(rows<int>(std::vector<std::byte>{std::byte{255}}) == std::vector{255});
}

TEST_CASE_METHOD(Lists, "in: every text is exact, whatever bytes it has but NUL") {
  std::vector<std::string> texts{
      "",     "plain", "\"quoted\" \\ / '", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", "\xff\xfe\x80", "\\u0041", "]",
      "null", "1"};
  for (char c = 1; c < 0x20; ++c) texts.push_back("a"s + c + "b");
  texts.push_back("\x7f");
  CHECK(rows<std::string>(texts) == texts);
  CHECK(rows<std::string>(std::vector<std::filesystem::path>{"/tmp/a"}) == std::vector{"/tmp/a"s});
  const std::vector<const char*> literals{"a", "b"};
  CHECK(rows<std::string>(literals) == std::vector{"a"s, "b"s});
}

TEST_CASE_METHOD(Lists, "in: times, dates and durations are listed as they are bound") {
  using namespace std::chrono;
  const std::vector times{sys_time<milliseconds>(1ms), sys_time<milliseconds>(-1ms)};
  CHECK(rows<sys_time<milliseconds>>(times) == times);
  CHECK(db.query_one<bool>("SELECT ? IN (SELECT value FROM json_each(?))", times[0], in(times)));
  const std::vector<year_month_day> dates{2024y / 2 / 29};
  CHECK(rows<year_month_day>(dates) == dates);
  CHECK(rows<seconds>(std::vector{5s}) == std::vector{5s});
}

TEST_CASE_METHOD(Lists, "in: rows are those whose value is in the list; an empty one matches none") {
  db.execute_script(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (1,'a'), (2,'b'), (3,'c')");
  const char* const by_id = "SELECT id FROM t WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id";
  CHECK(db.query_all<int>(by_id, in(std::vector{3, 1, 9})) == std::vector{1, 3});
  CHECK(db.query_all<int>(by_id, in(std::vector<int>())).empty());
  const std::vector<std::string> names{"b"};
  CHECK(db.query_one<int>("SELECT id FROM t WHERE name IN (SELECT value FROM json_each(?))", in(names)) == 2);
}

TEST_CASE_METHOD(Lists, "in: what JSON would change is an error that names the element") {
  const auto fault = [&](const auto& values) {
    const Error error = error_of([&] { rows<std::string>(values); });
    CHECK(error.code() == errc::value_out_of_range);
    return error.message();
  };
  CHECK(fault(std::vector<std::uint64_t>{1, 1ULL << 63U}) ==
        "parameter 1 is a list whose element 2 is above 2^63-1, the largest INTEGER");
  CHECK(fault(std::vector{"a"s, "b"s, "c\0d"s, "\0"s}) ==
        "parameter 1 is a list whose element 3 is a text with a NUL character");
  CHECK(fault(std::vector<const char*>{nullptr}) == "parameter 1 is a list whose element 1 is NULL");
  CHECK(contains(fault(std::vector<std::chrono::year_month_day>{{}}), "element 1 is not a date"));
  CHECK(contains(fault(std::vector{std::chrono::sys_days::max()}), "outside the years"));
}

TEST_CASE_METHOD(Lists, "in: an element that its value_traits refuse is their error, with its place") {
  const std::vector<app::Odd> numbers{{1}, {2}, {3}, {4}};
  const Error error = error_of([&] { rows<int>(numbers); });
  CHECK(error.code() == errc::column_type);
  CHECK(error.message() == "parameter 1 is a list whose element 2 is even");
  const std::vector<app::Odd> others{{-1}};
  CHECK_THROWS_AS(in(others), std::logic_error);
}

TEST_CASE("in: the list is made by the call, so what it was made of may go") {
  std::vector<std::string> names{"a"};
  const InList list = in(names);
  names.clear();
  Connection db(":memory:");
  CHECK(db.query_all<std::string>("SELECT value FROM json_each(?)", list) == std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace statehouse::test
