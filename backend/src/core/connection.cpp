#include "statehouse/connection.hpp"

#include <spdlog/spdlog.h>

#include "core/file.hpp"

namespace statehouse {
namespace {

detail::SessionConfig standalone(const std::filesystem::path& path, ConnectionOptions options) {
  detail::SessionConfig config;
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
    : Connection(standalone(path, std::move(options))) {}

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
