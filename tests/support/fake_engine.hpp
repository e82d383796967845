#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/engine.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::test {

/// SQLite's result codes, for scripts.
enum result_code {
  sql_error = 1,
  sql_busy = 5,
  sql_locked = 6,
  sql_nomem = 7,
  sql_ioerr = 10,
  sql_full = 13,
  sql_cantopen = 14,
  sql_constraint = 19
};

/// What a statement of a FakeEngine does, in the order of the members.
struct FakeScript {
  std::function<void()> call{};      ///< Into the test.
  bool endless = false;              ///< Calls it again and again, until the statement is stopped.
  bool heavy = false;                ///< Too much for a calling thread.
  bool breaks = false;               ///< The connection cannot be cleaned any more.
  bool changes = false;              ///< What stays with the connection.
  bool ends_transaction = false;     ///< Everybody's changes in it are undone, as by OR ROLLBACK.
  int fails = 0;                     ///< With this result code.
  int fails_in_transaction = 0;      ///< Only there, with this result code, as VACUUM does.
  bool writes = false;               ///< The text is kept, once it is committed.
  bool violates = false;             ///< A deferred foreign key, until its transaction ends.
  std::vector<std::int64_t> rows{};  ///< Of one column.
};

class FakeSession;

/// A database in memory that keeps the texts of the statements that were committed and does what the test says: an
/// engine without SQLite. A text without a script succeeds, gives no row and writes nothing; `count` gives the number
/// of writes that its session sees.
///
/// Thread-safety: none; for tests that run one thread at a time.
class FakeEngine final : public detail::Engine {
 public:
  static constexpr const char* count = "count";

  std::map<std::string, FakeScript, std::less<>> scripts;
  std::vector<std::string> ran;   ///< By all sessions, what the library does by itself among it.
  std::vector<std::string> kept;  ///< By commits.
  bool opens = true;
  bool can_put_back = true;  ///< Else only a new connection is as on opening.
  bool locked = false;       ///< By another process: nothing may begin to write.
  bool remote = false;
  bool sends_ahead = false;  ///< What may be is run no earlier than its transaction is committed.
  bool asks_ahead = false;   ///< Reads share no transaction, and are asked together, but for those in `asked_alone`.
  std::set<std::string, std::less<>> asked_alone{};
  std::function<void(const std::string&)> on_note{};  ///< May throw, for values that will not do.
  std::string deadly{};  ///< The connection is lost with it, where it is asked with others.
  std::function<bool()> refuses_commit{};
  std::function<void()> on_rollback{};
  bool is_due = false;
  std::function<void(detail::ReaderGate*)> on_before_next{};
  int opened = 0;
  int closed = 0;

  std::unique_ptr<detail::Session> open(connection_role role,
                                        std::shared_ptr<detail::Interrupter> interrupter) override;
  void begin_service(detail::Session&) override {}
  bool due(const detail::Session&) noexcept override { return is_due; }
  bool before_next(detail::Session&, detail::ReaderGate* readers) override {
    if (std::exchange(is_due, false)) ran.emplace_back("checkpoint");
    if (on_before_next) on_before_next(readers);
    return false;
  }
  bool note_idle() noexcept override { return false; }
  void on_idle(detail::Session&) noexcept override {}
  void optimize(detail::Session&, TimeLimit) noexcept override {}
  void before_close(detail::Session& writer) noexcept override {
    ran.emplace_back(writer.interrupter().must_stop() ? "last checkpoint, stopped" : "last checkpoint");
  }
  std::string release() noexcept override { return {}; }
  std::optional<detail::Loss> loss() const override { return std::nullopt; }
  detail::EngineFacts facts() const override { return {}; }

  /// How often the text was run.
  std::ptrdiff_t times(std::string_view text) const { return std::count(ran.begin(), ran.end(), text); }
  std::shared_ptr<spdlog::logger> logger;
};

class FakeSession final : public detail::Session {
 public:
  FakeSession(FakeEngine& engine, detail::SessionContext context) : Session(std::move(context)), engine_(engine) {
    ++engine_.opened;
  }
  ~FakeSession() override { ++engine_.closed; }

  detail::StatementPtr prepare(std::string_view sql) override;
  bool has_prepared(std::string_view sql) const noexcept override { return prepared_.contains(sql); }
  std::uint64_t take_compiled() noexcept override { return std::exchange(compiled_, 0); }
  std::size_t run_next(const std::string& script, std::size_t at) override {
    run(script.substr(at));
    return script.size();
  }

  void begin(detail::transaction_kind kind) override {
    const bool writes = kind == detail::transaction_kind::immediate;
    throw_if_stopped("BEGIN");
    engine_.ran.emplace_back(writes ? "BEGIN IMMEDIATE" : "BEGIN");
    if (writes && engine_.locked) throw_error(sql_busy, "BEGIN IMMEDIATE");
    open_.emplace(Transaction{});
    rules().expects_transaction = true;
  }
  bool try_begin(detail::transaction_kind kind) noexcept override {
    if (engine_.locked || interrupter().must_stop()) return false;
    if (engine_.asks_ahead && kind == detail::transaction_kind::deferred) return false;
    begin(kind);
    return true;
  }
  void commit() override {
    detail::require_transaction(*this);
    run_ahead();
    engine_.ran.emplace_back("COMMIT");
    if (!open_) throw_error(sql_error, "COMMIT");
    if (open_->violated || (engine_.refuses_commit && engine_.refuses_commit())) {
      rollback();
      throw_error(sql_constraint, "COMMIT");
    }
    engine_.kept.insert(engine_.kept.end(), open_->writes.begin(), open_->writes.end());
    end_transaction();
  }
  bool rollback() noexcept override {
    if (open_ && !broken_) engine_.ran.emplace_back("ROLLBACK");
    if (open_ && engine_.on_rollback) engine_.on_rollback();
    rules().expects_transaction = false;
    for (; open_ && !ahead_.empty(); ahead_.pop_back()) answers_.emplace_back();
    if (open_) lose_answers();
    if (!broken_) open_.reset();
    return !open_;
  }
  std::vector<detail::Answer> take_answers() override { return std::exchange(answers_, {}); }
  bool can_ask_ahead(std::string_view sql) const noexcept override {
    return engine_.asks_ahead && !open_ && !engine_.asked_alone.contains(sql);
  }
  /// As a node does: one after the other, as far as it comes.
  detail::Fetched fetch_ahead() noexcept override {
    std::string together = "together:";
    for (const Asked& each : asked_) together += ' ' + each.text;
    engine_.ran.push_back(together);
    std::size_t answered = 0;
    for (Asked& each : asked_) {
      if (each.text == engine_.deadly) return {answered, true};
      const auto began = interrupter().clock().now();
      try {
        each.rows = run_one(each.text);
      } catch (const Error&) {
        if (interrupter().must_stop()) break;
        each.error = std::current_exception();
      }
      each.took = interrupter().clock().now() - began;
      each.answered = true;
      ++answered;
    }
    return {answered};
  }
  void forget_ahead() noexcept override { asked_.clear(); }
  void savepoint(detail::savepoint_step step) override {
    if (step == detail::savepoint_step::begin) open_->savepoint = open_->writes.size();
    if (step == detail::savepoint_step::rollback) open_->writes.resize(open_->savepoint);
    static constexpr const char* texts[] = {"SAVEPOINT", "RELEASE", "ROLLBACK TO"};
    engine_.ran.emplace_back(texts[static_cast<std::size_t>(step)]);
  }
  bool in_transaction() const noexcept override { return open_.has_value(); }
  bool has_deferred_violation() const noexcept override { return open_ && open_->violated; }

  int limit_length(int bytes) noexcept override { return bytes; }
  void take_back() noexcept override {}
  detail::hygiene clean() noexcept override {
    if (!open_ && !broken_) return detail::hygiene::clean;
    return rollback() && !broken_ ? detail::hygiene::rolled_back : detail::hygiene::broken;
  }
  void restore_settings() noexcept override { engine_.ran.emplace_back("restore settings"); }
  void remember_settings() override {}
  bool changed() const noexcept override { return changed_; }
  bool put_back() noexcept override {
    if (changed_) engine_.ran.emplace_back("put back");
    return !std::exchange(changed_, false) || engine_.can_put_back;
  }
  void take_over(Session&) override { engine_.ran.emplace_back("take over"); }
  void begin_script(std::optional<bool>) override {}
  void end_script() noexcept override {}

  const detail::LastError& last_error() const noexcept override { return last_error_; }
  SQLite::Database& native() override { fail(errc::not_supported, "the fake engine is not SQLite", {}); }

  /// One statement, whose rows it gives, after those that were put off.
  std::vector<std::int64_t> run(const std::string& text) {
    run_ahead();
    return run_one(text);
  }
  /// Of a query; none while it is only noted.
  std::vector<std::int64_t> query(const std::string& text) {
    if (rules().asked != nullptr) {
      if (engine_.on_note) engine_.on_note(text);
      asked_.push_back({text});
      ++*rules().asked;
      return {};
    }
    const auto has_answer = [&](const Asked& each) { return each.answered && each.text == text; };
    const auto found = std::ranges::find_if(asked_, has_answer);
    if (found != asked_.end()) {
      throw_if_stopped(text);
      found->answered = false;
      rules().fetched += found->took;
      if (found->error != nullptr) std::rethrow_exception(found->error);
      return found->rows;
    }
    asked_.clear();
    if (rules().suspect) engine_.ran.emplace_back("with care:");
    return run(text);
  }
  /// Whether it is to be run later.
  bool send_ahead(const std::string& text) {
    if (!engine_.sends_ahead || rules().ahead == nullptr) return false;
    throw_if_stopped(text);
    ahead_.push_back(text);
    ++rules().ahead->sent;
    return true;
  }

 private:
  struct Transaction {
    std::vector<std::string> writes;
    std::size_t savepoint = 0;              // of the writes, those from before it
    std::optional<std::size_t> snapshot{};  // of what was kept when it first looked
    bool violated = false;
  };

  struct Asked {
    std::string text;
    std::vector<std::int64_t> rows{};
    std::exception_ptr error{};
    Clock::duration took{};
    bool answered = false;
  };

  std::vector<std::int64_t> run_one(const std::string& text);
  void obey(const FakeScript& script, const std::string& text);
  void write(const FakeScript& script, const std::string& text);
  /// What SQLite does with statements behind one that ends the transaction: they are kept, each by itself.
  void run_ahead() {
    for (const std::string& text : std::exchange(ahead_, {})) {
      detail::Answer answer{.result = {.changes = 1}};
      try {
        run_one(text);
      } catch (const Error&) {
        answer = {.error = std::current_exception()};
      }
      answers_.push_back(std::move(answer));
    }
  }
  void lose_answers() {
    for (detail::Answer& each : answers_)
      each = {.error = std::make_exception_ptr(Error(errc::transaction_rolled_back, "lost"))};
  }
  void end_transaction() noexcept {
    open_.reset();
    rules().expects_transaction = false;
  }
  [[noreturn]] void throw_error(int code, const std::string& sql) {
    last_error_ = {code, "as scripted", std::nullopt};
    throw Error(make_sqlite_error(code), last_error_.text, {database(), sql});
  }
  void throw_if_stopped(const std::string& sql) const {
    const auto reason = interrupter().reason();
    if (reason != detail::stop_reason::none) throw Error(detail::code_of(reason), "stopped", {database(), sql});
  }

  FakeEngine& engine_;
  std::optional<Transaction> open_;
  std::vector<std::string> ahead_;
  std::vector<Asked> asked_;
  std::vector<detail::Answer> answers_;
  std::set<std::string, std::less<>> prepared_;
  std::uint64_t compiled_ = 0;
  detail::LastError last_error_;
  bool broken_ = false;
  bool changed_ = false;
};

class FakeStatement final : public detail::Statement {
 public:
  FakeStatement(FakeSession& session, std::string sql) : session_(session), sql_(std::move(sql)) {}

  bool step() override {
    if (!rows_) rows_ = session_.query(sql_);
    return next_++ < rows_->size();
  }
  ExecuteResult run() override {
    if (session_.rules().asked != nullptr) return {};
    if (!session_.send_ahead(sql_)) rows_ = session_.run(sql_);
    return {};
  }
  void reset() noexcept override {
    rows_.reset();
    next_ = 0;
  }
  bool reads_only() const noexcept override { return true; }  // what it gives can always be read
  int parameter_count() const noexcept override { return 0; }
  std::string parameter_name(int) const override { return {}; }
  void bind_null(int) override {}
  void bind_integer(int, std::int64_t) override {}
  void bind_real(int, double) override {}
  void bind_text(int, std::string_view, detail::bound_memory) override {}
  void bind_blob(int, std::span<const std::byte>, detail::bound_memory) override {}
  int column_count() const noexcept override { return 1; }
  std::string column_name(int) const override { return "value"; }
  detail::storage_class column_class(int) const noexcept override { return detail::storage_class::integer; }
  std::int64_t column_integer(int) const noexcept override { return (*rows_)[next_ - 1]; }
  double column_real(int index) const noexcept override { return static_cast<double>(column_integer(index)); }
  std::string_view column_text(int) const override { return {}; }
  std::span<const std::byte> column_blob(int) const override { return {}; }
  const std::string& sql() const noexcept override { return sql_; }
  const std::string& database() const noexcept override { return session_.database(); }

 private:
  void give_back() noexcept override { delete this; }

  FakeSession& session_;
  const std::string sql_;
  std::optional<std::vector<std::int64_t>> rows_;
  std::size_t next_ = 0;
};

inline std::unique_ptr<detail::Session> FakeEngine::open(connection_role role,
                                                         std::shared_ptr<detail::Interrupter> interrupter) {
  if (!opens) throw Error(make_sqlite_error(sql_cantopen), "cannot open now");
  if (const auto stopped = interrupter->reason(); stopped != detail::stop_reason::none)
    throw Error(detail::code_of(stopped), "the opening was stopped");
  return std::make_unique<FakeSession>(*this,
                                       detail::SessionContext{"test", role, std::move(interrupter), logger, remote});
}

inline detail::StatementPtr FakeSession::prepare(std::string_view sql) {
  if (rules().expects_transaction) detail::require_transaction(*this);
  const auto script = engine_.scripts.find(sql);
  if (rules().read_only && script != engine_.scripts.end() && script->second.writes)
    fail(errc::write_on_reader, "the statement writes", sql);
  if (prepared_.emplace(sql).second) ++compiled_;
  return detail::StatementPtr(new FakeStatement(*this, std::string(sql)));
}

inline std::vector<std::int64_t> FakeSession::run_one(const std::string& text) {
  throw_if_stopped(text);
  engine_.ran.push_back(text);
  if (open_ && !open_->snapshot) open_->snapshot = engine_.kept.size();
  if (text == FakeEngine::count)
    return {static_cast<std::int64_t>(open_ ? *open_->snapshot + open_->writes.size() : engine_.kept.size())};
  const auto found = engine_.scripts.find(text);
  if (found == engine_.scripts.end()) return {};
  const FakeScript script = found->second;  // which the call may change
  obey(script, text);
  return script.rows;
}

inline void FakeSession::obey(const FakeScript& script, const std::string& text) {
  if (script.heavy && rules().brief != nullptr) {
    rules().brief->gave_up = true;
    throw_error(sql_error, text);
  }
  do {
    if (script.call) script.call();
    if (!interrupter().must_stop()) continue;
    if (script.writes) end_transaction();  // what an interrupt does to a statement that writes
    throw_if_stopped(text);
  } while (script.endless);
  broken_ = broken_ || script.breaks;
  changed_ = changed_ || script.changes;
  if (script.ends_transaction && open_) lose_answers();
  if (script.ends_transaction) end_transaction();
  if (script.fails != 0) throw_error(script.fails, text);
  if (script.fails_in_transaction != 0 && open_) throw_error(script.fails_in_transaction, text);
  write(script, text);
}

inline void FakeSession::write(const FakeScript& script, const std::string& text) {
  if (script.violates && !open_) throw_error(sql_constraint, text);
  if (script.violates) open_->violated = true;
  if (script.writes) (open_ ? open_->writes : engine_.kept).push_back(text);
}

}  // namespace statehouse::test
