#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "statehouse/connection.hpp"
#include "statehouse/options.hpp"

/// Which database is meant, and how this tool opens one that a server may be using at the same time.
namespace statehouse::cli {

struct Arguments;

/// What a command works on: a file, or a database of a cluster.
class Place {
 public:
  /// Of --cluster with --name, or as `database_file`. Throws UsageError.
  explicit Place(const Arguments& arguments);

  /// The file's path, or what the database is called in the cluster.
  const std::string& text() const noexcept { return text_; }
  /// Makes none. A cluster is asked, see ClusterAdmin::has_database.
  bool is_there() const;
  /// Throws Finding when it is not there.
  void require() const;

  // As the functions of these names below.
  Connection open_to_write() const;
  Connection open_to_read() const;
  Connection open_nothing() const;

 private:
  const Arguments& arguments_;
  std::filesystem::path file_;  // empty in a cluster
  ClusterOptions cluster_;
  std::string text_;
};

/// The file that --database, or --data-dir with --name, stands for. Throws UsageError when neither is given.
std::filesystem::path database_file(const Arguments& arguments);

/// An absolute path; symbolic links are followed but for the last name.
std::filesystem::path resolved(const std::filesystem::path& file);

/// Throws Error when it cannot be told.
bool is_there(const std::filesystem::path& file);

/// Throws Finding when it is not there.
void require_file(const std::filesystem::path& file);
/// The same for what is called `what`, "database file".
void require_there(const std::filesystem::path& file, const std::string& what);

/// Makes `directory` and what is missing above it, for nobody else to look into. Throws Error.
void make_directories(const std::filesystem::path& directory);

/// In bytes; 0 when there is no such file.
std::uintmax_t size_of(const std::filesystem::path& file) noexcept;

/// For commands that change something. Creates what is missing, directories included.
///
/// Never checkpoints by itself while another process has the file open (https://www.sqlite.org/wal.html section 11:
/// that is the server's alone to do); a migration that says PRAGMA wal_checkpoint or wal_autocheckpoint does. On
/// closing, SQLite moves the log into the database only under a lock on the whole file, which it gets when nobody else
/// has it open; so a run without a server leaves no log behind.
Connection open_to_write(const Arguments& arguments, const std::filesystem::path& file);

/// For commands that only look: creates nothing, and neither checkpoints nor deletes a log that it finds.
Connection open_to_read(const Arguments& arguments, const std::filesystem::path& file);

/// Stands for a `file` that is not there yet: an empty database in memory, which errors call by the file's name.
Connection open_nothing(const std::filesystem::path& file);

}  // namespace statehouse::cli
