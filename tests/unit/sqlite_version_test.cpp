#include "statehouse/sqlite_version.hpp"

#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>

using namespace statehouse;

TEST_CASE("has_wal_reset_bug: 3.7.0 to 3.51.2, but for the repaired branches 3.44.6 and 3.50.7") {
  for (const int affected : {3007000, 3007017, 3037002, 3040001, 3043002, 3044000, 3044005, 3045001, 3046001, 3049002,
                             3050000, 3050006, 3051000, 3051002}) {
    CAPTURE(affected);
    CHECK(has_wal_reset_bug(affected));
  }
  for (const int safe :
       {3006000, 3006023, 3044006, 3044009, 3050007, 3050008, 3051003, 3051004, 3052000, 3053000, 3053004, 4000000}) {
    CAPTURE(safe);
    CHECK_FALSE(has_wal_reset_bug(safe));
  }
}

TEST_CASE("sqlite_version: describes the library the process runs with") {
  const SqliteVersion version = sqlite_version();
  CHECK(version.number == sqlite3_libversion_number());
  CHECK(version.text == sqlite3_libversion());
  CHECK(version.source_id == sqlite3_sourceid());
  CHECK(version.wal_reset_bug == has_wal_reset_bug(version.number));
}
