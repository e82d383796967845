#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "statehouse/migration.hpp"
#include "statehouse/migration_folder.hpp"
#include "statehouse/time_limit.hpp"

namespace statehouse {

namespace detail {
struct MigrationSet;
}
#pragma GCC visibility push(default)

class Connection;

/// A migration file that is not on disk: built into the program, or made up by a test.
struct EmbeddedFile {
  std::string_view name;     ///< The bare file name, `20250101120000_create_context.up.sql`.
  std::string_view content;  ///< The bytes of the file.
};

/// Told of each migration that is applied or reverted: before it runs, and when it is committed.
struct MigrationProgress {
  const Migration& migration;        ///< The file that runs.
  std::chrono::nanoseconds elapsed;  ///< Of this migration; zero before it runs.
  std::size_t index;                 ///< 1 to `total`.
  std::size_t total;                 ///< How many this run set out to do; others may do some of them meanwhile.
  std::span<const MigrationProblem> remarks;  ///< As in PlannedMigration.
};

/// How migrations are read, checked and run.
struct MigratorOptions {
  /// The bookkeeping table, an identifier. Several sets in one file need a table each.
  std::string table = "_sqlx_migrations";
  /// Accept applied versions that are not in this set.
  bool ignore_missing = false;
  /// A pending version below the highest applied one is `errc::migration_order`, and nothing is applied.
  bool strict_order = false;
  /// Left out where checksums are computed, as sqlx's `ignored-chars`: with U"\r", files whose line ends git changes
  /// stay the same. The scripts run as they are. It changes the checksum of every file that has one of these
  /// characters, those of versions applied before too: decide before the first database, or `repair`.
  std::u32string ignored_characters{};
  /// For all files whose first line does not say it itself.
  foreign_keys_mode foreign_keys = foreign_keys_mode::automatic;
  /// Longest time from the beginning of a run to the end of its last migration, waits for other processes included;
  /// zero is no limit. Then the migration that runs is rolled back, those before stay, and the error is
  /// `errc::deadline_exceeded`. (The timeout of `get_pool` ends only that caller's wait.)
  TimeLimit timeout{0};
  /// Before each migration that the run sets out to do, also where another process is then faster. On the migrating
  /// thread, outside any transaction. If it throws, the run ends with that exception; what is applied stays applied.
  std::function<void(const MigrationProgress&)> on_begin{};
  /// After each migration that was applied or reverted, in the same way.
  std::function<void(const MigrationProgress&)> on_progress{};
};

/// What a run has done itself.
struct MigrationReport {
  std::vector<std::int64_t> versions;   ///< Applied or reverted, in that order.
  std::chrono::nanoseconds elapsed{0};  ///< Of the whole run, waits for other processes included.
  /// The highest migration that is applied to the database now, by whomever, in this set or not; none where none is.
  std::optional<std::int64_t> schema_version{};
};

/// What `run`, `run_to` or `undo` would do next.
struct PlannedMigration {
  std::shared_ptr<const Migration> migration;  ///< When reverting, the down file.
  bool foreign_keys_off = false;               ///< Off while it runs, checked before it is committed.
  /// What is done about foreign keys and why, and what may not be as meant: that they take rows of other tables, that
  /// a view is in the way, that the script commits, that some are violated in this database already, that there is no
  /// statement, comments of another tool, dates that this SQLite answers with NULL.
  std::vector<MigrationProblem> remarks;
};

/// What has become of one version.
enum class migration_state {
  pending,
  applied,
  changed,  ///< Applied, but from other content than the file has now.
  missing   ///< Applied, but not in this set.
};

/// One version, as the set and the database know it.
struct MigrationStatus {
  std::int64_t version = 0;                          ///< Of the file name, or as recorded.
  std::string description;                           ///< As in the set, else as recorded.
  migration_state state = migration_state::pending;  ///< Compared with its file.
  bool dirty = false;                                ///< Recorded as not finished.
  std::string recorded_checksum;                     ///< Hexadecimal; empty when pending.
  std::string installed_on;  ///< As recorded, by sqlx and us `YYYY-MM-DD HH:MM:SS` in UTC; empty when pending.
  std::optional<std::chrono::nanoseconds> execution_time;  ///< None when pending, unfinished or never run (baseline).
  bool revertible = false;                                 ///< The set has a down file for it.
  std::shared_ptr<const Migration> source;  ///< The file that is applied for this version, if the set has one.
};

/// What a database says of one version.
struct RecordedMigration {
  std::string description;  ///< As recorded.
  std::string checksum;     ///< Hexadecimal.
  bool success = false;     ///< False while it is not finished.

  /// Whether the rows say the same.
  bool operator==(const RecordedMigration&) const = default;
};

/// One row of the bookkeeping table that `repair` or `baseline` has changed.
struct BookkeepingChange {
  std::int64_t version = 0;                 ///< The row's.
  std::optional<RecordedMigration> before;  ///< None where there was no row.
  RecordedMigration after;                  ///< What the row says now, or would.
};

/// A set of migrations and how to bring a database to it, compatible with sqlx: same file names, same checksums, same
/// bookkeeping table, so that a folder and a database can go from one to the other.
///
/// A value: cheap to copy, immutable, safe to use from several threads (each with its own Connection).
///
/// A file whose first bytes are `-- no-transaction` runs outside a transaction. If it fails midway, the statements
/// before stay done and nothing is recorded, so the next run starts it again from the top; two processes that start at
/// the same moment may both run it.
/// All others run in one transaction together with their bookkeeping row: BEGIN, COMMIT, END and ROLLBACK in them are
/// refused. Only where each COMMIT is followed by a BEGIN, the script runs as in sqlx, with a warning: if it fails
/// midway, what it has committed stays, nothing is recorded, and the next run starts it again from the top.
/// Foreign keys are on meanwhile, as in sqlx, but for a pure rebuild: a script that creates tables, copies into them,
/// drops others and renames the new to their names, and writes nothing else that a foreign key is concerned with. For
/// it they are off, and checked before it commits; violations from before do not count. A script that rebuilds and does
/// more than that is rolled back, with `errc::migration_refused`, when a DROP TABLE in it takes rows or references of
/// other tables that it does not put back. A file whose first bytes are `-- foreign-keys on` or `-- foreign-keys off`
/// has them so, and MigratorOptions::foreign_keys does for all others.
/// A file in another tool's format, with both directions in one, is refused as well, and one that is no SQL.
class Migrator {
 public:
  /// Reads every `<version>_<description>[.up|.down].sql` of a directory. Throws MigrationError with
  /// `errc::migration_source` for a version that is no 64-bit integer, two files for one version and direction, content
  /// that is no UTF-8 or has a NUL byte, a file that cannot be read, a dangling symbolic link; with
  /// `errc::migration_none` where no file has such a name, and then says what lies there instead.
  static Migrator from_directory(const std::filesystem::path& directory);
  /// The same rules for files in memory, which are copied. No files at all are a set that does nothing.
  static Migrator from_files(std::span<const EmbeddedFile> files);

  /// The same set with other options. Throws Error with `errc::invalid_name` when the table is no identifier.
  Migrator with_options(MigratorOptions options) const;
  /// As given to `with_options`, else the defaults.
  const MigratorOptions& options() const& noexcept;

  /// By version; the down file of a version comes after its other file.
  std::span<const Migration> migrations() const& noexcept;
  /// Names of .sql files that were passed over because they do not look like `<version>_<description>.sql`.
  std::span<const std::string> ignored() const& noexcept;
  // They refer to the Migrator: of a temporary they would dangle in `for (auto& one : migrations::x().migrations())`.
  const MigratorOptions& options() const&& = delete;
  std::span<const Migration> migrations() const&& = delete;
  std::span<const std::string> ignored() const&& = delete;

  /// Applies what is pending, by ascending version, also where a later version is applied already. Everything is
  /// checked before anything is changed: a dirty, missing or changed version, or a refused statement, and nothing is
  /// applied. Then one transaction per migration. Safe against other processes that do the same; what they have applied
  /// is skipped. When nothing is pending, no lock is taken and nothing is written.
  ///
  /// The log has a line for each migration that is done, and one every ten seconds while one runs; before one runs, the
  /// warnings that `plan` has of it.
  ///
  /// Blocks the calling thread. A stop request or deadline of the connection ends it: the running migration is rolled
  /// back, those before stay. A lock held elsewhere is waited for as long as the connection's busy timeout
  /// (`condition::busy`). Afterwards the connection has the settings of its options again, and nothing attached.
  MigrationReport run(Connection& connection) const;

  /// Like `run`, up to and including `version`. `errc::migration_target` when the set has no such version or a later
  /// one is applied.
  MigrationReport run_to(Connection& connection, std::int64_t version) const;

  /// Reverts the applied versions above `target` that have a down file, by descending version; others stay applied.
  /// Dirty and missing versions are errors as in `run`; checksums are not compared.
  MigrationReport undo(Connection& connection, std::int64_t target) const;

  /// What `run`, or `run_to` with a version, would do now, and what is to be said of it. Makes the same checks and
  /// throws the same errors; reads only, creates nothing, takes no write lock. Where foreign keys are to be off it
  /// looks for violations, in all rows.
  std::vector<PlannedMigration> plan(Connection& connection, std::optional<std::int64_t> version = std::nullopt) const;
  /// The same of `undo`.
  std::vector<PlannedMigration> plan_undo(Connection& connection, std::int64_t target) const;

  /// Records for these applied versions the checksum and the description that their files have now, and that they are
  /// finished: after a person has made sure that it is so. One transaction; gives the rows that changed.
  /// `errc::migration_missing` for a version without a file here, `errc::migration_target` for one that is not applied.
  std::vector<BookkeepingChange> repair(Connection& connection, std::span<const std::int64_t> versions) const;
  /// What `repair` would change, with the same errors. Reads only.
  std::vector<BookkeepingChange> plan_repair(Connection& connection, std::span<const std::int64_t> versions) const;

  /// Records every version up to and including `version` as applied without running it: for a database that has its
  /// tables from elsewhere. One transaction; gives the rows it made. `errc::migration_recorded` where the database has
  /// recorded migrations already, `errc::migration_target` when the set has no such version.
  std::vector<BookkeepingChange> baseline(Connection& connection, std::int64_t version) const;
  /// What `baseline` would record, with the same errors. Reads only.
  std::vector<BookkeepingChange> plan_baseline(Connection& connection, std::int64_t version) const;

  /// All versions of the set and of the database, ascending. Reads only; creates nothing.
  std::vector<MigrationStatus> status(Connection& connection) const;

 private:
  Migrator(std::shared_ptr<const detail::MigrationSet> set, std::shared_ptr<const MigratorOptions> options);

  std::shared_ptr<const detail::MigrationSet> set_;
  std::shared_ptr<const MigratorOptions> options_;
};

}  // namespace statehouse
#pragma GCC visibility pop
