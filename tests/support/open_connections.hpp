#pragma once

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <stdexcept>

#include "statehouse/connection.hpp"

namespace statehouse::test {

/// Connections that are open: one is counted from before anybody has it until SQLite has closed its files.
class OpenConnections {
 public:
  std::function<void(Connection&, connection_role)> counting() {
    return [this](Connection& connection, connection_role) {
      sqlite3* const handle = connection.native().getHandle();  // throws when the opening is stopped
      const int now = ++open_;
      for (int most = most_; most < now && !most_.compare_exchange_weak(most, now);) {
      }
      const auto nothing = [](sqlite3_context*, int, sqlite3_value**) {};
      const auto closed = [](void* self) { --static_cast<OpenConnections*>(self)->open_; };
      if (sqlite3_create_function_v2(handle, "counted", 0, SQLITE_UTF8, this, nothing, nullptr, nullptr, closed) !=
          SQLITE_OK)
        throw std::runtime_error("cannot register counted()");
    };
  }
  int open() const { return open_; }
  std::size_t most() const { return static_cast<std::size_t>(most_.load()); }

 private:
  std::atomic<int> open_{0};
  std::atomic<int> most_{0};
};

}  // namespace statehouse::test
