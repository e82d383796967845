#pragma once

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <functional>
#include <stdexcept>

#include "async_fixture.hpp"

namespace statehouse::test {

/// `hook()` in SQL: calls what the test has put in `call` with the number of calls so far, on the thread that runs the
/// statement, and gives that number. So a test acts in the middle of a statement. A statement that calls it more than
/// `limit` times fails instead of running for ever.
class SqlHook {
 public:
  static constexpr int limit = 1'000'000;

  std::function<void(int)> call;
  int calls = 0;

  void install(Reader& connection) {
    sqlite3_create_function(connection.native().getHandle(), "hook", 0, SQLITE_UTF8, this, &SqlHook::run, nullptr,
                            nullptr);
  }
  /// `options` with the function on every connection.
  PoolOptions in(PoolOptions options = {}) {
    options.connection.on_connect = [this, before = options.connection.on_connect](Connection& connection,
                                                                                   connection_role role) {
      install(connection);
      if (before) before(connection, role);
    };
    return options;
  }

 private:
  static void run(sqlite3_context* context, int, sqlite3_value**) {
    auto* const self = static_cast<SqlHook*>(sqlite3_user_data(context));
    const int number = ++self->calls;
    if (number > limit) return sqlite3_result_error(context, "nobody stops this statement", -1);
    if (self->call) self->call(number);
    sqlite3_result_int(context, number);
  }
};

/// Counts to infinity, one `hook()` per row.
inline constexpr const char* endless_hook =
    "WITH RECURSIVE c(n) AS (SELECT hook() UNION ALL SELECT hook() FROM c) "
    "SELECT count(*) FROM c";

inline bool in_autocommit(Reader& connection) {
  return sqlite3_get_autocommit(connection.native().getHandle()) != 0;
}

/// What every operation must leave behind, however it ended: nobody holds or waits for a connection, and the next user
/// of each finds it in no transaction, with no statement busy.
inline void check_all_clean(SteppedApp& app, const Pool& pool) {
  app.settle();
  const DatabaseStats stats = pool.stats();
  CHECK(stats.holders.empty());
  CHECK(stats.writer.in_use == 0);
  CHECK(stats.writer.waiting == 0);
  CHECK(stats.readers.in_use == 0);
  CHECK(stats.readers.waiting == 0);
  const auto clean = [](Reader& connection) {
    sqlite3* const db = connection.native().getHandle();
    for (sqlite3_stmt* s = sqlite3_next_stmt(db, nullptr); s != nullptr; s = sqlite3_next_stmt(db, s))
      if (sqlite3_stmt_busy(s) != 0) return false;
    return in_autocommit(connection);
  };
  const auto writer_clean = [&](Connection& connection) { return clean(connection); };
  CHECK(app.run(pool.write_without_transaction(writer_clean)));
  // A lease is handed out as it is, without a turn on a database thread before; its closures run in a snapshot.
  for (std::size_t reader_index = 0; reader_index < stats.readers.connections; ++reader_index)
    CHECK(app.run(pool.query_one<int>("SELECT 1")) == 1);
}

inline std::int64_t count(SteppedApp& app, const Pool& pool, const std::string& table = "t") {
  return app.run(pool.query_one<std::int64_t>("SELECT count(*) FROM " + table));
}

}  // namespace statehouse::test
