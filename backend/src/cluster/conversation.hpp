#pragma once

#include <memory>
#include <string_view>

#include "cluster/asked_ahead.hpp"
#include "cluster/link.hpp"
#include "cluster/prepared_statements.hpp"
#include "cluster/schema_facts.hpp"
#include "cluster/sent_ahead.hpp"
#include "cluster/statement_facts.hpp"
#include "engine/session.hpp"

namespace statehouse::detail {

/// What is known when no answer comes to what was sent.
enum class effect : unsigned char {
  nothing,  ///< Nothing is kept of it: it reads, or belongs to a transaction that is gone with the link.
  commits   ///< It may be committed or not.
};

/// One connection of SQLite's inside the leader, as its client sees it: whether it is in a transaction, and what to do
/// when it or the leader goes.
///
/// Invariants: what may have been executed is never sent twice, but for a read, which is sent once more. Outside of a
/// transaction a new leader is found and used without anybody noticing. With the link a transaction is lost as a whole.
/// Whether a transaction is open is ours to know, as no answer tells; after an error in one the node is asked, because
/// SQLite may have ended it. What is sent ahead has been answered before anything else is asked; what was asked ahead
/// is forgotten by then.
class Conversation {
 public:
  Conversation(Session& session, std::shared_ptr<Leader> leader, const ConnectionOptions& options);

  /// `action(link)`, again and again as long as that is safe and there is time. Throws Error; the session's last error
  /// is what a node has said.
  template <class Action>
  auto run(effect what, std::string_view sql, Action&& action);
  /// BEGIN, COMMIT and the like.
  void control(StatementFacts::kind what, std::string_view sql);
  /// BEGIN IMMEDIATE, and `schema` as it is then; false when the lock cannot be had at once.
  bool try_begin(SchemaFacts& schema) noexcept;
  void roll_back() noexcept;
  /// A statement of the open transaction, to be answered with its end.
  void send_ahead(const StatementFacts& facts, std::string_view sql, std::string_view request);
  bool has_room_ahead() const noexcept { return ahead_.bytes() < SentAhead::most_bytes; }
  /// Of those that were sent ahead, once the transaction is over.
  std::vector<Answer> take_answers(std::uint64_t& last_insert_rowid) {
    return ahead_.take(session_.database(), last_insert_rowid);
  }

  /// Whether a query by this statement may go to the node with others.
  bool can_ask_ahead(const PreparedStatement& statement) const noexcept {
    return link_.connected() && !in_transaction_ && knows(statement) && asked_.has_room();
  }
  bool ask_ahead(std::string request) { return asked_.add(std::move(request)); }
  Fetched fetch_asked() noexcept;
  bool has_asked() const noexcept { return !asked_.empty(); }
  /// The answer that is there already, whose time is added to `took`; empty without. Throws Error.
  std::vector<wire::Rows> take_asked(std::string_view request, std::string_view sql, Clock::duration& took);
  void forget_asked() noexcept { asked_.forget(); }

  /// Whether the statement can be run by its id.
  bool knows(const PreparedStatement& statement) const noexcept { return statement.generation == link_.generation(); }
  bool in_transaction() const noexcept { return in_transaction_; }
  /// A statement that writes is about to run in a transaction, or has run without one.
  void note_write(const StatementFacts& facts) noexcept;
  /// A statement has put off foreign keys until the transaction ends.
  bool defers_keys() const noexcept { return in_transaction_ && defers_keys_; }
  /// Something is left with the connection: it is not replaced by itself.
  bool changed() const noexcept { return changed_ || keys_set_; }
  /// The setting, also of connections to come, whatever a statement has made of it. Only outside a transaction.
  void set_foreign_keys(bool on) noexcept;

  const LastError& last_error() const noexcept { return last_error_; }
  [[noreturn]] void fail_by_stop(stop_reason reason, std::string_view sql) const;
  void throw_if_stopped(std::string_view sql) const;

 private:
  /// Of one `run`.
  struct Attempts {
    Clock::time_point since{};  ///< Of the first that failed.
    bool unanswered = false;
    Clock::duration pause = std::chrono::milliseconds(1);
    Clock::time_point busy_since{};
  };

  void make_ready(std::string_view sql);
  void settle_ahead();
  void commit(Link& link, std::string_view sql);
  void leave_outdated();
  void settle();
  void bear(Attempts& attempts, const Lost& lost, effect what, std::string_view sql);
  void bear(Attempts& attempts, const Refusal& refusal, effect what, std::string_view sql);
  void rest(Attempts& attempts, Clock::time_point until);
  void wait_for_lock(Attempts& attempts, const Refusal& refusal, std::string_view sql);
  void look_for_transaction() noexcept;
  void end_transaction() noexcept;
  [[noreturn]] void fail(const Refusal& refusal, std::string_view sql);

  Session& session_;
  const std::shared_ptr<Leader> leader_;
  const TimeLimit busy_timeout_;
  Link link_;
  SentAhead ahead_;
  AskedAhead asked_;
  LastError last_error_;
  bool foreign_keys_;
  bool keys_set_ = false;  // otherwise, by a statement
  bool in_transaction_ = false;
  bool begun_by_savepoint_ = false;
  bool wrote_ = false;  // since the transaction began
  bool defers_keys_ = false;
  bool changed_ = false;
};

template <class Action>
auto Conversation::run(effect what, std::string_view sql, Action&& action) {
  asked_.forget();
  Attempts attempts{.unanswered = session_.rules().suspect};
  for (;;) {
    try {
      make_ready(sql);
      if (what == effect::nothing) settle_ahead();
      return action(link_);
    } catch (const Lost& lost) {
      bear(attempts, lost, what, sql);
    } catch (const Refusal& refusal) {
      bear(attempts, refusal, what, sql);
    } catch (...) {
      if (!link_.connected()) end_transaction();
      throw;
    }
  }
}

}  // namespace statehouse::detail
