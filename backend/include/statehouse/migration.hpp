#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "statehouse/error.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

/// Which of the files of a version one is.
enum class migration_kind {
  simple,  ///< `<version>_<description>.sql`: applied, never reverted.
  up,      ///< `<version>_<description>.up.sql`
  down     ///< `<version>_<description>.down.sql`: reverts the version.
};

/// Whether foreign keys are on while a script runs inside its transaction, see Migrator.
enum class foreign_keys_mode {
  automatic,  ///< On, as in sqlx; off for a script that rebuilds tables and does nothing else.
  on,         ///< On. What that takes from other tables is taken.
  off         ///< Off, and checked before the commit.
};

/// SHA-384 of a file's raw bytes, without `MigratorOptions::ignored_characters`.
using Checksum = std::array<std::byte, 48>;

/// Lower-case hexadecimal, 96 digits.
std::string to_hex(const Checksum& checksum);

/// One migration file.
struct Migration {
  std::int64_t version = 0;                      ///< The number that the file name begins with.
  std::string description;                       ///< The rest of the file name, with '_' as blanks.
  migration_kind kind = migration_kind::simple;  ///< By the end of the file name.
  bool no_transaction = false;                   ///< The file's first bytes are `-- no-transaction`.
  /// The file's first bytes are `-- foreign-keys on` or `-- foreign-keys off`; else automatic.
  foreign_keys_mode foreign_keys = foreign_keys_mode::automatic;
  std::string file;     ///< Where it was read from, for messages.
  std::string sql;      ///< The raw bytes.
  Checksum checksum{};  ///< What the database records and compares.
};

/// What reading, applying and reverting migrations throws for everything that has to do with a migration. `code()` is
/// one of `errc::migration_*`, or, when a migration was stopped, the reason: `operation_aborted`,
/// `errc::deadline_exceeded` or `errc::closed`. Other failures, such as a database that is locked, come as Error.
class MigrationError : public Error {
 public:
  /// What is known of the place; empty, 0 or nullopt where it does not apply.
  struct Where {
    std::optional<std::int64_t> version{};  ///< The migration's version.
    std::string file{};                     ///< Path of its file.
    std::size_t line = 0;                   ///< Counted from 1.
  };

  /// `cause` is for `cause()`, the rest as in Error.
  MigrationError(boost::system::error_code code, const std::string& message, Where where, Context context = {},
                 boost::system::error_code cause = {});

  /// The migration's version.
  std::optional<std::int64_t> version() const noexcept { return where_.version; }
  /// Path of its file.
  const std::string& file() const noexcept { return where_.file; }
  /// The line in the file, counted from 1; 0 where it is no single line.
  std::size_t line() const noexcept { return where_.line; }
  /// What SQLite or the operating system said, where that is the reason.
  const boost::system::error_code& cause() const noexcept { return cause_; }

 private:
  Where where_;
  boost::system::error_code cause_;
};

}  // namespace statehouse
#pragma GCC visibility pop
