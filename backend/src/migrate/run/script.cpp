#include "migrate/run/script.hpp"

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string_view>

#include "statehouse/connection.hpp"
#include "text/trim.hpp"

namespace statehouse::detail {
namespace {

struct Finalize {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using StatementHandle = std::unique_ptr<sqlite3_stmt, Finalize>;

const char* aftermath(const Migration& migration) {
  return migration.no_transaction
             ? "; it runs outside a transaction: the statements before stay done, nothing is recorded"
             : "; it is rolled back as a whole";
}

/// A stop or deadline keeps its own code; what SQLite refused is `errc::migration_failed`.
[[noreturn]] void fail_with(const Migration& migration, const Error& error, const std::string& reason, std::size_t line,
                            Error::Context context) {
  const bool refused = error.code().category() == sqlite_category();
  const boost::system::error_code code = refused ? make_error_code(errc::migration_failed) : error.code();
  throw MigrationError(code, describe(migration, line) + (refused ? " failed: " : ": ") + reason + aftermath(migration),
                       {migration.version, migration.file, line}, std::move(context), error.code());
}

/// Runs one script; knows where in the file it is.
class ScriptRun {
 public:
  ScriptRun(Session& session, const Migration& migration)
      : session_(session),
        migration_(migration),
        trimmed_(trim(migration.sql)),
        first_line_(line_of(migration.sql, static_cast<std::size_t>(trimmed_.data() - migration.sql.data()))),
        // SQLite reads without copying only what ends with a NUL: with a length, each statement copies the whole rest.
        script_(trimmed_) {}

  void run() {
    while (at_ < script_.size()) {
      const char* tail = nullptr;
      StatementHandle statement = prepare(&tail);
      if (statement != nullptr) step(statement.get());
      statement.reset();
      check_transaction();
      if (tail == script_.c_str() + at_) fail_at_nul();
      at_ = static_cast<std::size_t>(tail - script_.data());
    }
  }

 private:
  StatementHandle prepare(const char** tail) {
    sqlite3_stmt* handle = nullptr;
    const int result = sqlite3_prepare_v3(session_.handle(), script_.c_str() + at_, -1, 0, &handle, tail);
    StatementHandle statement(handle);
    if (result != SQLITE_OK) fail(result);
    return statement;
  }

  void step(sqlite3_stmt* statement) {
    if (session_.interrupter().must_stop()) fail(SQLITE_INTERRUPT);
    int result = SQLITE_ROW;
    while (result == SQLITE_ROW) result = sqlite3_step(statement);
    if (result != SQLITE_DONE) fail(result);
  }

  /// The static check has refused transaction control already; this is for what it cannot see.
  void check_transaction() {
    if (migration_.no_transaction || session_.in_transaction()) return;
    throw MigrationError(errc::migration_refused,
                         describe(migration_, line()) +
                             " has ended the transaction it runs in: what came before is committed or lost. Let the "
                             "file begin with -- no-transaction",
                         {migration_.version, migration_.file, line()}, context());
  }

  /// Reading the set lets NUL bytes pass only where SQLite refuses the statement; this is for what it cannot see.
  [[noreturn]] void fail_at_nul() {
    throw MigrationError(errc::migration_failed,
                         describe(migration_, line_at(at_)) + " failed: there is a NUL byte" + aftermath(migration_),
                         {migration_.version, migration_.file, line_at(at_)}, context());
  }

  [[noreturn]] void fail(int result) {
    sqlite3* const db = session_.handle();
    std::string reason = sqlite3_errmsg(db);
    const int offset = sqlite3_error_offset(db);
    const std::size_t where = offset < 0 ? line() : line_at(at_ + static_cast<std::size_t>(offset));
    reason += " (SQLite " + std::to_string(result) + ")";
    // What cannot be done in a transaction, says SQLite in three ways.
    if (!migration_.no_transaction && (reason.find("within a transaction") != std::string::npos ||
                                       reason.find("inside a transaction") != std::string::npos))
      reason += ": let the file begin with -- no-transaction";
    try {
      session_.fail(result, current().text);
    } catch (const Error& error) {
      fail_with(migration_, error, error.code().category() == sqlite_category() ? reason : error.code().message(),
                where, context());
    }
  }

  SqlStatement current() const {
    auto statement = SqlScanner(std::string_view(script_).substr(at_)).next_statement();
    return statement ? std::move(*statement) : SqlStatement{};
  }
  std::size_t line_at(std::size_t offset) const { return first_line_ - 1 + line_of(script_, offset); }
  std::size_t line() const { return line_at(at_ + current().offset); }
  Error::Context context() const { return {session_.config().database, shorten(current().text)}; }

  Session& session_;
  const Migration& migration_;
  const std::string_view trimmed_;
  const std::size_t first_line_;
  const std::string script_;
  std::size_t at_ = 0;
};

struct Violation {
  std::string table;
  std::optional<std::int64_t> rowid;
  std::string parent;
  std::int64_t key;
};

int configure(sqlite3* db, int option, int value) {
  int current = 0;
  sqlite3_db_config(db, option, value, &current);
  return current;
}

}  // namespace

std::string describe(const Migration& migration, std::size_t line) {
  return "migration " + std::to_string(migration.version) + " '" + migration.description + "' (" + migration.file +
         (line > 0 ? ":" + std::to_string(line) : "") + ")";
}

ScriptFacts check_script(const Migration& migration, const std::string& database) {
  const std::string_view script = trim(migration.sql);
  ScriptFacts facts = examine(script);
  if (!facts.transaction_control) return facts;
  const SqlStatement& statement = *facts.transaction_control;
  const std::size_t offset = static_cast<std::size_t>(script.data() - migration.sql.data()) + statement.offset;
  const std::size_t line = line_of(migration.sql, offset);
  throw MigrationError(
      errc::migration_refused,
      describe(migration, line) +
          " controls the transaction it runs in, and is refused before anything is changed. Remove the "
          "statement: the script is one transaction anyway; or let the file begin with "
          "-- no-transaction",
      {migration.version, migration.file, line}, {database, shorten(statement.text)});
}

void run_script(Session& session, const Migration& migration) {
  ScriptRun(session, migration).run();
}

ScriptSettings::ScriptSettings(Session& session, bool foreign_keys_off)
    : session_(session),
      foreign_keys_(configure(session.handle(), SQLITE_DBCONFIG_ENABLE_FKEY, -1)),
      defensive_(configure(session.handle(), SQLITE_DBCONFIG_DEFENSIVE, -1)),
      trusted_schema_(configure(session.handle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, -1)) {
  if (foreign_keys_off) configure(session.handle(), SQLITE_DBCONFIG_ENABLE_FKEY, 0);
  // Migrations are the one place where changing the schema table by hand is an accepted technique.
  configure(session.handle(), SQLITE_DBCONFIG_DEFENSIVE, 0);
  // And they make the schema: distrusting it would only keep triggers from feeding an FTS5 table (SQLite 3.40).
  configure(session.handle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1);
}

ScriptSettings::~ScriptSettings() {
  configure(session_.handle(), SQLITE_DBCONFIG_ENABLE_FKEY, foreign_keys_);
  configure(session_.handle(), SQLITE_DBCONFIG_DEFENSIVE, defensive_);
  configure(session_.handle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, trusted_schema_);
}

void check_foreign_keys(Connection& connection, const Migration& migration) {
  constexpr std::size_t shown = 3;
  Statement query = connection.session().prepare("PRAGMA foreign_key_check");
  std::string rows;
  std::size_t count = 0;
  for (; query.step(); ++count) {
    if (count >= shown) continue;
    const auto v = read_row<Violation>(query);
    rows += (count > 0 ? ", " : "") + v.table +
            (v.rowid ? " rowid " + std::to_string(*v.rowid) : std::string(" (a row)")) + " refers to no row of " +
            v.parent;
  }
  if (count == 0) return;
  if (count > shown) rows += ", ...";
  throw MigrationError(errc::migration_failed,
                       describe(migration) + " failed: foreign keys were off while it ran, and " +
                           std::to_string(count) + " of them are violated now: " + rows + aftermath(migration) +
                           ". Let the script delete or repair these rows",
                       {migration.version, migration.file}, {connection.session().config().database, {}},
                       make_sqlite_error(SQLITE_CONSTRAINT_FOREIGNKEY));
}

void fail_migration(const Session& session, const Migration& migration, const std::string& what, const Error& error) {
  const int code = error.code().value();
  const bool refused = error.code().category() == sqlite_category();
  std::string reason = error.code().message();
  if (refused && sqlite3_extended_errcode(session.handle()) == code) {
    reason = sqlite3_errmsg(session.handle());
  } else if (refused && code == SQLITE_CONSTRAINT_FOREIGNKEY) {
    // Only a COMMIT comes here: its rollback has replaced SQLite's text by that of its own success.
    reason = "FOREIGN KEY constraint failed, a deferred one is still violated";
  }
  reason = what + ": " + reason;
  if (refused) reason += " (SQLite " + std::to_string(code) + ")";
  fail_with(migration, error, reason, 0, {session.config().database, {}});
}

}  // namespace statehouse::detail
