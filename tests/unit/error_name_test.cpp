#include <sqlite3.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cctype>
#include <string_view>
#include <vector>

#include "statehouse/error.hpp"

namespace {

using namespace statehouse;

TEST_CASE("name: every errc has one of its own, of letters that a label of metrics may have") {
  std::vector<std::string_view> names;
  for (int value = static_cast<int>(errc::invalid_name); value <= static_cast<int>(errc::migration_recorded); ++value) {
    const std::string_view name = name_of(static_cast<errc>(value));
    CAPTURE(value, name);
    CHECK(name != "other");
    CHECK(std::ranges::all_of(name, [](unsigned char c) { return c == '_' || std::islower(c) != 0; }));
    CHECK(std::ranges::count(names, name) == 0);
    names.push_back(name);
  }
  CHECK(name_of(errc::acquire_timeout) == "acquire_timeout");
  CHECK(name_of(errc::queue_full) == "queue_full");
}

TEST_CASE("name: SQLite's codes have those of their kind, however they are extended") {
  for (const int code : {SQLITE_IOERR, SQLITE_IOERR_FSYNC, SQLITE_IOERR_NOMEM})
    CHECK(name_of(make_sqlite_error(code)) == "SQLITE_IOERR");
  CHECK(name_of(make_sqlite_error(SQLITE_FULL)) == "SQLITE_FULL");
  CHECK(name_of(make_sqlite_error(SQLITE_BUSY_SNAPSHOT)) == "SQLITE_BUSY");
  CHECK(name_of(make_sqlite_error(SQLITE_CONSTRAINT_UNIQUE)) == "SQLITE_CONSTRAINT");
}

TEST_CASE("name: a cancelled operation is told from all else that is not ours") {
  CHECK(name_of(boost::asio::error::operation_aborted) == "operation_aborted");
  CHECK(name_of({ENOSPC, boost::system::system_category()}) == "other");
  CHECK(name_of({9999, statehouse_category()}) == "other");
  CHECK(name_of(make_sqlite_error(99)) == "other");
}

}  // namespace
