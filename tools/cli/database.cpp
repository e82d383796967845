#include "database.hpp"

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>
#include <sys/stat.h>

#include <cerrno>

#include "arguments.hpp"
#include "cluster.hpp"
#include "database_url.hpp"
#include "live_log.hpp"
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

ConnectionOptions cluster_options(const Arguments& arguments) {
  ConnectionOptions options;
  options.busy_timeout = arguments.busy_timeout;
  return options;
}

/// Of a URL no more is told than its scheme: there may be a password in it.
void require_no_url(const std::string& file) {
  const std::string scheme(scheme_of(file));
  const bool is_ours =
      sqlite3_strnicmp(scheme.c_str(), "sqlite", 6) == 0 || sqlite3_stricmp(scheme.c_str(), "file") == 0;
  if (file == ":memory:" || (!scheme.empty() && (is_ours || file.find("://") != std::string::npos)))
    throw UsageError("--database takes the path of a file, without a scheme, not '" +
                     (scheme.empty() ? file : scheme + ':') + "'");
}

/// The file of a name, as the library has it: no symbolic link below the data directory is followed.
std::filesystem::path named_file(const std::filesystem::path& data_dir, const DatabaseName& name,
                                 const std::string& prefix) {
  std::filesystem::path directory = data_dir;
  for (const auto& segment : std::filesystem::path(name.directory())) {
    std::error_code ignored;
    directory /= segment;
    if (std::filesystem::is_symlink(directory, ignored))
      throw Error(errc::not_a_regular_file,
                  "'" + directory.string() + "' is a symbolic link, and none is followed inside the data directory");
  }
  return data_dir / name.file_name(prefix);
}

}  // namespace

Place::Place(const Arguments& arguments) : arguments_(arguments) {
  if (arguments.cluster.empty()) {
    file_ = database_file(arguments);
    text_ = file_.string();
    return;
  }
  cluster_ = database_of_cluster(arguments);
  text_ = cluster_.database;
}

bool Place::is_there() const {
  return file_.empty() ? ClusterAdmin(cluster_).has_database() : cli::is_there(file_);
}

void Place::require() const {
  if (!file_.empty()) return require_file(file_);
  if (!is_there()) throw Finding("not_found", "the cluster has no database '" + text_ + "': check the name");
}

Connection Place::open_to_write() const {
  return file_.empty() ? Connection::in_cluster(cluster_, connection_role::writer, cluster_options(arguments_))
                       : cli::open_to_write(arguments_, file_);
}

Connection Place::open_to_read() const {
  return file_.empty() ? Connection::in_cluster(cluster_, connection_role::reader, cluster_options(arguments_))
                       : cli::open_to_read(arguments_, file_);
}

Connection Place::open_nothing() const {
  return cli::open_nothing(text_);
}

std::filesystem::path database_file(const Arguments& arguments) {
  std::filesystem::path file;
  if (!arguments.database.empty()) {
    require_no_url(arguments.database);
    file = arguments.database;
  } else if (!arguments.name.empty() && !arguments.data_dir.empty()) {
    check_prefix(arguments.dev_prefix);
    file = named_file(arguments.data_dir, DatabaseName::parse_or_throw(arguments.name), arguments.dev_prefix);
  } else {
    throw UsageError(arguments.name.empty() ? "which database? Give --database FILE, or --data-dir DIR and --name NAME"
                                            : "in which directory is the database? Give --data-dir DIR");
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
  require_there(file, "database file");
}

void require_there(const std::filesystem::path& file, const std::string& what) {
  if (!is_there(file)) throw Finding("not_found", "there is no " + what + " '" + file.string() + "'");
}

std::uintmax_t size_of(const std::filesystem::path& file) noexcept {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  return error ? 0 : size;
}

void make_directories(const std::filesystem::path& directory) {
  std::error_code error;
  if (directory.empty() || std::filesystem::exists(directory, error)) return;
  make_directories(directory.parent_path());
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return;
  const boost::system::error_code code(errno, boost::system::system_category());
  throw Error(code, "cannot create the directory '" + directory.string() + "': " + code.message() +
                        ": check owner and mode of the directories above it");
}

Connection open_to_write(const Arguments& arguments, const std::filesystem::path& file) {
  require_same_log(file);
  make_directories(file.parent_path());
  return Connection(file, options(arguments));
}

Connection open_nothing(const std::filesystem::path& file) {
  return Connection::in_memory(file.stem().string());
}

Connection open_to_read(const Arguments& arguments, const std::filesystem::path& file) {
  require_same_log(file);
  return Connection::for_reading(file, options(arguments));
}

}  // namespace statehouse::cli
