#include "statehouse/connection.hpp"

#include <spdlog/spdlog.h>

#include <system_error>

#include "engine/connection_access.hpp"
#include "file/file.hpp"
#include "sqlite/local_session.hpp"
#include "sqlite/open_file.hpp"

namespace statehouse {
namespace {

detail::SessionConfig standalone(const std::filesystem::path& path, ConnectionOptions options, connection_role role) {
  detail::SessionConfig config;
  config.context = {.database = path.stem().string(),
                    .role = role,
                    .interrupter = std::make_shared<detail::Interrupter>(make_steady_clock()),
                    .logger = spdlog::default_logger()};
  if (path == ":memory:") {
    config.path = path;
  } else {
    config.path = detail::resolve_file(path);
    detail::require_vfs(options, config.context.database);
    const auto file = detail::prepare_file(config.path, options.tighten_permissions, *config.context.logger);
    if (config.writes())
      config.claim = std::make_shared<detail::FileClaim>(config.path, file.identity, detail::file_use::writes_beside);
  }
  config.options = std::move(options);
  return config;
}

}  // namespace

Connection::Connection(const std::filesystem::path& path, const ConnectionOptions& options)
    : Connection(std::make_unique<detail::LocalSession>(standalone(path, options, connection_role::writer)), options) {}

Connection Connection::for_reading(const std::filesystem::path& path, const ConnectionOptions& options) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, error)))
    throw Error({error.value(), boost::system::system_category()},
                error == std::errc::no_such_file_or_directory
                    ? "there is no database file '" + path.string() + "'"
                    : "cannot look for the database file '" + path.string() + "': " + error.message());
  auto config = standalone(path, options, connection_role::reader);
  config.writer = detail::written_by::others;
  return Connection(std::make_unique<detail::LocalSession>(std::move(config)), options);
}

Connection Connection::in_memory(std::string name, const ConnectionOptions& options) {
  auto config = standalone(":memory:", options, connection_role::writer);
  config.context.database = std::move(name);
  return Connection(std::make_unique<detail::LocalSession>(std::move(config)), options);
}

}  // namespace statehouse
