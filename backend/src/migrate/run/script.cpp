#include "migrate/run/script.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "engine/connection_access.hpp"
#include "migrate/run/cascade_watch.hpp"
#include "migrate/run/refusal.hpp"
#include "migrate/source/migration_file.hpp"
#include "statehouse/connection.hpp"
#include "text/trim.hpp"

namespace statehouse::detail {
namespace {

const char* aftermath(const Migration& migration) {
  if (migration.no_transaction)
    return "; it runs outside a transaction: the statements before stay done, nothing is recorded";
  return examine(trim(migration.sql)).commit
             ? "; what it has committed itself stays, the rest is rolled back, and nothing is recorded"
             : "; it is rolled back as a whole";
}

/// A stop or deadline keeps its own code; what SQLite refused is `errc::migration_failed`.
[[noreturn]] void fail_with(const Migration& migration, const Error& error, const std::string& reason, std::size_t line,
                            Error::Context context) {
  const bool refused = error.code().category() == sqlite_category();
  const boost::system::error_code code = refused ? make_error_code(errc::migration_failed) : error.code();
  const char* const after = error.code() == errc::outcome_unknown ? "" : aftermath(migration);
  throw MigrationError(code, describe(migration, line) + (refused ? " failed: " : ": ") + reason + after,
                       {migration.version, migration.file, line}, std::move(context), error.code());
}

/// Runs one script; knows where in the file it is.
class ScriptRun {
 public:
  ScriptRun(Connection& connection, const Migration& migration, const ScriptPlan& plan)
      : connection_(connection),
        session_(session_of(connection)),
        migration_(migration),
        plan_(plan),
        must_stay_(!migration.no_transaction && !plan.leaves_transaction),
        trimmed_(trim(migration.sql)),
        first_line_(line_of(migration.sql, static_cast<std::size_t>(trimmed_.data() - migration.sql.data()))),
        script_(trimmed_) {}

  void run() {
    // Else the session would refuse what runs between a COMMIT and the BEGIN after it.
    if (!must_stay_) session_.rules().expects_transaction = false;
    while (at_ < script_.size()) {
      const std::size_t next = plan_.watched.empty() ? run_statement() : run_watched();
      if (must_stay_) check_transaction();
      if (next == at_) fail_at_nul();
      at_ = next;
    }
    if (!migration_.no_transaction) check_transaction();
  }

 private:
  std::size_t run_statement() {
    try {
      return session_.run_next(script_, at_);
    } catch (const Error& error) {
      fail(error);
    }
  }

  std::size_t run_watched() {
    const std::size_t offset =
        static_cast<std::size_t>(trimmed_.data() - migration_.sql.data()) + at_ + current().offset;
    const auto watched = std::ranges::find(plan_.watched, offset, &ScriptPlan::Watched::offset);
    if (watched == plan_.watched.end()) return run_statement();
    const CascadeWatch watch(connection_, *watched);
    const std::size_t next = run_statement();
    if (const std::string lost = watch.lost(); !lost.empty()) refuse_loss(watched->table, lost);
    return next;
  }

  [[noreturn]] void refuse_loss(const std::string& dropped, const std::string& lost) {
    throw MigrationError(
        errc::migration_refused,
        describe(migration_, line()) + " is refused and rolled back as a whole: DROP TABLE " + dropped + " took " +
            lost +
            ", which the script does not put back. Foreign keys are on, as SQLite has it in a transaction, because " +
            plan_.reason + ". " + std::string(ways_to_rebuild),
        {migration_.version, migration_.file, line()}, context());
  }

  /// The static check has refused transaction control already; this is for what it cannot see.
  void check_transaction() {
    if (session_.in_transaction()) return;
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

  [[noreturn]] void fail(const Error& error) {
    const bool refused = error.code().category() == sqlite_category();
    const LastError& last = session_.last_error();
    const std::size_t where = refused && last.offset ? line_at(at_ + *last.offset) : line();
    std::string reason = error.message();
    if (refused)
      reason = last.text + " (SQLite " + std::to_string(last.code) + ")" +
               explain_refusal(last.text, migration_.no_transaction);
    if (const std::string advice = advice_on(last.text); refused && !advice.empty()) reason += ". " + advice;
    fail_with(migration_, error, reason, where, context());
  }

  SqlStatement current() const {
    auto statement = SqlScanner(std::string_view(script_).substr(at_)).next_statement();
    return statement ? std::move(*statement) : SqlStatement{};
  }
  std::size_t line_at(std::size_t offset) const { return first_line_ - 1 + line_of(script_, offset); }
  std::size_t line() const { return line_at(at_ + current().offset); }
  Error::Context context() const { return {session_.database(), shorten(current().text)}; }

  Connection& connection_;
  Session& session_;
  const Migration& migration_;
  const ScriptPlan& plan_;
  const bool must_stay_;  // in the transaction
  const std::string_view trimmed_;
  const std::size_t first_line_;
  const std::string script_;
  std::size_t at_ = 0;
};

}  // namespace

ScriptFacts check_script(const Migration& migration, const std::string& database) {
  const std::string_view script = trim(migration.sql);
  ScriptFacts facts = examine(script);
  if (migration.no_transaction || !facts.transaction_control) return facts;
  const SqlStatement& statement = *facts.transaction_control;
  const std::size_t offset = static_cast<std::size_t>(script.data() - migration.sql.data()) + statement.offset;
  const std::size_t line = line_of(migration.sql, offset);
  throw MigrationError(
      errc::migration_refused,
      describe(migration, line) +
          " controls the transaction it runs in, and is refused before anything is changed. Remove the "
          "statement: the script is one transaction anyway; or let the file begin with "
          "-- no-transaction, and each COMMIT in it come after a BEGIN",
      {migration.version, migration.file, line}, {database, shorten(statement.text)});
}

void run_script(Connection& connection, const Migration& migration, const ScriptPlan& plan) {
  ScriptRun(connection, migration, plan).run();
}

void check_foreign_keys(Connection& connection, const Migration& migration, const ScriptPlan& plan,
                        const Violations& earlier) {
  const Violations added = Violations(connection).without(earlier);
  if (added.count() == 0) return;
  throw MigrationError(
      errc::migration_failed,
      describe(migration) + " failed: foreign keys were off while it ran, because " + plan.reason + ", and " +
          std::to_string(added.count()) + (added.count() == 1 ? " reference leads" : " references lead") +
          " nowhere now: " + added.text() + aftermath(migration) + ". Let the script delete or repair these rows",
      {migration.version, migration.file}, {session_of(connection).database(), {}},
      make_sqlite_error(SQLITE_CONSTRAINT_FOREIGNKEY));
}

void fail_migration(const Session& session, const Migration& migration, const std::string& what, const Error& error) {
  const int code = error.code().value();
  const bool refused = error.code().category() == sqlite_category();
  const LastError& last = session.last_error();
  std::string reason = refused && last.code == code ? last.text : error.message();
  // Only a COMMIT comes here with a foreign key.
  if (refused && code == SQLITE_CONSTRAINT_FOREIGNKEY) reason += ", a deferred one is still violated";
  reason = what + ": " + reason;
  if (refused) reason += " (SQLite " + std::to_string(code) + ")";
  fail_with(migration, error, reason, 0, {session.database(), {}});
}

}  // namespace statehouse::detail
