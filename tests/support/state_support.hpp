#pragma once

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async_fixture.hpp"
#include "error_of.hpp"
#include "eventually.hpp"
#include "files.hpp"
#include "migrator_of.hpp"
#include "plain_database.hpp"
#include "process_files.hpp"
#include "statehouse/testing/test_app.hpp"

namespace statehouse::test {

using namespace std::chrono_literals;

/// Never ends by itself; SQLite's progress handler is called all along.
constexpr std::string_view endless =
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c WHERE x < 0";

/// An SQL function `hook()` on every connection that calls back into the test while a statement runs. `hook` must
/// outlive the connections and must not throw.
inline std::function<void(Connection&, connection_role)> with_hook(std::function<void()>& hook) {
  return [&hook](Connection& connection, connection_role) {
    const auto call = [](sqlite3_context* context, int, sqlite3_value**) {
      (*static_cast<std::function<void()>*>(sqlite3_user_data(context)))();
      sqlite3_result_int(context, 1);
    };
    if (sqlite3_create_function_v2(connection.native().getHandle(), "hook", 0, SQLITE_UTF8, &hook, call, nullptr,
                                   nullptr, nullptr) != SQLITE_OK)
      throw std::runtime_error("cannot register hook()");
  };
}

/// What one statement gives, first column, read by a connection of nobody's pool.
inline std::vector<std::string> column(const std::filesystem::path& file, const std::string& sql) {
  return PlainDatabase(file).column(sql);
}
inline std::string value(const std::filesystem::path& file, const std::string& sql) {
  return PlainDatabase(file).text(sql);
}

/// What a shutdown promises about a file: no -wal, no -shm, no descriptor, and content without a fault.
inline void check_closed(const std::filesystem::path& file) {
  CAPTURE(file);
  CHECK_FALSE(std::filesystem::exists(file.string() + "-wal"));
  CHECK_FALSE(std::filesystem::exists(file.string() + "-shm"));
  CHECK(open_descriptors(file) == 0);
  CHECK(value(file, "PRAGMA quick_check") == "ok");
}

/// An AppState as a server has it, whose callers wait for a connection as long as a test has patience, unless the
/// options say otherwise.
class ThreadedApp : public testing::TestApp {
 public:
  explicit ThreadedApp(AppStateOptions options = {}, std::size_t callers = 2)
      : TestApp(patient(std::move(options)), callers) {}

 private:
  static AppStateOptions patient(AppStateOptions options) {
    if (options.pool.acquire_timeout == PoolOptions().acquire_timeout) options.pool.acquire_timeout = patience;
    return options;
  }
};

/// One more AppState that runs where `app` runs.
inline std::unique_ptr<AppState> another(SteppedApp& app, const std::filesystem::path& data_dir,
                                         const std::string& prefix = {}) {
  AppStateOptions options;
  options.data_dir = data_dir;
  options.dev_prefix = prefix;
  options.database_executor = app.db.get_executor();
  options.clock = app.clock;
  options.logger = app.log.logger();
  return std::make_unique<AppState>(app.io.get_executor(), std::move(options));
}

/// Two handles mean the same pool.
inline bool same(const Pool& a, const Pool& b) {
  return &a.name() == &b.name();
}

}  // namespace statehouse::test
