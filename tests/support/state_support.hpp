#pragma once

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <initializer_list>
#include <memory>
#include <optional>
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

/// An AppState as a server has it: real time, database threads of its own (two, unless the options say more), callers
/// on a pool of threads, which wait for a connection as long as a test has patience, unless the options say otherwise.
class ThreadedApp {
 public:
  /// `data_dir` and `logger` are given by this class.
  explicit ThreadedApp(AppStateOptions options = {}, std::size_t callers = 2);

  /// An awaitable, or a function that makes one; a function is kept until its coroutine has ended.
  template <class Work>
  auto spawn(Work work) {
    if constexpr (std::is_invocable_v<Work&>) {
      return start<typename std::invoke_result_t<Work&>::value_type>(std::move(work));
    } else {
      return start<typename Work::value_type>(std::move(work));
    }
  }
  template <class Work>
  auto run(Work work) {
    return spawn(std::move(work)).get();
  }
  Pool open(std::string_view name = "test") { return run(state->db_instances.get_pool(name)); }

  TempDir dir;
  LogCapture log;
  asio::thread_pool io;
  std::optional<AppState> state;  // goes first

 private:
  template <class T, class Work>
  std::future<T> start(Work work) {
    std::promise<T> promise;
    std::future<T> result = promise.get_future();
    asio::co_spawn(io, drive<T>(std::move(work), std::move(promise)), asio::detached);  // drive() catches all
    return result;
  }
  template <class T, class Work>
  static asio::awaitable<void> drive(Work work, std::promise<T> promise) {
    try {
      if constexpr (std::is_void_v<T>) {
        co_await begin_work(work);
        promise.set_value();
      } else {
        T value = co_await begin_work(work);
        promise.set_value(std::move(value));
      }
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  }
};

inline ThreadedApp::ThreadedApp(AppStateOptions options, std::size_t callers) : io(callers) {
  if (options.database_threads == 0) options.database_threads = 2;
  if (options.pool.acquire_timeout == PoolOptions().acquire_timeout) options.pool.acquire_timeout = patience;
  options.data_dir = dir.path();
  options.logger = log.logger();
  state.emplace(io.get_executor(), std::move(options));
  run(state->init());
}

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
  return &a.path() == &b.path();
}

}  // namespace statehouse::test
