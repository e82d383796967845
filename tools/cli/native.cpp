#include "native.hpp"

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <string>

#include "statehouse/error.hpp"

namespace statehouse::cli {

sqlite3* native_handle(Connection& connection) {
  sqlite3* const database = connection.native().getHandle();
  sqlite3_set_authorizer(database, nullptr, nullptr);
  return database;
}

void execute_natively(Connection& connection, const char* sql) {
  sqlite3* const database = native_handle(connection);
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return;
  throw Error(make_sqlite_error(sqlite3_extended_errcode(database)),
              std::string(sql) + " failed, and nothing was changed: " + sqlite3_errmsg(database));
}

}  // namespace statehouse::cli
