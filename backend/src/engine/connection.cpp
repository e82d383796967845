#include "statehouse/connection.hpp"

#include "base/deadline.hpp"
#include "engine/connection_access.hpp"
#include "engine/scopes.hpp"

namespace statehouse {

Reader::Reader(std::unique_ptr<detail::Session> session) noexcept : session_(std::move(session)) {}
Reader::~Reader() = default;

SQLite::Database& Reader::native() {
  return session_->native();
}

Connection::Connection(std::unique_ptr<detail::Session> session) noexcept : Reader(std::move(session)) {}

Connection::Connection(std::unique_ptr<detail::Session> session, const ConnectionOptions& options)
    : Connection(std::move(session)) {
  detail::call_on_connect(*this, options);
}

void Connection::execute_script(std::string_view sql) {
  const std::string script(sql);
  for (std::size_t at = 0; at < script.size();) {
    const std::size_t next = session_->run_next(script, at);
    if (next == at) session_->fail(errc::not_one_statement, "the script contains a NUL byte", sql.substr(at));
    at = next;
  }
}

namespace detail {

void Statement::fail(errc code, const std::string& message) const {
  throw Error(code, message, {database(), shorten(sql())});
}

StatementPtr prepare(Session& session, std::string_view sql) {
  return session.prepare(sql);
}

bool changes_transaction(Session& session, const Statement& statement) noexcept {
  // Between the rows of another statement no statement can be undone by itself.
  return !session.rules().read_only && !statement.reads_only() &&
         (session.in_transaction() || session.interrupter().has_open_query());
}

std::shared_ptr<void> limit_run(Session& session, TimeLimit limit) {
  const auto& interrupter = session.context().interrupter;
  return std::make_shared<Interrupter::Limit>(interrupter, deadline(interrupter->clock().now(), limit));
}

void call_on_connect(Connection& connection, const ConnectionOptions& options) {
  if (!options.on_connect) return;
  Session& session = session_of(connection);
  const PermissionScope scope(session, permission::maintenance);
  options.on_connect(connection, session.context().role);
  session.clean();
  session.remember_settings();
}

std::unique_ptr<Connection> connect(std::unique_ptr<Session> session, const ConnectionOptions& options) {
  auto connection = ConnectionAccess::make(std::move(session));
  call_on_connect(*connection, options);
  return connection;
}

}  // namespace detail
}  // namespace statehouse
