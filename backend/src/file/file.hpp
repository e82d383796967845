#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <utility>

namespace spdlog {
class logger;
}

namespace statehouse::detail {

/// Creates `directory` and what is missing above it, mode 0700 under any umask, and returns its canonical path. Throws
/// Error in the system category with a message that says what to do, and calls it `what`.
std::filesystem::path prepare_directory(const std::filesystem::path& directory, const char* what = "data directory");

/// The canonical path of one that is there and may be read.
std::filesystem::path find_directory(const std::filesystem::path& directory, const char* what = "data directory");

/// Warns when others than its owner may write in `directory`: they could replace a database there, or remove it.
void warn_if_shared(const std::filesystem::path& directory, spdlog::logger& logger);

/// `file` with an absolute path to its directory, without symbolic links, as SQLITE_OPEN_NOFOLLOW needs it. Throws
/// Error.
std::filesystem::path resolve_file(const std::filesystem::path& file);

/// What tells one file from another, whatever its name.
using FileIdentity = std::pair<dev_t, ino_t>;

/// What `prepare_file` has found, or made.
struct PreparedFile {
  FileIdentity identity;
  bool has_log = false;  ///< With content: somebody has the database open, or was killed.
};

/// Creates an empty database file with mode 0600 if there is none, without a moment in which others may read it; else
/// checks that it is a regular file with one name. A looser mode is reported, or changed (with -wal and -shm) when
/// `tighten`. Never opens an existing file: closing any descriptor of it would drop SQLite's locks.
PreparedFile prepare_file(const std::filesystem::path& file, bool tighten, spdlog::logger& logger);

/// The same of a file of others, which has to be there: makes and changes nothing. It may have several names where
/// nobody writes it.
FileIdentity find_file(const std::filesystem::path& file, bool written);

/// Throws Error with `errc::not_a_regular_file` if there is something else of that name: a directory, a symbolic link,
/// a device, a FIFO or a socket.
void require_regular_file(const std::filesystem::path& file);

/// Why SQLite may have been unable to open `file`, as far as permissions show; names a -wal or -shm in the way.
std::string explain_cannot_open(const std::filesystem::path& file);

/// Size by path, 0 when there is no such file.
std::uintmax_t file_size_or_zero(const std::filesystem::path& file) noexcept;

/// Of whatever is at that path, without following a link; nothing when nothing is.
std::optional<FileIdentity> identify(const std::filesystem::path& file) noexcept;

/// What one who has a file open does with it: `writes_beside` others is what a connection outside of any pool does.
enum class file_use { writes, writes_alone, writes_beside, reads, reads_unchanging };

/// A file that this process has open. While it lives no other claim on the same file succeeds that it does not go with:
/// two writers in one process would defeat the pool's queue, and SQLite does not keep one who wants the file for
/// himself from others of the same process.
class FileClaim {
 public:
  /// Throws Error with `errc::file_in_use`.
  explicit FileClaim(std::filesystem::path file);
  /// The same, of what was found there just now.
  FileClaim(std::filesystem::path file, FileIdentity identity, file_use use);
  ~FileClaim();
  FileClaim(const FileClaim&) = delete;
  FileClaim& operator=(const FileClaim&) = delete;

  /// False when the path leads to another file or none since the claim was made.
  bool still_there() const noexcept;

 private:
  const std::filesystem::path file_;
  const FileIdentity identity_;
  const file_use use_;
};

}  // namespace statehouse::detail
