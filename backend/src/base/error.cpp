#include "statehouse/error.hpp"

#include <sqlite3.h>

namespace statehouse {
namespace {

const char* sentence(errc code) noexcept {
  switch (code) {
    case errc::invalid_name:
      return "invalid database name: use 1 to 64 of A-Z a-z 0-9 . _ - starting with a letter or digit, without '..'; "
             "up to 8 of these with '/' between them";
    case errc::not_initialised: return "not initialised: await init() first";
    case errc::already_open: return "the database is already open: call add_migrator before the first get_pool";
    case errc::closed: return "closed: shutdown has begun and nothing is reopened";
    case errc::forked_process: return "called in a forked child: open a new AppState there instead";
    case errc::acquire_timeout: return "no connection became free in time";
    case errc::deadline_exceeded: return "the operation ran longer than its time limit and was stopped";
    case errc::queue_full: return "too many operations are waiting for this database";
    case errc::would_deadlock:
      return "a pool verb was called inside a closure of the same pool: use the connection it was given";
    case errc::operation_in_progress: return "this transaction or lease already runs a statement: await it first";
    case errc::write_on_reader: return "the statement writes: use execute, execute_returning or write";
    case errc::statement_refused: return "the statement is refused here";
    case errc::not_one_statement: return "exactly one SQL statement is expected";
    case errc::parameter_count: return "the number of values differs from the number of parameters";
    case errc::parameter_name: return "the names of the values are not those of the parameters";
    case errc::transaction_rolled_back: return "the transaction has been rolled back; nothing of it is kept";
    case errc::transaction_finished: return "the transaction or lease is finished: begin or acquire a new one";
    case errc::no_row: return "the query found no row";
    case errc::too_many_rows: return "the query found more than one row";
    case errc::column_count: return "the number of columns differs from the number of fields";
    case errc::column_name: return "the names of the columns are not those of the fields";
    case errc::column_type: return "a column holds another type than the field";
    case errc::unexpected_null: return "a column is NULL: read it into a std::optional";
    case errc::value_out_of_range: return "a number or a time does not fit";
    case errc::not_a_regular_file: return "the database path is not a regular file";
    case errc::hard_linked: return "the database file has more than one hard link";
    case errc::file_in_use: return "this process has the database file open already";
    case errc::file_replaced: return "the database file was moved, deleted or replaced while open";
    case errc::sync_failed:
      return "the disk has perhaps not taken all of the database file; the log has it: end all that have it open, and "
             "restart";
    case errc::file_damaged: return "the database file is damaged";
    case errc::wal_unavailable: return "write-ahead logging could not be enabled";
    case errc::not_supported: return "the engine behind this database does not support this";
    case errc::invalid_option: return "an option cannot have this value";
    case errc::unavailable: return "the cluster has no leader now; nothing was executed, or nothing kept: try again";
    case errc::outcome_unknown:
      return "the cluster's leader was lost during the commit: look whether it is there before you do it again";
    case errc::invalid_handle: return "the handle is empty: take one from get_pool, begin or acquire";
    case errc::migration_source: return "the migrations cannot be read";
    case errc::migration_none: return "there are no migrations in the folder";
    case errc::migration_refused:
      return "the migration is in another tool's format, controls its transaction, or takes rows of other tables";
    case errc::migration_dirty: return "a migration is only partially applied";
    case errc::migration_missing: return "an applied migration is missing from the known ones";
    case errc::migration_mismatch: return "an applied migration has been modified";
    case errc::migration_failed: return "a migration failed";
    case errc::migration_target: return "the target version is unknown";
    case errc::migration_order: return "a pending migration is older than an applied one";
    case errc::migration_pending: return "migrations are pending, and the database is opened read_only";
    case errc::migration_recorded: return "the database has a record of migrations already";
  }
  return "unknown statehouse error";
}

class StatehouseCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "statehouse"; }
  std::string message(int value) const override { return sentence(static_cast<errc>(value)); }
  boost::system::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<errc>(value)) {
      case errc::acquire_timeout:
      case errc::deadline_exceeded: return condition::timeout;
      case errc::closed:
      case errc::forked_process: return condition::closed;
      default: return {value, *this};
    }
  }
};

class SqliteCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "sqlite"; }
  std::string message(int value) const override { return sqlite3_errstr(value); }
  bool equivalent(int value, const boost::system::error_condition& wanted) const noexcept override {
    if (wanted.category() != condition_category()) return error_category::equivalent(value, wanted);
    const int primary = value & 0xff;
    switch (static_cast<condition>(wanted.value())) {
      case condition::busy: return primary == SQLITE_BUSY || primary == SQLITE_LOCKED;
      case condition::constraint: return primary == SQLITE_CONSTRAINT;
      case condition::unique:
        return value == SQLITE_CONSTRAINT_UNIQUE || value == SQLITE_CONSTRAINT_PRIMARYKEY ||
               value == SQLITE_CONSTRAINT_ROWID;
      case condition::timeout:
      case condition::closed: return false;
    }
    return false;
  }
};

class ConditionCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "statehouse.condition"; }
  std::string message(int value) const override {
    switch (static_cast<condition>(value)) {
      case condition::busy: return "busy";
      case condition::constraint: return "constraint violated";
      case condition::unique: return "unique constraint violated";
      case condition::timeout: return "timed out";
      case condition::closed: return "closed";
    }
    return "unknown condition";
  }
};

std::string compose(const boost::system::error_code& code, const std::string& message, const Error::Context& context) {
  std::string text;
  if (!context.database.empty()) text += "database '" + context.database + "': ";
  text += message;
  if (code.category() == sqlite_category()) text += " (SQLite " + std::to_string(code.value()) + ")";
  if (!context.sql.empty()) text += " [" + context.sql + "]";
  return text;
}

}  // namespace

const boost::system::error_category& statehouse_category() noexcept {
  static const StatehouseCategory category;
  return category;
}

const boost::system::error_category& sqlite_category() noexcept {
  static const SqliteCategory category;
  return category;
}

const boost::system::error_category& condition_category() noexcept {
  static const ConditionCategory category;
  return category;
}

boost::system::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), statehouse_category()};
}

boost::system::error_condition make_error_condition(condition value) noexcept {
  return {static_cast<int>(value), condition_category()};
}

boost::system::error_code make_sqlite_error(int extended_code) noexcept {
  return {extended_code, sqlite_category()};
}

Error::Error(boost::system::error_code code, const std::string& message) : Error(code, message, Context{}) {}

Error::Error(boost::system::error_code code, const std::string& message, Context context)
    : system_error(code), context_(std::move(context)), message_(message), text_(compose(code, message, context_)) {}

namespace detail {

std::string shorten(std::string_view sql) {
  constexpr std::size_t limit = 200;
  std::string text(sql.substr(0, limit));
  if (sql.size() > limit) {
    // Back up over a cut UTF-8 sequence, so that the text stays valid for logs and JSON.
    while (!text.empty() && (static_cast<unsigned char>(sql[text.size()]) & 0xC0) == 0x80) text.pop_back();
    text += "...";
  }
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return text;
}

}  // namespace detail
}  // namespace statehouse
