#pragma once

#include <cstdint>
#include <filesystem>

#include "statehouse/connection.hpp"

/// Which database is meant, and how this tool opens one that a server may be using at the same time.
namespace statehouse::cli {

struct Arguments;

/// The file that --database, or --data-dir with --name, stands for. Throws UsageError when neither is given.
std::filesystem::path database_file(const Arguments& arguments);

/// An absolute path; symbolic links are followed but for the last name.
std::filesystem::path resolved(const std::filesystem::path& file);

/// Throws Error when it cannot be told.
bool is_there(const std::filesystem::path& file);

/// Throws Finding when it is not there.
void require_file(const std::filesystem::path& file);

/// In bytes; 0 when there is no such file.
std::uintmax_t size_of(const std::filesystem::path& file) noexcept;

/// For commands that change something. Creates what is missing, directories included.
///
/// Never checkpoints while another process has the file open (https://www.sqlite.org/wal.html section 11: that is the
/// server's alone to do). On closing, SQLite moves the log into the database only under a lock on the whole file, which
/// it gets when nobody else has it open; so a run without a server leaves no log behind.
Connection open_to_write(const Arguments& arguments, const std::filesystem::path& file);

/// For commands that only look: creates nothing, and neither checkpoints nor deletes a log that it finds.
Connection open_to_read(const Arguments& arguments, const std::filesystem::path& file);

/// Stands for a `file` that is not there yet: an empty database in memory, which errors call by the file's name.
Connection open_nothing(const std::filesystem::path& file);

}  // namespace statehouse::cli
