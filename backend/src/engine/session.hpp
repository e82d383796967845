#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/interrupter.hpp"
#include "statehouse/detail/open_query.hpp"
#include "statehouse/detail/statement.hpp"
#include "statehouse/error.hpp"
#include "statehouse/execute_result.hpp"
#include "statehouse/options.hpp"

namespace spdlog {
class logger;
}
namespace SQLite {
class Database;
}

namespace statehouse::detail {

/// Whose connection it is, for errors, logs and stops.
struct SessionContext {
  std::string database;  ///< Logical name.
  connection_role role = connection_role::writer;
  std::shared_ptr<Interrupter> interrupter;
  std::shared_ptr<spdlog::logger> logger;
  /// Each answer comes over a network, and a commit takes much longer than what it commits.
  bool remote = false;
};

/// What statements may do.
enum class permission : unsigned char {
  statements,    ///< Ordinary verbs: no transaction control, no ATTACH, no PRAGMA that changes the connection.
  maintenance,   ///< VACUUM and the like: all but the settings the pool's correctness rests on.
  unrestricted,  ///< The library itself, and migrations.
};

enum class transaction_kind { deferred, immediate };

enum class savepoint_step : unsigned char { begin, release, rollback };

/// What had to be done to hand a connection to the next user.
enum class hygiene { clean, rolled_back, broken };

/// What runs on a calling thread gives up instead of running for more than 1000 to 2000 VM steps, or waiting for a
/// lock.
struct Brief {
  int checks = 0;
  bool gave_up = false;
};

/// Statements that were sent ahead: that run in the open transaction, and whose answers are not waited for one by one.
struct Ahead {
  std::size_t sent = 0;
};

/// What has become of queries that were asked ahead.
struct Fetched {
  std::size_t answered = 0;  ///< So many of the first.
  bool suspect = false;      ///< Another was on its way when the connection was lost, and may be to blame.
};

/// What a statement that was sent ahead has come to: its result, if it is kept, or why nothing of it is.
struct Answer {
  ExecuteResult result{};
  std::exception_ptr error{};
  Clock::duration took{};
};

/// What the present user of a connection may do. Read by the engine at every statement.
struct SessionRules {
  permission granted = permission::unrestricted;
  /// Statements that write are refused with `errc::write_on_reader`.
  bool read_only = false;
  /// A statement outside a transaction is `errc::transaction_rolled_back`: it would be kept, although the operation it
  /// belongs to is not. `begin` sets it, `commit` and `rollback` unset it.
  bool expects_transaction = false;
  Brief* brief = nullptr;
  /// Where it is given, a statement that writes may be sent ahead, if the engine can and it is certain that nothing
  /// behind it runs outside the transaction for its sake: it is counted there, and its `run` gives nothing yet.
  Ahead* ahead = nullptr;
  /// Where it is given nothing is run: a query is noted, to be asked with others by `fetch_ahead`, counted there, and
  /// gives no rows yet. For what `can_ask_ahead`.
  std::size_t* asked = nullptr;
  /// A query of the present user was on its way when the connection was lost, and may be what the other side died of.
  bool suspect = false;
  /// How long the answer that the present user has from `fetch_ahead` was waited for.
  Clock::duration fetched{};
};

/// What the engine said of the statement that failed last, word for word.
struct LastError {
  int code = 0;  ///< SQLite's extended result code.
  std::string text;
  std::optional<std::size_t> offset;  ///< Of the fault in the text that was given, where it is known.
};

/// One connection to a database, as an engine gives it.
///
/// Thread-safety: one thread at a time; only the interrupter may be used from others. Errors: Error.
class Session {
 public:
  explicit Session(SessionContext context) : context_(std::move(context)) {}
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  virtual StatementPtr prepare(std::string_view sql) = 0;
  /// Whether `prepare` would find the statement compiled.
  virtual bool has_prepared(std::string_view sql) const noexcept = 0;
  /// How many statements were compiled since the last call, for want of them in the cache.
  virtual std::uint64_t take_compiled() noexcept = 0;
  /// Runs the statement that begins at `at`, ignoring rows; parameters are NULL. Gives where the next one begins, the
  /// script's size at its end, and `at` where SQLite reads no further, at a NUL byte.
  virtual std::size_t run_next(const std::string& script, std::size_t at) = 0;

  virtual void begin(transaction_kind kind) = 0;
  /// The same, but waits for no lock; false when there is none to be had, or the operation must stop.
  virtual bool try_begin(transaction_kind kind) noexcept = 0;
  /// Not interruptible. When it fails the transaction is rolled back before the error is thrown.
  virtual void commit() = 0;
  /// Not interruptible; false when a transaction is still open afterwards.
  virtual bool rollback() noexcept = 0;
  /// When a transaction is over, by whatever end: what has become of each statement that was sent ahead in it, in their
  /// order. `errc::transaction_rolled_back` means that it may be run again; after a commit that is
  /// `errc::outcome_unknown` only those that have failed for certain have an error.
  virtual std::vector<Answer> take_answers() { return {}; }

  /// Whether a query by this text may be asked ahead, as it is now: it would be neither compiled nor in a transaction.
  virtual bool can_ask_ahead(std::string_view) const noexcept { return false; }
  /// Asks what was noted, all at once; whoever runs the same query with the same values has its answer then, until
  /// something else is asked. It only saves time: who has none finds out by himself why.
  virtual Fetched fetch_ahead() noexcept { return {}; }
  virtual void forget_ahead() noexcept {}

  virtual void savepoint(savepoint_step step) = 0;
  virtual bool in_transaction() const noexcept = 0;
  /// True while a statement of the open transaction has left a deferred foreign key violated: it could not be
  /// committed.
  virtual bool has_deferred_violation() const noexcept = 0;

  /// After what one operation did: no busy statement, and the handlers are ours again, whatever it did by `native()`.
  virtual void take_back() noexcept = 0;
  /// Leaves no work of the last operation behind: no busy statement, no open transaction.
  virtual hygiene clean() noexcept = 0;
  /// Sets the PRAGMAs back and detaches what was attached: after what was allowed to change them, and in no
  /// transaction. If that fails `put_back` will say that a new connection is needed.
  virtual void restore_settings() noexcept = 0;
  /// Takes what stays with the connection as it is now for that which `restore_settings` and `put_back` go back to.
  virtual void remember_settings() = 0;
  /// Whether the present user may have changed what stays with the connection. Asks nobody.
  virtual bool changed() const noexcept = 0;
  /// Before the next user, when it is clean: what stays with it is as on opening. False when only a new one would be.
  virtual bool put_back() noexcept = 0;
  /// From the connection that this new one replaces: what nothing else has kept. Throws Error.
  virtual void take_over(Session& predecessor) = 0;
  /// Tells the CommitWatch of this connection if another process has committed since that was last asked; false when
  /// that cannot be found out now.
  virtual bool look_for_others() noexcept { return false; }
  /// The settings a migration's script runs with, and those from before. Outside any transaction. Without a value
  /// foreign keys stay as they are.
  virtual void begin_script(std::optional<bool> foreign_keys) = 0;
  virtual void end_script() noexcept = 0;

  /// Opens a query that stays open, in the snapshot that `begin` has opened, until `let_go`. One at a time. Throws
  /// Error, and then there is none.
  KeptQuery& keep(std::unique_ptr<StreamSource> source) {
    kept_ = std::make_unique<KeptQuery>(*this, std::move(source));
    return *kept_;
  }
  /// Closes it and ends its snapshot, if there is one. `clean` does so first.
  void let_go() noexcept {
    if (kept_ == nullptr) return;
    kept_.reset();
    rollback();
  }

  /// The most bytes of a value or row that statements may read or make from now on; gives what it was.
  virtual int limit_length(int bytes) noexcept = 0;

  virtual const LastError& last_error() const noexcept = 0;
  /// `errc::not_supported` where there is none.
  virtual SQLite::Database& native() = 0;

  SessionRules& rules() noexcept { return rules_; }
  const SessionContext& context() const noexcept { return context_; }
  const std::string& database() const noexcept { return context_.database; }
  Interrupter& interrupter() const noexcept { return *context_.interrupter; }
  spdlog::logger& logger() const noexcept { return *context_.logger; }

  [[noreturn]] void fail(errc code, const std::string& message, std::string_view sql) const {
    throw Error(code, message, {context_.database, shorten(sql)});
  }

 protected:
  /// For destructors: its statement must not outlive what it is part of.
  std::unique_ptr<KeptQuery> take_kept() noexcept { return std::move(kept_); }

 private:
  const SessionContext context_;
  SessionRules rules_;
  std::unique_ptr<KeptQuery> kept_;
};

/// Throws when the engine has rolled the open transaction back by itself, as it may after some errors. Where the
/// operation was stopped, that is why.
inline void require_transaction(const Session& session) {
  if (session.in_transaction()) return;
  const char* const text = "SQLite has rolled the transaction back; nothing of it is kept";
  const stop_reason stopped = session.interrupter().reason();
  if (stopped == stop_reason::none) session.fail(errc::transaction_rolled_back, text, {});
  const auto code = code_of(stopped);
  throw Error(code, code.message() + ": " + text, {session.database(), {}});
}

}  // namespace statehouse::detail
