// An extension of SQLite as a program would load it: the function doubled(x).
#include <sqlite3ext.h>

SQLITE_EXTENSION_INIT1

extern "C" int sqlite3_extension_init(sqlite3* database, char**, const sqlite3_api_routines* routines) {
  SQLITE_EXTENSION_INIT2(routines);
  const auto doubled = [](sqlite3_context* context, int, sqlite3_value** values) {
    sqlite3_result_int64(context, 2 * sqlite3_value_int64(values[0]));
  };
  return sqlite3_create_function_v2(database, "doubled", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                    nullptr, doubled, nullptr, nullptr, nullptr);
}
