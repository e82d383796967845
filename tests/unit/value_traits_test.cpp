// Types that the library does not know by itself: those of a user, and those that come with it as such.

#include <array>
#include <bit>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/uuid/uuid.hpp>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "error_of.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/json.hpp"
#include "statehouse/uuid.hpp"

namespace app {

struct Email {
  std::string text;
  bool operator==(const Email&) const = default;
};
enum class Colour { red, green };
/// Kept as an Email is.
struct Account {
  Email email;
};
struct OnlyBound {};
struct Tag {
  std::string hex;
};
/// Kept as NULL where there is none.
struct Score {
  std::optional<std::int64_t> points;
  bool operator==(const Score&) const = default;
};
/// Kept in two storage classes.
struct Key {
  std::variant<std::int64_t, std::string> value;
  bool operator==(const Key&) const = default;
};

}  // namespace app

template <>
struct statehouse::value_traits<app::Email> {
  using stored_type = std::string_view;
  static const std::string& to_stored(const app::Email& email) {
    if (email.text.empty()) throw UnfitValue("is no e-mail address");
    return email.text;
  }
  static app::Email from_stored(std::string_view text) {
    if (text.find('@') == std::string_view::npos) throw UnfitValue("is no e-mail address", errc::column_type);
    if (text == "@") throw std::logic_error("not ours");
    return {std::string(text)};
  }
};
template <>
struct statehouse::value_traits<app::Colour> {
  using stored_type = std::string;
  static const char* to_stored(app::Colour colour) { return colour == app::Colour::red ? "red" : "green"; }
  static app::Colour from_stored(const std::string& text) {
    return text == "red" ? app::Colour::red : app::Colour::green;
  }
};
template <>
struct statehouse::value_traits<app::Account> {
  using stored_type = app::Email;
  static app::Email to_stored(const app::Account& account) { return account.email; }
  static app::Account from_stored(app::Email email) { return {std::move(email)}; }
};
template <>
struct statehouse::value_traits<app::OnlyBound> {
  static std::optional<std::int64_t> to_stored(app::OnlyBound) { return 7; }
};
template <>
struct statehouse::value_traits<app::Tag> {
  static std::vector<std::byte> to_stored(const app::Tag& tag) {
    return {tag.hex.size(), static_cast<std::byte>(tag.hex.front())};
  }
};

template <>
struct statehouse::value_traits<app::Score> {
  using stored_type = std::optional<std::int64_t>;
  static std::optional<std::int64_t> to_stored(app::Score score) { return score.points; }
  static app::Score from_stored(std::optional<std::int64_t> points) { return {points}; }
};
template <>
struct statehouse::value_traits<app::Key> {
  using stored_type = std::variant<std::int64_t, std::string>;
  static const stored_type& to_stored(const app::Key& key) { return key.value; }
  static app::Key from_stored(stored_type value) { return {std::move(value)}; }
};

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

struct Traits {
  Connection db{":memory:"};

  template <class T>
  std::string kept(const T& value) {
    return db.query_one<std::string>("SELECT typeof(?1) || ' ' || quote(?1)", value);
  }
  template <class T>
  T came_back(const T& value) {
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
  template <class T>
  Error refusal(const T& value) {
    return error_of([&] { kept(value); });
  }
};

TEST_CASE_METHOD(Traits, "value_traits: a type of the user's is bound and read, alone, in rows and where NULL may be") {
  CHECK(kept(app::Email{"a@b"}) == "text 'a@b'");
  CHECK(read<app::Email>("'a@b'") == app::Email{"a@b"});
  CHECK(kept(std::optional(app::Email{"a@b"})) == "text 'a@b'");
  CHECK(kept(std::optional<app::Email>()) == "null NULL");
  CHECK(read<std::optional<app::Email>>("NULL") == std::nullopt);
  struct Person {
    int id;
    app::Email email;
    std::optional<app::Email> other;
  };
  const auto person = db.query_one<Person>("SELECT 1, 'a@b', NULL");
  CHECK(person.email == app::Email{"a@b"});
  CHECK(person.other == std::nullopt);
  CHECK(read<app::Account>("'a@b'").email == app::Email{"a@b"});
  CHECK(std::get<1>(db.query_one<std::tuple<int, app::Email>>("SELECT 1, 'a@b'")) == app::Email{"a@b"});
}

TEST_CASE_METHOD(Traits,
                 "value_traits: what to_stored gives and owns is copied, text and blob, through several of them") {
  const std::string longer(100, 'x');
  CHECK(kept(app::Account{{longer}}) == "text '" + longer + '\'');
  CHECK(kept(app::Tag{"AAAA"}) == "blob X'41414141'");
  CHECK(kept(app::OnlyBound()) == "integer 7");
}

TEST_CASE_METHOD(Traits, "value_traits: they go before what the library would do with the type") {
  CHECK(kept(app::Colour::red) == "text 'red'");
  CHECK(read<app::Colour>("'red'") == app::Colour::red);
  CHECK(failure<app::Colour>("0").code() == errc::column_type);
}

TEST_CASE_METHOD(Traits, "value_traits: a value that does not fit is an Error that names the parameter or the column") {
  const Error bound = error_of([&] { db.execute("SELECT ?, ?", 1, app::Email{}); });
  CHECK(bound.code() == errc::value_out_of_range);
  CHECK(std::string_view(bound.what()) == "database ':memory:': parameter 2 is no e-mail address [SELECT ?, ?]");
  const Error column = failure<app::Email>("'nobody'");
  CHECK(column.code() == errc::column_type);
  CHECK(column.message() == "column 1 ('it') is no e-mail address");
  CHECK(failure<app::Email>("7").message() == "column 1 ('it') holds INTEGER, the field needs TEXT");
  CHECK(failure<app::Email>("NULL").code() == errc::unexpected_null);
  CHECK(failure<app::Account>("NULL").code() == errc::unexpected_null);
  CHECK_THROWS_AS(read<app::Email>("'@'"), std::logic_error);
}

TEST_CASE_METHOD(Traits, "dates: TEXT as sqlx writes a NaiveDate, and nothing else") {
  using std::chrono::year_month_day;
  const year_month_day leap = 2024y / 2 / 29;
  CHECK(kept(leap) == "text '2024-02-29'");
  for (const year_month_day date : {leap, year_month_day(0y / 1 / 1), year_month_day(9999y / 12 / 31)})
    CHECK(came_back(date) == date);
  for (const char* const text :
       {"'2023-02-29'", "'2024-2-29'", "'2024-02-29 10:00'", "' 2024-02-29'", "'2024-02-29Z'", "''", "'24-02-29'"})
    CHECK(failure<year_month_day>(text).code() == errc::column_type);
  CHECK(failure<year_month_day>("20240229").code() == errc::column_type);
  CHECK(refusal(year_month_day(2023y / 2 / 29)).message() == "parameter 1 is not a date");
  CHECK(refusal(year_month_day(10000y / 1 / 1)).code() == errc::value_out_of_range);
  CHECK(refusal(year_month_day(std::chrono::year(-1) / 1 / 1)).code() == errc::value_out_of_range);
}

TEST_CASE_METHOD(Traits,
                 "durations: INTEGER nanoseconds whatever they count, read as any other without loss or not at all") {
  using std::chrono::nanoseconds;
  CHECK(kept(1500ms) == "integer 1500000000");
  CHECK(kept(-1ns) == "integer -1");
  CHECK(kept(std::chrono::hours(2)) == "integer 7200000000000");
  CHECK(read<std::chrono::seconds>("7200000000000") == std::chrono::hours(2));
  for (const auto limit : {nanoseconds::min(), nanoseconds::max()}) CHECK(came_back(limit) == limit);
  CHECK(came_back(std::chrono::seconds(9'223'372'036)) == std::chrono::seconds(9'223'372'036));
  CHECK(refusal(std::chrono::seconds(9'223'372'037)).code() == errc::value_out_of_range);
  CHECK(refusal(std::chrono::years::max()).code() == errc::value_out_of_range);
  CHECK(refusal(std::chrono::seconds::min()).code() == errc::value_out_of_range);
  CHECK(failure<std::chrono::seconds>("1500000000").code() == errc::value_out_of_range);
  CHECK(failure<std::chrono::duration<std::int8_t>>("128000000000").code() == errc::value_out_of_range);
  CHECK(failure<std::chrono::seconds>("1.5").code() == errc::column_type);
  using Frames = std::chrono::duration<std::int64_t, std::ratio<1, 30>>;
  CHECK(came_back(Frames(60)) == Frames(60));
  CHECK(refusal(Frames(1)).code() == errc::value_out_of_range);
}

TEST_CASE_METHOD(Traits, "byte arrays: BLOBs of exactly that size") {
  using Key = std::array<std::byte, 3>;
  const Key key{std::byte{0}, std::byte{1}, std::byte{255}};
  CHECK(kept(key) == "blob X'0001FF'");
  CHECK(came_back(key) == key);
  CHECK(came_back(std::array<unsigned char, 2>{1, 2}) == std::array<unsigned char, 2>{1, 2});
  CHECK(came_back(std::array<std::byte, 0>{}).empty());
  CHECK(failure<Key>("x'0001'").message() == "column 1 ('it') holds 2 bytes, the field 3");
  CHECK(failure<Key>("x'00010203'").code() == errc::value_out_of_range);
  CHECK(failure<Key>("'abc'").code() == errc::column_type);
}

TEST_CASE_METHOD(Traits, "variants: bound as what they hold, read by the storage class") {
  using Value = std::variant<std::monostate, std::int64_t, double, std::string, std::vector<std::byte>>;
  const std::vector<Value> values{std::monostate(), std::int64_t{-7}, 1.0, "text", std::vector(2, std::byte{1})};
  for (const Value& value : values) CHECK(came_back(value) == value);
  CHECK(kept(Value(1.0)) == "real 1.0");
  CHECK(kept(std::variant<int, std::string_view>("lent")) == "text 'lent'");
  CHECK(kept(std::variant<int, app::Account>(app::Account{{"a@b"}})) == "text 'a@b'");
  CHECK(read<std::optional<std::variant<int, std::string>>>("NULL") == std::nullopt);

  using Narrow = std::variant<std::int8_t, std::chrono::sys_seconds>;
  CHECK(std::get<1>(read<Narrow>("'1970-01-01T00:00:01Z'")) == std::chrono::sys_seconds(1s));
  CHECK(failure<Narrow>("128").code() == errc::value_out_of_range);
  CHECK(failure<Narrow>("1.5").message() ==
        "column 1 ('it') holds REAL, the field needs what its std::variant has a type for");
  CHECK(failure<Narrow>("NULL").code() == errc::unexpected_null);
  static_assert(!Row<std::variant<int, void*>> && !Bindable<std::variant<int, void*>>);
  static_assert(!Row<std::variant<int, std::optional<std::string>>>);
}

TEST_CASE_METHOD(Traits, "variants: a type of the user's takes each storage class that it is kept in, NULL too") {
  using Scored = std::variant<std::string, app::Score>;
  for (const Scored& value : {Scored("text"), Scored(app::Score{7}), Scored(app::Score{})})
    CHECK(came_back(value) == value);
  CHECK(read<Scored>("NULL") == Scored(app::Score{}));
  CHECK(read<std::optional<Scored>>("NULL") == std::nullopt);
  CHECK(failure<Scored>("x'00'").code() == errc::column_type);

  using Keyed = std::variant<std::monostate, double, app::Key>;
  for (const Keyed& value : {Keyed(), Keyed(1.5), Keyed(app::Key{7}), Keyed(app::Key{"text"})})
    CHECK(came_back(value) == value);
  using Nested = std::variant<std::vector<std::byte>, std::variant<std::int64_t, std::string>>;
  CHECK(std::get<0>(std::get<1>(read<Nested>("7"))) == 7);
}

TEST_CASE("variants: two types that are kept in one storage class, NULL too, do not compile") {
  const auto are_distinct = []<class Variant>(std::type_identity<Variant>) {
    return detail::are_of_distinct_classes(static_cast<const Variant*>(nullptr));
  };
  STATIC_CHECK(are_distinct(std::type_identity<std::variant<std::monostate, app::Key>>()));
  STATIC_CHECK_FALSE(are_distinct(std::type_identity<std::variant<std::monostate, app::Score>>()));
  STATIC_CHECK_FALSE(are_distinct(std::type_identity<std::variant<int, app::Score>>()));
  STATIC_CHECK_FALSE(are_distinct(std::type_identity<std::variant<app::Key, std::string>>()));
}

TEST_CASE("variants: an awaited verb owns what they refer to, and keeps which it was") {
  std::string text = "before";
  using Value = std::variant<std::string, std::string_view, int>;
  const auto owned = detail::to_owned(Value(std::string_view(text)));
  text = "after!";
  static_assert(std::same_as<decltype(owned), const std::variant<std::string, std::string, int>>);
  REQUIRE(owned.index() == 1);
  CHECK(std::get<1>(owned) == "before");
  CHECK(std::get<2>(detail::to_owned(Value(3))) == 3);
}

TEST_CASE_METHOD(Traits, "uuid: a BLOB of 16 bytes, as sqlx keeps it") {
  boost::uuids::uuid id{};
  unsigned char next = 0x10;
  for (auto& byte : id) byte = next++;
  CHECK(kept(id) == "blob X'101112131415161718191A1B1C1D1E1F'");
  CHECK(came_back(id) == id);
  CHECK(failure<boost::uuids::uuid>("x'00'").code() == errc::value_out_of_range);
  CHECK(failure<boost::uuids::uuid>("'10111213-1415-1617-1819-1a1b1c1d1e1f'").code() == errc::column_type);
}

TEST_CASE_METHOD(Traits, "json: TEXT that SQLite's functions read, numbers exact, and null another thing than NULL") {
  using boost::json::value;
  const value document{{"name", "Ada \"L\""}, {"list", {1, -2.5, nullptr, true}}, {"big", 9007199254740993}};
  CHECK(came_back(document) == document);
  CHECK(db.query_one<std::string>("SELECT json_extract(?, '$.name')", document) == "Ada \"L\"");
  CHECK(kept(value(nullptr)) == "text 'null'");
  CHECK(read<std::optional<value>>("'null'") == value(nullptr));
  CHECK(read<std::optional<value>>("NULL") == std::nullopt);
  for (const double number : {0.1, 1.0 / 3, 5e-324, std::numeric_limits<double>::max(), -0.0, 1e22})
    CHECK(came_back(value(number)).as_double() == number);
  CHECK(came_back(value(std::numeric_limits<std::uint64_t>::max())).as_uint64() ==
        std::numeric_limits<std::uint64_t>::max());
  std::mt19937_64 random(Catch::getSeed());
  for (int i = 0; i < 200; ++i) {
    const auto number = std::bit_cast<double>(random());
    if (std::isfinite(number)) CHECK(came_back(value(number)).as_double() == number);
  }
  for (const char* const text : {"'{'", "''", "'[1,]'", "'{} x'", "'NaN'"})
    CHECK(failure<value>(text).code() == errc::column_type);
  CHECK(failure<value>("'{'").message().starts_with("column 1 ('it') is not JSON"));
}

TEST_CASE_METHOD(Traits, "json: what its text would not keep is an error") {
  using boost::json::value;
  CHECK(refusal(value(std::numeric_limits<double>::quiet_NaN())).code() == errc::value_out_of_range);
  CHECK(refusal(value{{"a", {1, std::numeric_limits<double>::infinity()}}}).code() == errc::value_out_of_range);
  value deep = 1;
  for (std::size_t i = 0; i < detail::deepest_json; ++i) {
    boost::json::array around;
    around.push_back(std::move(deep));
    deep = std::move(around);
  }
  CHECK(came_back(deep) == deep);
  boost::json::array too_deep;
  too_deep.push_back(deep);
  CHECK(refusal(value(too_deep)).code() == errc::value_out_of_range);
}

TEST_CASE_METHOD(Traits, "json: texts and keys that are no UTF-8 are not stored, since nobody could read them") {
  namespace json = boost::json;
  const auto outcome = [&](const json::value& value) {
    try {
      const json::value back = came_back(value);
      CHECK(back == value);
      return true;
    } catch (const Error& error) {
      CHECK(error.code() == errc::value_out_of_range);
      CHECK(error.message() ==
            "parameter 1 holds text that is not UTF-8, or a number or depth that JSON does not keep");
      return false;
    }
  };
  const std::string broken = "\xC3";
  CHECK_FALSE(outcome(json::value(broken)));
  CHECK_FALSE(outcome({{"list", {1, {{"inner", "good, then " + broken}}}}}));
  CHECK_FALSE(outcome({{"object", {{broken, 1}}}}));
  CHECK(outcome(json::value(std::string("a\0\x7F\u00e9\U0010FFFF", 9))));
  std::mt19937_64 random(Catch::getSeed());
  constexpr std::string_view bytes = "a\x80\x8F\x90\x9F\xA0\xBF\xC0\xC2\xE0\xED\xEF\xF0\xF4\xF5\xFF";
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (auto left = random() % 5; left > 0; --left) text += bytes[random() % bytes.size()];
    boost::system::error_code failure;
    json::parse('"' + text + '"', failure);
    CAPTURE(i);
    CHECK(outcome(json::value(text)) == !failure);
  }
}

}  // namespace
}  // namespace statehouse::test
