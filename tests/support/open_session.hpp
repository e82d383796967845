#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "engine/connection_access.hpp"
#include "engine/scopes.hpp"
#include "log_capture.hpp"
#include "manual_clock.hpp"
#include "sqlite/local_session.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::test {

inline Connection open(detail::SessionConfig config) {
  const ConnectionOptions options = config.options;
  return detail::ConnectionAccess::open(std::make_unique<detail::LocalSession>(std::move(config)), options);
}

/// What is behind a connection.
inline detail::LocalSession& session(Reader& connection) {
  return detail::local_session_of(connection);
}

/// What a pool would open a connection with, on a clock that stands still.
struct Fixture {
  std::filesystem::path path = ":memory:";
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  LogCapture log{};
  ConnectionOptions options{};

  detail::SessionConfig config(connection_role role = connection_role::writer) const {
    return {.path = path,
            .context = {.database = "test",
                        .role = role,
                        .interrupter = std::make_shared<detail::Interrupter>(clock),
                        .logger = log.logger()},
            .options = options};
  }
  Connection open(connection_role role = connection_role::writer) const { return test::open(config(role)); }
  std::unique_ptr<Connection> connect(connection_role role = connection_role::writer) const {
    return detail::connect(std::make_unique<detail::LocalSession>(config(role)), options);
  }
};

/// A connection that is not ours: another program on the same file.
class Stranger {
 public:
  explicit Stranger(const std::filesystem::path& path) {
    const int result = sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    if (result != SQLITE_OK) throw std::runtime_error("stranger: cannot open " + path.string());
  }
  ~Stranger() { sqlite3_close(db_); }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  int try_execute(const std::string& sql) { return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr); }
  void execute(const std::string& sql) {
    if (try_execute(sql) != SQLITE_OK) throw std::runtime_error("stranger: " + sql + ": " + sqlite3_errmsg(db_));
  }
  sqlite3* handle() const noexcept { return db_; }

 private:
  sqlite3* db_ = nullptr;
};

/// How many descriptors of this process lead to `path` or its -wal and -shm.
inline std::size_t open_descriptors(const std::filesystem::path& path) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const auto target = std::filesystem::read_symlink(entry.path(), ignored).string();
    if (target.starts_with(path.string())) ++count;
  }
  return count;
}

/// What SQLite has compiled on this connection, one text per statement.
inline std::vector<std::string> prepared_statements(sqlite3* db) {
  std::vector<std::string> texts;
  for (sqlite3_stmt* s = sqlite3_next_stmt(db, nullptr); s != nullptr; s = sqlite3_next_stmt(db, s))
    texts.emplace_back(sqlite3_sql(s));
  return texts;
}

}  // namespace statehouse::test
