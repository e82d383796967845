#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace statehouse {

/// How bad a MigrationProblem is.
enum class problem_severity {
  error,    ///< The folder cannot be read, or a migration in it would be refused.
  warning,  ///< It works, but probably not as meant, or not on every machine.
  note      ///< Nothing to put right: how it will run, where that is not obvious.
};

/// One thing about a folder of migrations that should be put right.
struct MigrationProblem {
  problem_severity severity = problem_severity::error;  ///< Whether it can wait.
  std::string file;                                     ///< Its path; the folder's where it is no single file's.
  std::size_t line = 0;                                 ///< From 1; 0 when it is not about a line.
  std::optional<std::int64_t> version{};                ///< Where the file has one.
  std::string message;                                  ///< Says where, what and what to do.
};

/// Everything that is wrong with a folder of migrations, by file name and line; for a check before a commit.
///
/// Errors, by the rules of `Migrator::from_directory` and `Migrator::run`: no migrations, no version in a name, a
/// version twice, files that cannot be read, NUL bytes, text that is not UTF-8, transaction control, another tool's
/// format, what is no SQL. Warnings: `.sql` files that are passed over, in folders too, a version that '_' has cut
/// short, an up file without a down file and the reverse, no statement, line ends that differ or are CRLF, a byte order
/// mark, a `no-transaction` that is not the file's beginning, dates that this SQLite answers with NULL. Foreign
/// keys, as in PlannedMigration::remarks, with the schema that the folder itself makes: warnings and notes. Reads no
/// database and never throws MigrationError.
std::vector<MigrationProblem> verify_folder(const std::filesystem::path& directory);

}  // namespace statehouse
#pragma GCC visibility pop
