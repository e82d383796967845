#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/connection_access.hpp"
#include "engine/scopes.hpp"
#include "sqlite/local_session.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/testing/log_capture.hpp"
#include "statehouse/testing/manual_clock.hpp"

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
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  testing::LogCapture log{};
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

/// What SQLite has compiled on this connection, one text per statement.
inline std::vector<std::string> prepared_statements(sqlite3* db) {
  std::vector<std::string> texts;
  for (sqlite3_stmt* s = sqlite3_next_stmt(db, nullptr); s != nullptr; s = sqlite3_next_stmt(db, s))
    texts.emplace_back(sqlite3_sql(s));
  return texts;
}

}  // namespace statehouse::test
