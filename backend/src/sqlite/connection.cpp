#include "statehouse/connection.hpp"

#include <spdlog/spdlog.h>

#include <system_error>

#include "file/file.hpp"

namespace statehouse {
namespace {

detail::SessionConfig standalone(const std::filesystem::path& path, ConnectionOptions options, connection_role role) {
  detail::SessionConfig config;
  config.role = role;
  config.database = path.stem().string();
  config.logger = spdlog::default_logger();
  config.interrupter = std::make_shared<detail::Interrupter>(make_steady_clock());
  if (path == ":memory:") {
    config.path = path;
  } else {
    config.path = detail::resolve_file(path);
    detail::prepare_file(config.path, options.tighten_permissions, *config.logger);
  }
  config.options = std::move(options);
  return config;
}

}  // namespace

Connection::Connection(const std::filesystem::path& path, ConnectionOptions options)
    : Connection(standalone(path, std::move(options), connection_role::writer)) {}

Connection Connection::for_reading(const std::filesystem::path& path, ConnectionOptions options) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, error)))
    throw Error({error.value(), boost::system::system_category()},
                error == std::errc::no_such_file_or_directory
                    ? "there is no database file '" + path.string() + "'"
                    : "cannot look for the database file '" + path.string() + "': " + error.message());
  auto config = standalone(path, std::move(options), connection_role::reader);
  // The last one to close moves the log into the database and deletes it: not for somebody who only looks. But an empty
  // log that the opening itself has made has to go again.
  config.keep_log = detail::file_size_or_zero(config.path.string() + "-wal") > 0;
  return Connection(std::move(config));
}

Connection::Connection(detail::SessionConfig config) : Reader(std::move(config)) {
  const auto& hook = session().config().options.on_connect;
  if (!hook) return;
  detail::Session::PermissionScope scope(session(), detail::permission::maintenance);
  hook(*this, session().config().role);
  session().clean();
  session().remember_settings();
}

namespace detail {

SavepointScope::SavepointScope(Session& session) : session_(session) {
  Session::PermissionScope scope(session_, permission::unrestricted);
  session_.execute_script("SAVEPOINT statehouse");
  outer_ = session_.expect_transaction(true);
}

void SavepointScope::release() {
  Session::PermissionScope scope(session_, permission::unrestricted);
  session_.execute_script("RELEASE statehouse");
  session_.expect_transaction(outer_);
  released_ = true;
}

SavepointScope::~SavepointScope() {
  if (released_) return;
  // SQLite may have rolled back the whole transaction already, and the savepoint with it.
  if (session_.in_transaction()) {
    Interrupter::Shield shield(session_.interrupter());
    Session::PermissionScope scope(session_, permission::unrestricted);
    try {
      session_.execute_script("ROLLBACK TO statehouse; RELEASE statehouse");
    } catch (const std::exception&) {
      session_.rollback();  // half of a savepoint must not be committed: give up the whole transaction
    }
  }
  session_.expect_transaction(outer_);
}

}  // namespace detail
}  // namespace statehouse
