#include "database.hpp"

#include <spdlog/spdlog.h>
#include <SQLiteCpp/Database.h>

#include <memory>
#include <utility>

#include "arguments.hpp"
#include "file/file.hpp"
#include "output.hpp"
#include "statehouse/database_name.hpp"

namespace statehouse::cli {
namespace {

ConnectionOptions options(const Arguments& arguments) {
  ConnectionOptions options;
  options.busy_timeout = arguments.busy_timeout;
  options.on_connect = [](Connection& connection, connection_role) {
    sqlite3_wal_autocheckpoint(connection.native().getHandle(), 0);
  };
  return options;
}

}  // namespace

std::filesystem::path database_file(const Arguments& arguments) {
  std::filesystem::path file;
  if (!arguments.database.empty()) {
    if (arguments.database == ":memory:" || arguments.database.starts_with("sqlite:") ||
        arguments.database.starts_with("file:"))
      throw UsageError("--database takes the path of a file, without a scheme, not '" + arguments.database + "'");
    file = arguments.database;
  } else if (!arguments.name.empty()) {
    check_prefix(arguments.dev_prefix);
    file = std::filesystem::path(arguments.data_dir) /
           DatabaseName::parse_or_throw(arguments.name).file_name(arguments.dev_prefix);
  } else {
    throw UsageError("which database? Give --database FILE, or --data-dir DIR and --name NAME");
  }
  return resolved(file);
}

std::filesystem::path resolved(const std::filesystem::path& file) {
  const auto absolute = std::filesystem::absolute(file);
  std::error_code error;
  const auto directory = std::filesystem::weakly_canonical(absolute.parent_path(), error);
  return error ? absolute : directory / absolute.filename();
}

bool is_there(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(file, error);
  if (status.type() == std::filesystem::file_type::none)
    throw Error(error, "cannot look for the database file '" + file.string() + "': " + error.message() +
                           ": check owner and mode of the directories above it");
  return std::filesystem::exists(status);
}

void require_file(const std::filesystem::path& file) {
  if (!is_there(file)) throw Finding("not_found", "there is no database file '" + file.string() + "'");
}

Connection open_to_write(const Arguments& arguments, const std::filesystem::path& file) {
  detail::prepare_directory(file.parent_path());
  return Connection(file, options(arguments));
}

Connection open_nothing(const std::filesystem::path& file) {
  detail::SessionConfig config;
  config.path = ":memory:";
  config.database = file.stem().string();
  config.interrupter = std::make_shared<detail::Interrupter>(make_steady_clock());
  config.logger = spdlog::default_logger();
  return Connection(std::move(config));
}

Connection open_to_read(const Arguments& arguments, const std::filesystem::path& file) {
  return Connection::for_reading(file, options(arguments));
}

}  // namespace statehouse::cli
