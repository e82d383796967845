#include <array>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "error_of.hpp"
#include "statehouse/connection.hpp"

using namespace statehouse;
using namespace std::string_literals;
using namespace std::string_view_literals;
using namespace std::chrono_literals;
using test::code_of;
using test::contains;
using test::error_of;

namespace {

enum class Colour { red = 1, blue = -7 };
enum class Narrow : std::uint8_t { low = 0, high = 255 };
enum class Wide : std::uint64_t { most = std::numeric_limits<std::uint64_t>::max() };
enum Plain { first, second };

std::vector<std::byte> bytes(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

struct Values {
  Connection db{":memory:"};

  template <class T>
  std::string stored(const T& value) {
    return db.query_one<std::string>("SELECT typeof(?1) || ' ' || quote(?1)", value);
  }
  template <class T, class V>
  T round_trip(const V& value) {
    return db.query_one<T>("SELECT ?", value);
  }
  template <class T>
  T read(const std::string& expression) {
    return db.query_one<T>("SELECT " + expression + " AS it");
  }
  template <class T>
  Error failure(const std::string& expression) {
    return error_of([&] { read<T>(expression); });
  }
};

template <class T>
using limits = std::numeric_limits<T>;

}  // namespace

TEMPLATE_TEST_CASE("integers: every type keeps its limits", "", bool, signed char, unsigned char, short, unsigned short,
                   int, unsigned, long, long long, std::int64_t, Narrow, std::byte) {
  Values values;
  using Number = typename std::conditional_t<std::is_enum_v<TestType>, std::underlying_type<TestType>,
                                             std::type_identity<TestType>>::type;
  for (const Number number : {limits<Number>::min(), limits<Number>::max(), Number(0), Number(1)}) {
    const auto value = static_cast<TestType>(number);
    CHECK(values.round_trip<TestType>(value) == value);
    CHECK(values.stored(value).starts_with("integer "));
  }
}

TEST_CASE("integers: an unsigned value fits up to 2^63-1; beyond it is an error, not a negative number") {
  Values values;
  constexpr std::uint64_t largest = limits<std::int64_t>::max();
  CHECK(values.round_trip<std::uint64_t>(largest) == largest);
  for (const std::uint64_t value : {largest + 1, limits<std::uint64_t>::max()}) {
    const Error error = error_of([&] { values.db.execute("SELECT 1, ?, ?", 1, value); });
    CHECK(error.code() == errc::value_out_of_range);
    CHECK(contains(error.what(), "parameter 2 is above 2^63-1"));
    CHECK_FALSE(contains(error.what(), std::to_string(value)));
  }
  CHECK(code_of([&] { values.stored(Wide::most); }) == errc::value_out_of_range);
  CHECK(code_of([&] { values.stored(std::optional(Wide::most)); }) == errc::value_out_of_range);
}

TEST_CASE("integers: a column value that the field cannot hold is value_out_of_range and names the column") {
  Values values;
  CHECK(values.read<std::int8_t>("-128") == -128);
  CHECK(values.failure<std::int8_t>("-129").code() == errc::value_out_of_range);
  CHECK(values.failure<std::int8_t>("128").code() == errc::value_out_of_range);
  CHECK(values.failure<std::uint8_t>("-1").code() == errc::value_out_of_range);
  CHECK(values.failure<std::uint8_t>("256").code() == errc::value_out_of_range);
  CHECK(values.failure<int>("2147483648").code() == errc::value_out_of_range);
  CHECK(values.failure<unsigned>("4294967296").code() == errc::value_out_of_range);
  CHECK(values.failure<std::uint64_t>("-1").code() == errc::value_out_of_range);
  CHECK(values.failure<Narrow>("256").code() == errc::value_out_of_range);
  CHECK(values.failure<std::optional<Narrow>>("-1").code() == errc::value_out_of_range);
  CHECK(values.read<std::int64_t>("-9223372036854775808") == limits<std::int64_t>::min());
  CHECK(contains(values.failure<std::uint8_t>("256").what(), "column 1 ('it')"));
}

TEST_CASE("bool: written as 0 and 1; any other integer than 0 reads as true") {
  Values values;
  CHECK(values.stored(true) == "integer 1");
  CHECK(values.stored(false) == "integer 0");
  CHECK(values.read<bool>("0") == false);
  CHECK(values.read<bool>("2") == true);
  CHECK(values.read<bool>("-1") == true);
  CHECK(values.failure<bool>("'true'").code() == errc::column_type);
}

TEST_CASE("enums: scoped and plain ones are their underlying integers") {
  Values values;
  CHECK(values.stored(Colour::blue) == "integer -7");
  CHECK(values.round_trip<Colour>(Colour::blue) == Colour::blue);
  CHECK(values.round_trip<Plain>(second) == second);
  CHECK(values.read<Colour>("1") == Colour::red);
}

TEST_CASE("floating point: exact, infinities included") {
  Values values;
  for (const double value :
       {0.0, -0.0, 0.1, -1.5, limits<double>::min(), limits<double>::denorm_min(), limits<double>::max(),
        limits<double>::lowest(), limits<double>::infinity(), -limits<double>::infinity()}) {
    CAPTURE(value);
    CHECK(values.round_trip<double>(value) == value);
    CHECK(values.stored(value).starts_with("real "));
  }
  CHECK(values.stored(1.0F) == "real 1.0");
  CHECK(values.round_trip<float>(0.1F) == 0.1F);
  CHECK(values.read<double>("3") == 3.0);
  CHECK(values.failure<double>("'3'").code() == errc::column_type);
}

TEST_CASE("text: every kind of string, embedded NUL and arbitrary bytes included") {
  Values values;
  const std::string text = "gr\xc3\xbc\xc3\x9f 'quoted' \n\0 after"s;
  CHECK(values.round_trip<std::string>(text) == text);
  CHECK(values.round_trip<std::string>(std::string_view(text)) == text);
  CHECK(values.round_trip<std::string>("literal") == "literal");
  const char* const pointer = "pointer";
  CHECK(values.round_trip<std::string>(pointer) == "pointer");
  char array[] = "array";
  CHECK(values.round_trip<std::string>(array) == "array");
  CHECK(values.db.query_one<std::int64_t>("SELECT length(CAST(? AS BLOB))", "a\0b"s) == 3);
  CHECK(values.round_trip<std::string>("\xff\xfe"s) == "\xff\xfe");
  const std::string large(3'000'000, 'x');
  CHECK(values.round_trip<std::string>(large) == large);
}

TEST_CASE("text and blob: empty is not NULL, however it came about") {
  Values values;
  CHECK(values.stored(""s) == "text ''");
  CHECK(values.stored(std::string_view()) == "text ''");
  CHECK(values.stored("") == "text ''");
  CHECK(values.stored(std::vector<std::byte>()) == "blob X''");
  CHECK(values.stored(std::span<const std::byte>()) == "blob X''");
  CHECK(values.round_trip<std::string>("") == "");
  CHECK(values.round_trip<std::optional<std::string>>("") == std::optional(""s));
  CHECK(values.round_trip<std::vector<std::byte>>(std::vector<std::byte>()).empty());
  CHECK(values.round_trip<std::optional<std::vector<std::byte>>>(std::vector<std::byte>()).has_value());
}

TEST_CASE("blob: every contiguous range of bytes") {
  Values values;
  const auto blob = bytes("\0\xff\x00\x7f"sv);
  CHECK(values.stored(blob) == "blob X'00FF007F'");
  CHECK(values.round_trip<std::vector<std::byte>>(blob) == blob);
  CHECK(values.round_trip<std::vector<std::byte>>(std::span(blob).first(2)) == bytes("\0\xff"sv));
  CHECK(values.round_trip<std::vector<std::byte>>(std::array{std::byte{7}}) == bytes("\x07"sv));
  CHECK(values.failure<std::string>("x'41'").code() == errc::column_type);
  CHECK(values.failure<std::vector<std::byte>>("'A'").code() == errc::column_type);
}

TEST_CASE("NULL: nullptr, nullopt, an empty optional of anything and a null const char*") {
  Values values;
  CHECK(values.stored(nullptr) == "null NULL");
  CHECK(values.stored(std::nullopt) == "null NULL");
  CHECK(values.stored(std::optional<int>()) == "null NULL");
  CHECK(values.stored(std::optional<std::string>()) == "null NULL");
  CHECK(values.stored(std::optional<std::string_view>()) == "null NULL");
  CHECK(values.stored(std::optional<std::vector<std::byte>>()) == "null NULL");
  CHECK(values.stored(std::optional<double>()) == "null NULL");
  CHECK(values.stored(std::optional<Colour>()) == "null NULL");
  CHECK(values.stored(std::optional<std::chrono::sys_seconds>()) == "null NULL");
  const char* const null = nullptr;
  CHECK(values.stored(null) == "null NULL");
  CHECK(values.stored(std::optional<const char*>(nullptr)) == "null NULL");
  CHECK(values.stored(std::optional<std::optional<int>>(std::optional<int>())) == "null NULL");
}

TEMPLATE_TEST_CASE("optional: a value reads as the value, NULL as nullopt", "", std::int64_t, bool, double, float,
                   std::string, std::vector<std::byte>, Colour, std::chrono::sys_seconds, std::chrono::sys_days) {
  Values values;
  TestType value{};
  if constexpr (std::same_as<TestType, std::string>) value = "text";
  if constexpr (std::same_as<TestType, std::vector<std::byte>>) value = bytes("blob");
  CHECK(values.round_trip<std::optional<TestType>>(std::optional(value)) == std::optional(value));
  CHECK(values.round_trip<TestType>(std::optional(value)) == value);
  CHECK(values.round_trip<std::optional<TestType>>(nullptr) == std::nullopt);
  const Error error = values.failure<TestType>("NULL");
  CHECK(error.code() == errc::unexpected_null);
  CHECK(contains(error.what(), "column 1 ('it') is NULL: read it into a std::optional"));
}

TEST_CASE("column types: nothing is converted silently, and the error names column, class and need") {
  Values values;
  CHECK(values.failure<std::int64_t>("1.0").code() == errc::column_type);
  CHECK(values.failure<std::int64_t>("'1'").code() == errc::column_type);
  CHECK(values.failure<std::int64_t>("x'31'").code() == errc::column_type);
  CHECK(values.failure<std::string>("1").code() == errc::column_type);
  CHECK(values.failure<std::string>("1.5").code() == errc::column_type);
  CHECK(values.failure<double>("x'31'").code() == errc::column_type);
  CHECK(values.failure<std::optional<std::int64_t>>("'1'").code() == errc::column_type);
  CHECK(values.failure<std::chrono::sys_seconds>("1.5").code() == errc::column_type);
  CHECK(contains(values.failure<std::int64_t>("1.0").what(), "column 1 ('it') holds REAL, the field needs INTEGER"));
  CHECK(contains(values.failure<std::string>("x'31'").what(), "column 1 ('it') holds BLOB, the field needs TEXT"));
  CHECK(contains(values.failure<std::chrono::sys_seconds>("x'31'").what(), "TEXT or INTEGER (a time)"));
}

namespace {

struct Employee {
  std::int64_t id;
  std::string name;
  std::optional<double> weight;
  std::vector<std::byte> data;
  Colour colour;
  std::chrono::sys_seconds at;

  bool operator==(const Employee&) const = default;
};

struct Pair {
  int left = 0;
  std::optional<std::string> right{};
};

}  // namespace

TEST_CASE("rows: aggregates and tuples are filled by position") {
  Values values;
  const Employee record{7, "name", std::nullopt, bytes("data"), Colour::blue, std::chrono::sys_days(2024y / 2 / 29)};
  constexpr auto sql = "SELECT ?, ?, ?, ?, ?, ?";
  CHECK(values.db.query_one<Employee>(sql, record.id, record.name, record.weight, record.data, record.colour,
                                      record.at) == record);

  const auto tuple = values.db.query_one<std::tuple<int, std::string, std::optional<int>>>("SELECT 1, 'two', NULL");
  CHECK(tuple == std::tuple(1, "two"s, std::optional<int>()));
  CHECK(values.db.query_one<std::tuple<int>>("SELECT 5") == std::tuple(5));
  CHECK(values.db.query_one<Pair>("SELECT 1, NULL").right == std::nullopt);
}

TEST_CASE("rows: query_all gives all of them in order, none of them as an empty vector") {
  Values values;
  CHECK(values.db.query_all<int>("SELECT value FROM json_each('[3, 1, 2]') ORDER BY value DESC") ==
        std::vector{3, 2, 1});
  CHECK(values.db.query_all<int>("SELECT 1 WHERE 0").empty());
  CHECK(values.db.query_all<std::optional<int>>("VALUES (1), (NULL)") ==
        std::vector<std::optional<int>>{1, std::nullopt});
}

TEST_CASE("rows: query_one and query_optional tell no row, one row and more rows apart") {
  Values values;
  CHECK(values.db.query_optional<int>("SELECT 1") == 1);
  CHECK(values.db.query_optional<int>("SELECT 1 WHERE 0") == std::nullopt);
  CHECK(code_of([&] { values.db.query_optional<int>("VALUES (1), (2)"); }) == errc::too_many_rows);
  CHECK(code_of([&] { values.db.query_one<int>("VALUES (1), (2)"); }) == errc::too_many_rows);
  CHECK(code_of([&] { values.db.query_one<int>("SELECT 1 WHERE 0"); }) == errc::no_row);
  const auto null = values.db.query_optional<std::optional<int>>("SELECT NULL");
  REQUIRE(null.has_value());
  CHECK_FALSE(null->has_value());
}

TEST_CASE("rows: a row of another width is column_count, before any value is looked at") {
  Values values;
  CHECK(code_of([&] { values.db.query_one<Pair>("SELECT 1"); }) == errc::column_count);
  CHECK(code_of([&] { values.db.query_one<Pair>("SELECT 1, 'two', 3"); }) == errc::column_count);
  CHECK(code_of([&] { values.db.query_one<int>("SELECT 'x', 'y'"); }) == errc::column_count);
  CHECK(code_of([&] { values.db.query_one<std::tuple<int, int>>("SELECT 'x'"); }) == errc::column_count);
  const Error error = error_of([&] { values.db.query_one<Pair>("SELECT 'x', 2, 3"); });
  CHECK(contains(error.what(), "the row has 3 columns, the type has 2 fields"));
}

TEST_CASE("rows: an error in a field names the column by number and name") {
  Values values;
  const auto message = [&](const std::string& sql) {
    return std::string(error_of([&] { values.db.query_one<Pair>(sql); }).what());
  };
  CHECK(contains(message("SELECT 1 AS a, 2 AS b"), "column 2 ('b') holds INTEGER, the field needs TEXT"));
  CHECK(contains(message("SELECT NULL AS a, 'x' AS b"), "column 1 ('a') is NULL"));
  CHECK(contains(message("SELECT 2147483648 AS a, 'x' AS b"), "column 1 ('a') does not fit"));
  CHECK(contains(error_of([&] { values.db.query_one<std::tuple<int, int>>("SELECT 1 AS a, NULL AS b"); }).what(),
                 "column 2 ('b')"));
}

TEST_CASE("parameters: their number must be the number of values") {
  Values values;
  CHECK(values.db.query_one<int>("SELECT ?1 + ?1", 2) == 4);
  CHECK(values.db.query_one<int>("SELECT :a + :b", 2, 3) == 5);
  CHECK(code_of([&] { values.db.execute("SELECT ?"); }) == errc::parameter_count);
  CHECK(code_of([&] { values.db.execute("SELECT 1", 1); }) == errc::parameter_count);
  const Error error = error_of([&] { values.db.query_all<int>("SELECT ?, ?", 1, 2, 3); });
  CHECK(error.code() == errc::parameter_count);
  CHECK(contains(error.what(), "the statement has 2 parameters, but 3 values were given"));
  // ?5 alone means five parameters, as SQLite counts.
  CHECK(contains(error_of([&] { values.db.execute("SELECT ?5", 1); }).what(), "has 5 parameters"));
}

TEST_CASE("owned arguments: views and pointers become owners, values stay what they are") {
  using detail::to_owned;
  static_assert(std::same_as<decltype(to_owned(std::string_view())), std::string>);
  static_assert(std::same_as<decltype(to_owned(std::string())), std::string>);
  static_assert(std::same_as<decltype(to_owned("literal")), std::string>);
  static_assert(std::same_as<decltype(to_owned(std::span<const std::byte>())), std::vector<std::byte>>);
  static_assert(std::same_as<decltype(to_owned(std::array<std::byte, 2>())), std::array<std::byte, 2>>);
  static_assert(std::same_as<decltype(to_owned(std::optional<std::string_view>())), std::optional<std::string>>);
  static_assert(std::same_as<decltype(to_owned(1U)), unsigned>);
  static_assert(std::same_as<decltype(to_owned(Colour::red)), Colour>);
  static_assert(std::same_as<decltype(to_owned(nullptr)), std::nullptr_t>);
  static_assert(std::same_as<decltype(to_owned(std::chrono::sys_days())), std::chrono::sys_days>);

  std::string text = "short";
  const auto owned = to_owned(std::string_view(text));
  text = "other";
  CHECK(owned == "short");
  const char* pointer = nullptr;
  CHECK_FALSE(to_owned(pointer).has_value());
  pointer = "pointer";
  CHECK(to_owned(pointer) == "pointer");
  CHECK_FALSE(to_owned(std::optional<std::string_view>()).has_value());
  CHECK(to_owned(std::optional<std::string_view>("x")) == "x");
  auto moved = std::make_unique<int>();
  static_assert(!Bindable<decltype(moved)>);
}

TEST_CASE("Bindable and Row: what has no SQLite counterpart does not compile") {
  static_assert(Bindable<int> && Bindable<const std::string&> && Bindable<const char(&)[4]> &&
                Bindable<std::nullopt_t>);
  static_assert(Bindable<std::optional<std::span<const std::byte>>> &&
                Bindable<std::chrono::sys_time<std::chrono::nanoseconds>>);
  static_assert(!Bindable<void*> && !Bindable<std::vector<int>> && !Bindable<const int*> &&
                !Bindable<std::chrono::duration<double>>);
  static_assert(!Bindable<std::chrono::sys_time<std::chrono::duration<double>>>);
  static_assert(!Bindable<std::chrono::local_seconds> && !Bindable<std::optional<void*>> &&
                !Bindable<const unsigned char*>);
  static_assert(Row<int> && Row<std::optional<std::string>> && Row<std::tuple<int, double>> && Row<Employee>);
  static_assert(!Row<std::string_view> && !Row<const char*> && !Row<std::vector<int>> &&
                !Row<std::optional<std::optional<int>>>);
  static_assert(!Row<void*> && !Row<std::optional<Employee>>);
}
