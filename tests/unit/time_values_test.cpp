#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <string>

#include "error_of.hpp"
#include "statehouse/connection.hpp"
#include "text/time_text.hpp"

using namespace statehouse;
using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::sys_time;
using test::code_of;
using test::contains;
using test::error_of;

namespace {

using Milliseconds = sys_time<std::chrono::milliseconds>;
using Microseconds = sys_time<std::chrono::microseconds>;
using Nanoseconds = sys_time<std::chrono::nanoseconds>;
using Hours = sys_time<std::chrono::hours>;

constexpr sys_days leap_day = 2024y / 2 / 29;

struct Times {
  Connection db{":memory:"};

  template <class T>
  std::string text(const T& value) {
    return db.query_one<std::string>("SELECT ?", value);
  }
  template <class T>
  T read(const std::string& value) {
    return db.query_one<T>("SELECT ? AS at", value);
  }
  template <class T>
  T round_trip(const T& value) {
    return db.query_one<T>("SELECT ?", value);
  }
};

}  // namespace

TEST_CASE("times: written in ISO 8601 with as many of 0, 3, 6 or 9 digits as are needed, as sqlx does") {
  Times times;
  CHECK(times.text(leap_day) == "2024-02-29T00:00:00+00:00");
  CHECK(times.text(Hours(leap_day + 23h)) == "2024-02-29T23:00:00+00:00");
  CHECK(times.text(sys_seconds(leap_day + 12h + 30min + 5s)) == "2024-02-29T12:30:05+00:00");
  CHECK(times.text(Milliseconds(leap_day + 12h + 30min + 250ms)) == "2024-02-29T12:30:00.250+00:00");
  CHECK(times.text(Milliseconds(leap_day + 12h)) == "2024-02-29T12:00:00+00:00");
  CHECK(times.text(Microseconds(leap_day + 1us)) == "2024-02-29T00:00:00.000001+00:00");
  CHECK(times.text(Microseconds(leap_day + 250ms)) == "2024-02-29T00:00:00.250+00:00");
  CHECK(times.text(Nanoseconds(leap_day + 1ns)) == "2024-02-29T00:00:00.000000001+00:00");
  CHECK(times.text(Nanoseconds(leap_day + 1500ns)) == "2024-02-29T00:00:00.000001500+00:00");
  CHECK(times.text(sys_seconds(0s)) == "1970-01-01T00:00:00+00:00");
}

TEST_CASE("times: before 1970 the fraction still counts forward") {
  Times times;
  CHECK(times.text(Milliseconds(-250ms)) == "1969-12-31T23:59:59.750+00:00");
  CHECK(times.text(Nanoseconds(-1ns)) == "1969-12-31T23:59:59.999999999+00:00");
  CHECK(times.text(sys_seconds(-1s)) == "1969-12-31T23:59:59+00:00");
  CHECK(times.text(sys_days(1600y / 2 / 29)) == "1600-02-29T00:00:00+00:00");
  CHECK(times.text(sys_days(0y / 1 / 1)) == "0000-01-01T00:00:00+00:00");
  for (const Milliseconds value :
       {Milliseconds(-1ms), Milliseconds(-1000ms), Milliseconds(-1001ms), Milliseconds(-86'400'001ms)})
    CHECK(times.round_trip(value) == value);
}

TEMPLATE_TEST_CASE("times: every duration comes back as it went", "", sys_days, Hours, sys_time<std::chrono::minutes>,
                   sys_seconds, Milliseconds, Microseconds, Nanoseconds, std::chrono::system_clock::time_point) {
  Times times;
  for (const auto value :
       {TestType{}, std::chrono::floor<typename TestType::duration>(Nanoseconds(leap_day + 123'456'789ns)),
        std::chrono::floor<typename TestType::duration>(Nanoseconds(-123'456'789ns))})
    CHECK(times.round_trip(value) == value);
}

TEST_CASE("times: SQLite's date functions understand what is written") {
  Times times;
  const Milliseconds value = leap_day + 12h + 30min + 5s + 250ms;
  CHECK(times.db.query_one<std::string>("SELECT datetime(?)", value) == "2024-02-29 12:30:05");
  CHECK(times.db.query_one<std::string>("SELECT strftime('%f', ?)", value) == "05.250");
  CHECK(times.db.query_one<sys_seconds>("SELECT unixepoch(?)", value) ==
        std::chrono::floor<std::chrono::seconds>(value));
}

TEST_CASE("times: every text form that SQLite's functions and sqlx write is read") {
  Times times;
  const sys_seconds noon = leap_day + 12h;
  CHECK(times.read<sys_seconds>("2024-02-29") == leap_day);
  CHECK(times.read<sys_seconds>("2024-02-29 12:00") == noon);
  CHECK(times.read<sys_seconds>("2024-02-29T12:00") == noon);
  CHECK(times.read<sys_seconds>("2024-02-29 12:00Z") == noon);
  CHECK(times.read<sys_seconds>("2024-02-29 12:00:00") == noon);
  CHECK(times.read<sys_seconds>("2024-02-29T12:00:00") == noon);
  CHECK(times.read<sys_seconds>("2024-02-29T12:00:00Z") == noon);
  CHECK(times.read<sys_seconds>("2024-02-29T12:00:00+00:00") == noon);
  CHECK(times.read<sys_seconds>("2024-02-29T14:00:00+02:00") == noon);
  CHECK(times.read<sys_seconds>("2024-02-29T06:30:00-05:30") == noon);
  CHECK(times.read<sys_seconds>("2024-03-01T00:30:00+12:30") == noon);
  CHECK(times.read<Milliseconds>("2024-02-29 12:00:00.5") == noon + 500ms);
  CHECK(times.read<Milliseconds>("2024-02-29 12:00:00.250Z") == noon + 250ms);
  CHECK(times.read<Microseconds>("2024-02-29T12:00:00.000001+00:00") == noon + 1us);
  CHECK(times.read<Nanoseconds>("2024-02-29T12:00:00.000000001+00:00") == noon + 1ns);
  CHECK(times.read<Nanoseconds>("2024-02-29T12:00:00.1234567891234Z") == noon + 123'456'789ns);
  for (const std::string sql :
       {"datetime(0, 'unixepoch')", "date(0, 'unixepoch')", "unixepoch('1970-01-01')",
        "strftime('%Y-%m-%dT%H:%M:%fZ', 0, 'unixepoch')", "strftime('%Y-%m-%d %H:%M', 0, 'unixepoch')"})
    CHECK(times.db.query_one<sys_seconds>("SELECT " + sql) == sys_seconds(0s));
}

TEST_CASE("times: a coarser field rounds down, before 1970 too") {
  Times times;
  CHECK(times.read<sys_seconds>("2024-02-29T12:00:00.999Z") == leap_day + 12h);
  CHECK(times.read<sys_days>("2024-02-29T23:59:59.999Z") == leap_day);
  CHECK(times.read<Hours>("1969-12-31T23:59:59.999Z") == Hours(-1h));
  CHECK(times.read<Milliseconds>("1969-12-31T23:59:59.9999Z") == Milliseconds(-1ms));
}

TEST_CASE("times: what is no date and time is column_type and names the column, not the text") {
  Times times;
  for (const std::string text : {"",
                                 " ",
                                 "now",
                                 "2024",
                                 "2024-02",
                                 "24-02-29",
                                 "2024-2-29",
                                 "2024-02-30",
                                 "2023-02-29",
                                 "2024-13-01",
                                 "2024-00-10",
                                 "2024-01-00",
                                 "2024-02-29T",
                                 "2024-02-29 ",
                                 "2024-02-29x",
                                 "2024-02-29T12",
                                 "2024-02-29T12:",
                                 "2024-02-29T1:00",
                                 "2024-02-29T24:00",
                                 "2024-02-29T12:60",
                                 "2024-02-29T12:00:60",
                                 "2024-02-29T12:00:",
                                 "2024-02-29T12:00:00.",
                                 "2024-02-29T12:00:00.Z",
                                 "2024-02-29T12:00:00+",
                                 "2024-02-29T12:00:00+2",
                                 "2024-02-29T12:00:00+0200",
                                 "2024-02-29T12:00:00+24:00",
                                 "2024-02-29T12:00:00+02:60",
                                 "2024-02-29T12:00:00ZZ",
                                 "2024-02-29T12:00:00Z ",
                                 " 2024-02-29",
                                 "-2024-02-29",
                                 "2024/02/29",
                                 "12:00:00",
                                 "2024-02-29T12:00:00 +02:00",
                                 "2024-02-29T-1:00"}) {
    CAPTURE(text);
    CHECK_FALSE(detail::parse_time(text).has_value());
    const Error error = error_of([&] { times.read<sys_seconds>(text); });
    CHECK(error.code() == errc::column_type);
    CHECK(contains(error.what(), "column 1 ('at') is not an ISO 8601 date and time"));
    if (text.size() > 4) CHECK_FALSE(contains(error.what(), text));
  }
  using namespace std::string_literals;
  CHECK_FALSE(detail::parse_time("2024-02-29\0"s).has_value());
}

TEST_CASE("times: an INTEGER is seconds since 1970") {
  Times times;
  CHECK(times.db.query_one<sys_seconds>("SELECT 86400") == sys_days(1970y / 1 / 2));
  CHECK(times.db.query_one<sys_days>("SELECT -1") == sys_days(1969y / 12 / 31));
  CHECK(times.db.query_one<Milliseconds>("SELECT 1") == Milliseconds(1s));
}

TEST_CASE("times: what is read can be written again, also where an offset leads over the end of the calendar") {
  Times times;
  CHECK(times.read<sys_seconds>("9999-12-31T23:59:59+00:01") == sys_days(9999y / 12 / 31) + 24h - 61s);
  CHECK(times.read<sys_seconds>("0000-01-01T00:00:00-00:01") == sys_days(0y / 1 / 1) + 60s);
  for (const std::string text : {"9999-12-31T23:59:59-00:01", "9999-12-31 12:00-23:59", "0000-01-01T00:00:00+00:01"}) {
    INFO(text);
    CHECK(code_of([&] { times.read<sys_seconds>(text); }) == errc::column_type);
  }
}

TEST_CASE("times: a time outside the years 0000 to 9999 cannot be bound") {
  Times times;
  CHECK(times.text(sys_seconds(sys_days(9999y / 12 / 31) + 24h - 1s)) == "9999-12-31T23:59:59+00:00");
  CHECK(times.text(Nanoseconds::max()) == "2262-04-11T23:47:16.854775807+00:00");
  CHECK(times.text(Nanoseconds::min()) == "1677-09-21T00:12:43.145224192+00:00");
  for (const sys_seconds value : {sys_seconds(sys_days(10000y / 1 / 1)), sys_seconds(sys_days(0y / 1 / 1) - 1s),
                                  sys_seconds::max(), sys_seconds::min()}) {
    const Error error = error_of([&] { times.text(value); });
    CHECK(error.code() == errc::value_out_of_range);
    CHECK(contains(error.what(), "parameter 1"));
  }
  CHECK(code_of([&] { times.text(Milliseconds::max()); }) == errc::value_out_of_range);
  CHECK(code_of([&] { times.text(sys_days::max()); }) == errc::value_out_of_range);
  CHECK(code_of([&] { times.text(Hours::min()); }) == errc::value_out_of_range);
}

TEST_CASE("times: a time that the field's duration cannot count is value_out_of_range, never another time") {
  Times times;
  CHECK(times.read<sys_seconds>("9999-12-31T23:59:59Z") == sys_days(9999y / 12 / 31) + 24h - 1s);
  CHECK(times.read<Milliseconds>("9999-12-31T23:59:59.999Z") == sys_days(9999y / 12 / 31) + 24h - 1ms);
  CHECK(times.read<Nanoseconds>("2262-04-11T23:47:15Z") == sys_seconds(9223372035s));
  CHECK(times.read<Nanoseconds>("1677-09-21T00:12:44Z") == sys_seconds(-9223372036s));
  for (const std::string text :
       {"9999-12-31", "2262-04-12", "2262-04-11T23:47:16.854775808Z", "1677-09-20", "0001-01-01"}) {
    CAPTURE(text);
    const Error error = error_of([&] { times.read<Nanoseconds>(text); });
    CHECK(error.code() == errc::value_out_of_range);
    CHECK(contains(error.what(), "column 1 ('at')"));
  }
  // Milliseconds where seconds are expected: the commonest mistake.
  CHECK(code_of([&] { times.db.query_one<Nanoseconds>("SELECT 1709164800000"); }) == errc::value_out_of_range);
  CHECK(code_of([&] { times.db.query_one<Milliseconds>("SELECT 9223372036854775807"); }) == errc::value_out_of_range);
}
