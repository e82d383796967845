#pragma once

#include "engine/session.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::detail {

/// The library's door to what a connection is made of.
struct ConnectionAccess {
  static std::unique_ptr<Connection> make(std::unique_ptr<Session> session) {
    return std::unique_ptr<Connection>(new Connection(std::move(session)));
  }
  /// The same by value, which a connection can be only where it comes to be; `on_connect` is called.
  static Connection open(std::unique_ptr<Session> session, const ConnectionOptions& options) {
    return Connection(std::move(session), options);
  }
  static Session& session(Reader& connection) noexcept { return *connection.session_; }
};

inline Session& session_of(Reader& connection) noexcept {
  return ConnectionAccess::session(connection);
}

/// A connection over `session` as its user expects it: `on_connect` was called.
std::unique_ptr<Connection> connect(std::unique_ptr<Session> session, const ConnectionOptions& options);

/// `ConnectionOptions::on_connect`; what it sets is what `restore_settings` goes back to.
void call_on_connect(Connection& connection, const ConnectionOptions& options);

}  // namespace statehouse::detail
