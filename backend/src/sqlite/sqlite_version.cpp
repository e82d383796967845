#include "statehouse/sqlite_version.hpp"

#include <sqlite3.h>

namespace statehouse {

static_assert(SQLITE_VERSION_NUMBER >= 3040000, "statehouse needs SQLite 3.40");

SqliteVersion sqlite_version() {
  const int number = sqlite3_libversion_number();
  return {number, sqlite3_libversion(), sqlite3_sourceid(), has_wal_reset_bug(number)};
}

}  // namespace statehouse
