// The table of backend/docs/types.md: every C++ type, every storage class, the ends of every range. What is not stored
// or read as it is is an error or does not compile.

#include <sys/mman.h>

#include <array>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "error_of.hpp"
#include "statehouse/connection.hpp"

using namespace statehouse;
using namespace std::chrono_literals;
using namespace std::string_literals;
using test::code_of;
using test::contains;
using test::error_of;

namespace {

using Bytes = std::vector<std::byte>;
using Octets = std::vector<std::uint8_t>;
using Seconds = std::chrono::sys_seconds;
using Millis = std::chrono::sys_time<std::chrono::milliseconds>;

enum class Letter : char { a = 'a' };
enum class Yes : bool { no, yes };
enum class Deep : std::int64_t { least = std::numeric_limits<std::int64_t>::min() };

struct Table {
  Connection db{":memory:"};

  template <class T>
  boost::system::error_code reading(const std::string& expression) {
    try {
      read<T>(expression);
      return {};
    } catch (const Error& error) {
      return error.code();
    }
  }
  template <class T>
  T read(const std::string& expression) {
    return db.query_one<T>("SELECT " + expression);
  }
  template <class T>
  std::string stored(const T& value) {
    return db.query_one<std::string>("SELECT typeof(?1) || ' ' || quote(?1)", value);
  }
  template <class T>
  boost::system::error_code binding(const T& value) {
    return code_of([&] { stored(value); });
  }
};

/// What a type gives for one value of each storage class, and as an optional, for which NULL is a value.
template <class T>
void check_classes(const std::array<boost::system::error_code, 5>& expected) {
  Table table;
  const std::array values{"NULL", "1", "1.5", "'text'", "x'61'"};
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(values[i]);
    CHECK(table.reading<T>(values[i]) == expected[i]);
    CHECK(table.reading<std::optional<T>>(values[i]) == (i == 0 ? boost::system::error_code() : expected[i]));
  }
}

const boost::system::error_code fine;
const boost::system::error_code null = errc::unexpected_null;
const boost::system::error_code other = errc::column_type;

#ifdef __SIZEOF_INT128__
__extension__ using Int128 = __int128;
__extension__ using Unsigned128 = unsigned __int128;
#endif

}  // namespace

TEMPLATE_TEST_CASE("conversions: integers, bool and enums are read from INTEGER alone", "", bool, signed char,
                   unsigned char, short, unsigned short, int, unsigned, long, unsigned long, long long,
                   unsigned long long, std::byte, Letter, Yes, Deep) {
  check_classes<TestType>({null, fine, other, other, other});
}

TEMPLATE_TEST_CASE("conversions: float and double are read from REAL and INTEGER", "", float, double) {
  check_classes<TestType>({null, fine, fine, other, other});
}

TEST_CASE("conversions: text from TEXT, bytes from BLOB, times from INTEGER and from TEXT that is one") {
  check_classes<std::string>({null, other, other, fine, other});
  check_classes<Bytes>({null, other, other, other, fine});
  check_classes<Octets>({null, other, other, other, fine});
  check_classes<Seconds>({null, fine, other, other, other});
  Table table;
  CHECK(table.read<Seconds>("'2024-02-29 12:30:00'") == std::chrono::sys_days(2024y / 2 / 29) + 12h + 30min);
}

TEST_CASE("conversions: an INTEGER is read into double and float where they hold it exactly") {
  Table table;
  constexpr std::int64_t exact = std::int64_t(1) << 53;
  for (const std::int64_t sign : {1, -1}) {
    CHECK(table.read<double>(std::to_string(sign * exact)) == static_cast<double>(sign * exact));
    CHECK(table.reading<double>(std::to_string(sign * (exact + 1))) == errc::value_out_of_range);
    CHECK(table.read<double>(std::to_string(sign * (exact + 2))) == static_cast<double>(sign * (exact + 2)));
    CHECK(table.read<float>(std::to_string(sign * 16'777'216)) == static_cast<float>(sign * 16'777'216));
    CHECK(table.reading<float>(std::to_string(sign * 16'777'217)) == errc::value_out_of_range);
  }
  CHECK(table.read<double>("-9223372036854775808") == -0x1p63);
  CHECK(table.read<float>("-9223372036854775808") == -0x1p63F);
  CHECK(table.reading<double>("9223372036854775807") == errc::value_out_of_range);
  CHECK(table.reading<float>("9223372036854775807") == errc::value_out_of_range);
  CHECK(table.reading<std::optional<double>>("9007199254740993") == errc::value_out_of_range);
  CHECK(table.reading<std::tuple<int, double>>("1, 9007199254740993") == errc::value_out_of_range);
}

TEST_CASE("conversions: a REAL is read into float within its range, infinities included, and never becomes zero") {
  Table table;
  CHECK(table.read<float>("0.1") == 0.1F);
  CHECK(table.read<float>("3.4028234663852886e38") == std::numeric_limits<float>::max());
  for (const char* const outside : {"3.5e38", "-3.5e38", "1e300", "-1e300", "1e-300", "-1e-300", "1e-46"})
    CHECK(table.reading<float>(outside) == errc::value_out_of_range);
  CHECK(std::isinf(table.read<float>("9e999")));
  CHECK(table.read<float>("-9e999") == -std::numeric_limits<float>::infinity());
  CHECK(table.read<float>("0.0") == 0.0F);
  CHECK(table.read<float>("1e-45") == std::numeric_limits<float>::denorm_min());
  CHECK(table.read<double>("1e-300") == 1e-300);
  CHECK(table.read<double>("9e999") == std::numeric_limits<double>::infinity());
}

TEST_CASE("conversions: NaN is refused, as SQLite would store NULL") {
  Table table;
  for (const double sign : {1.0, -1.0}) {
    const double nan = std::copysign(std::numeric_limits<double>::quiet_NaN(), sign);
    const Error error = error_of([&] { table.db.execute("SELECT ?, ?", 1, nan); });
    CHECK(error.code() == errc::value_out_of_range);
    CHECK(contains(error.what(), "parameter 2 is NaN"));
    CHECK(table.binding(static_cast<float>(nan)) == errc::value_out_of_range);
    CHECK(table.binding(std::optional(nan)) == errc::value_out_of_range);
  }
  CHECK(table.db.query_one<int>("SELECT ? = 9e999", std::numeric_limits<double>::infinity()) == 1);
}

TEST_CASE("conversions: INTEGER times are seconds in the years 0000 to 9999; milliseconds are not mistaken for them") {
  Table table;
  CHECK(table.read<Seconds>("253402300799") == std::chrono::sys_days(10000y / 1 / 1) - 1s);
  CHECK(table.read<Seconds>("-62167219200") == std::chrono::sys_days(0y / 1 / 1));
  for (const char* const outside : {"253402300800", "-62167219201", "1709164800000", "1709164800000000",
                                    "9223372036854775807", "-9223372036854775808"}) {
    CAPTURE(outside);
    CHECK(table.reading<Seconds>(outside) == errc::value_out_of_range);
    CHECK(table.reading<Millis>(outside) == errc::value_out_of_range);
    CHECK(table.reading<std::chrono::sys_days>(outside) == errc::value_out_of_range);
  }
  CHECK(contains(error_of([&] { table.read<Seconds>("1709164800000"); }).what(), "are they milliseconds?"));
  CHECK(table.reading<std::chrono::sys_time<std::chrono::nanoseconds>>("9999999999") == errc::value_out_of_range);
  using Short = std::chrono::sys_time<std::chrono::duration<int>>;
  CHECK(table.reading<Short>("2147483648") == errc::value_out_of_range);
}

TEST_CASE("conversions: enums are their numbers, whatever these are written as") {
  Table table;
  CHECK(table.stored(Letter::a) == "integer 97");
  CHECK(table.read<Letter>("97") == Letter::a);
  CHECK(table.reading<Letter>("128") == errc::value_out_of_range);
  CHECK(table.stored(Yes::yes) == "integer 1");
  CHECK(table.reading<Yes>("2") == errc::value_out_of_range);
  CHECK(table.stored(Deep::least) == "integer -9223372036854775808");
  CHECK(table.stored(std::byte{255}) == "integer 255");
}

TEST_CASE("conversions: bytes of either kind are stored and read, in every container that is contiguous") {
  Table table;
  const Octets octets{0, 255, 10};
  const unsigned char array[]{0, 255, 10};
  CHECK(table.stored(octets) == "blob X'00FF0A'");
  CHECK(table.stored(array) == "blob X'00FF0A'");
  CHECK(table.stored(std::span<const unsigned char>(octets)) == "blob X'00FF0A'");
  CHECK(table.stored(std::span(octets).first<2>()) == "blob X'00FF'");
  CHECK(table.stored(std::array<std::uint8_t, 1>{7}) == "blob X'07'");
  CHECK(table.stored(Octets()) == "blob X''");
  CHECK(table.stored(std::optional<Octets>()) == "null NULL");
  CHECK(table.read<Octets>("x'00FF0A'") == octets);
  CHECK(table.read<Octets>("x''").empty());
  CHECK(table.db.query_one<std::tuple<Octets, Bytes>>("SELECT x'01', x'02'") ==
        std::tuple(Octets{1}, Bytes{std::byte{2}}));
}

TEST_CASE("conversions: a path is stored as the text it is") {
  Table table;
  CHECK(table.stored(std::filesystem::path("/tmp/a b")) == "text '/tmp/a b'");
  CHECK(table.stored(std::filesystem::path()) == "text ''");
  CHECK(table.stored(std::optional<std::filesystem::path>()) == "null NULL");
  CHECK(table.db.query_one<std::string>("SELECT ?", std::filesystem::path("\xff/x")) == "\xff/x");
}

TEST_CASE("conversions: text with NUL characters is stored and read whole") {
  Table table;
  const std::string text = "a\0b\0"s;
  CHECK(table.db.query_one<std::string>("SELECT ?", text) == text);
  table.db.execute("CREATE TABLE t(v)");
  table.db.execute("INSERT INTO t VALUES (?)", text);
  CHECK(table.read<std::string>("v FROM t") == text);
  CHECK(code_of([&] { table.db.execute("SELECT 1\0, 2"s); }) == errc::not_one_statement);
}

TEST_CASE("conversions: what an awaited verb keeps of an argument is its value") {
  using detail::to_owned;
  static_assert(std::same_as<decltype(to_owned(std::filesystem::path())), std::string>);
  static_assert(std::same_as<decltype(to_owned(Octets())), Octets>);
  static_assert(std::same_as<decltype(to_owned(std::span<const unsigned char>())), Bytes>);
  static_assert(std::same_as<decltype(to_owned(std::optional<std::filesystem::path>())), std::optional<std::string>>);
  Octets octets{1, 2};
  const auto owned = to_owned(std::span<const unsigned char>(octets));
  octets[0] = 9;
  CHECK(owned == Bytes{std::byte{1}, std::byte{2}});
}

TEST_CASE("conversions: SQL text longer than SQLite can take is refused, not cut") {
  constexpr std::size_t size = (std::size_t(1) << 31) + 16;  // an int would have it as negative
  void* const pages = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(pages != MAP_FAILED);
  Table table;
  const std::string_view text(static_cast<const char*>(pages), size);
  CHECK(code_of([&] { table.db.execute(text); }) == make_sqlite_error(18));  // SQLITE_TOOBIG
  munmap(pages, size);
}

TEST_CASE("conversions: types with values that SQLite does not hold do not compile") {
  static_assert(!Bindable<char> && !Bindable<wchar_t> && !Bindable<char8_t> && !Bindable<char16_t> &&
                !Bindable<char32_t> && !Bindable<std::optional<char>>);
  static_assert(!Row<char> && !Row<wchar_t> && !Row<std::optional<char>> && !Row<std::tuple<int, char>>);
  static_assert(!Bindable<long double> && !Row<long double> && !Row<std::tuple<long double>>);
#ifdef __SIZEOF_INT128__
  static_assert(!Bindable<Int128> && !Bindable<Unsigned128> && !Row<Int128> && !Row<std::optional<Unsigned128>>);
  static_assert(!Bindable<std::chrono::sys_time<std::chrono::duration<Int128>>>);
#endif
  static_assert(!Bindable<std::vector<char>> && !Bindable<std::vector<signed char>> && !Bindable<std::u8string>);
  static_assert(!Bindable<std::chrono::sys_time<std::chrono::duration<unsigned>>> &&
                !Bindable<std::chrono::sys_time<std::chrono::duration<std::int64_t, std::pico>>>);
  static_assert(Bindable<signed char> && Bindable<unsigned char> && Bindable<Octets> && Bindable<const Octets&> &&
                Bindable<std::span<const unsigned char>> && Bindable<std::filesystem::path> && Bindable<char[4]>);
  static_assert(Row<Octets> && Row<std::optional<Octets>> && Row<float> && Row<std::tuple<>>);
  SUCCEED();
}
