#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <string>
#include <string_view>
#include <type_traits>

#pragma GCC visibility push(default)
namespace statehouse {

/// What statehouse itself reports. SQLite's own (extended) result codes come in `sqlite_category()`, the operating
/// system's in `boost::system::system_category()`, cancellation as `boost::asio::error::operation_aborted`.
enum class errc {
  invalid_name = 1,       ///< The database name does not follow the grammar `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
  not_initialised,        ///< `init()` has not completed.
  already_open,           ///< `add_migrator` came after the first use of that database.
  closed,                 ///< `shutdown()` has begun; nothing is reopened.
  forked_process,         ///< The call was made in a child after fork(); SQLite connections must not cross a fork.
  acquire_timeout,        ///< No connection became free in time.
  deadline_exceeded,      ///< The operation ran longer than its `run_timeout`, or a `Migrator` than its `timeout`.
  queue_full,             ///< Too many operations wait for this database already.
  would_deadlock,         ///< A pool verb was called inside a closure that holds a connection of that pool.
  operation_in_progress,  ///< The transaction or lease already runs a statement; one at a time.
  write_on_reader,        ///< What writes was given to a verb that reads, or to a database that is opened `read_only`.
  statement_refused,  ///< BEGIN, COMMIT, SAVEPOINT, ATTACH, VACUUM or a guarded PRAGMA was given to a statement verb.
  not_one_statement,  ///< The text holds no statement, or more than one.
  parameter_count,    ///< The statement has another number of parameters than values were given.
  parameter_name,     ///< Values were given by name, and a parameter has none, or the statement no such parameter.
  transaction_rolled_back,  ///< SQLite has rolled the transaction back; nothing of it is kept.
  transaction_finished,     ///< The transaction or lease has been committed, rolled back, given back or moved from.
  no_row,                   ///< `query_one` found no row.
  too_many_rows,            ///< `query_one` or `query_optional` found more than one row.
  column_count,             ///< The row has another number of columns than the type has fields.
  column_name,              ///< A row that is read by name lacks a field's column, or has two by its name.
  column_type,              ///< A column holds another storage class than the field can take.
  unexpected_null,          ///< A column is NULL but the field is not a `std::optional`.
  value_out_of_range,       ///< A number or a time does not fit what it is read into or bound as.
  not_a_regular_file,       ///< The database path is a directory, a symbolic link or a special file.
  hard_linked,              ///< The database file has more than one name.
  file_in_use,              ///< This process has the same file open already.
  file_replaced,            ///< The database file was moved, deleted or replaced while open.
  sync_failed,   ///< The disk has perhaps not taken all of the file; the log has it, for who opens the database next.
  file_damaged,  ///< The check at startup has found damage in the file, which is left as it is.
  wal_unavailable,  ///< SQLite did not switch the database to write-ahead logging.
  not_supported,    ///< The engine behind this database cannot do this, as `native()` on a database that is no file.
  invalid_option,   ///< An option has a value that cannot be used, or does not go with another one.
  unavailable,  ///< The cluster has no leader that can be reached, or lost it; nothing was executed, or nothing kept.
  outcome_unknown,  ///< The cluster's leader was lost during a commit: what was to be committed is kept wholly, or not.
  invalid_handle,   ///< The handle is empty: default-constructed, or moved from.
  migration_source,    ///< The migrations cannot be read: bad name, bad content, duplicate version.
  migration_none,      ///< The folder holds no migrations; the message says what it holds instead.
  migration_refused,   ///< A migration is another tool's, controls its transaction, or takes rows by a rebuild.
  migration_dirty,     ///< A migration is recorded as started but not finished.
  migration_missing,   ///< An applied migration is not among the known ones.
  migration_mismatch,  ///< An applied migration's file has been changed since.
  migration_failed,    ///< A migration's SQL failed; nothing of that migration was kept.
  migration_target,    ///< A version that was asked for is not among the known or applied ones.
  migration_order,     ///< Under `strict_order`: a pending migration is older than an applied one.
  migration_pending,   ///< A database that is opened `read_only` has not had all migrations.
  migration_recorded,  ///< A baseline is for a database without a record of migrations; this one has one.
};

/// Classes of errors to compare with: `if (error.code() == condition::busy)`.
enum class condition {
  busy = 1,    ///< SQLITE_BUSY and SQLITE_LOCKED in all variants: somebody else holds the lock.
  constraint,  ///< Any violated constraint.
  unique,      ///< UNIQUE, PRIMARY KEY or rowid.
  timeout,     ///< acquire_timeout or deadline_exceeded.
  closed,      ///< closed or forked_process.
};

/// Category of errc.
const boost::system::error_category& statehouse_category() noexcept;
/// Category of SQLite's extended result codes (https://www.sqlite.org/rescode.html).
const boost::system::error_category& sqlite_category() noexcept;
/// Category of condition.
const boost::system::error_category& condition_category() noexcept;

/// An errc as an error code, which Boost.System also makes by itself: `error.code() == errc::closed`.
boost::system::error_code make_error_code(errc code) noexcept;
/// A condition to compare error codes with, which Boost.System also makes by itself.
boost::system::error_condition make_error_condition(condition value) noexcept;
/// One of SQLite's codes as an error code: `error.code() == make_sqlite_error(SQLITE_FULL)`.
boost::system::error_code make_sqlite_error(int extended_code) noexcept;

/// What programs call an error: "SQLITE_FULL" for each of SQLite's codes of that kind, "acquire_timeout" as in errc,
/// "operation_aborted" for cancellation, and "other". A closed set, of static storage, so that it can be a label of
/// metrics.
std::string_view name_of(const boost::system::error_code& code) noexcept;

/// The one exception of this library. `what()` is one sentence for a log line, with the database and the statement
/// where they apply. Bound values are left out, SQL text is cut at 200 bytes; but what SQLite says comes word for word,
/// and of a faulty JSON path, MATCH expression or REGEXP pattern it says the text.
class Error : public boost::system::system_error {
 public:
  /// Where it happened.
  struct Context {
    std::string database;  ///< Logical name, empty where none applies.
    std::string sql;       ///< The statement, shortened.
  };

  /// Without a database or a statement.
  Error(boost::system::error_code code, const std::string& message);
  /// `context` is taken as it is: what makes it shortens the statement.
  Error(boost::system::error_code code, const std::string& message, Context context);

  /// Database, message, SQLite's code where it is one of these, and statement, in one line.
  const char* what() const noexcept override { return text_.c_str(); }
  /// The message alone: SQLite's own words come first where it is SQLite that reports.
  const std::string& message() const noexcept { return message_; }
  /// Logical name of the database, empty where none applies.
  const std::string& database() const noexcept { return context_.database; }
  /// The statement, shortened; empty where none applies.
  const std::string& sql() const noexcept { return context_.sql; }

 private:
  Context context_;
  std::string message_;
  std::string text_;
};

namespace detail {
/// At most 200 bytes of `sql`, on one line, cut at a UTF-8 boundary and marked with an ellipsis.
std::string shorten(std::string_view sql);
}  // namespace detail
}  // namespace statehouse
#pragma GCC visibility pop

/// @cond  How Boost.System finds the functions above.
template <>
struct boost::system::is_error_code_enum<statehouse::errc> : std::true_type {};
template <>
struct boost::system::is_error_condition_enum<statehouse::condition> : std::true_type {};
/// @endcond
