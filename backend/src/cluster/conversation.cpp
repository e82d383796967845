#include "cluster/conversation.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "base/deadline.hpp"
#include "cluster/encoder.hpp"
#include "cluster/server_code.hpp"
#include "engine/error_class.hpp"

namespace statehouse::detail {
namespace {

constexpr Clock::duration longest_rest = std::chrono::milliseconds(50);

wire::Result exec(Link& link, std::string_view sql) {
  return link.ask<wire::Result>(wire::exec_sql_request(sql));
}

}  // namespace

Conversation::Conversation(Session& session, std::shared_ptr<Leader> leader, const ConnectionOptions& options)
    : session_(session),
      leader_(leader),
      busy_timeout_(options.busy_timeout),
      link_(std::move(leader), session.interrupter(), session.database()),
      foreign_keys_(options.foreign_keys) {
  run(effect::nothing, {}, [](Link&) {});
}

void Conversation::throw_if_stopped(std::string_view sql) const {
  if (const auto reason = session_.interrupter().reason(); reason != stop_reason::none) fail_by_stop(reason, sql);
}

void Conversation::fail_by_stop(stop_reason reason, std::string_view sql) const {
  const auto code = code_of(reason);
  throw Error(code, "the statement was stopped: " + code.message(), {session_.database(), shorten(sql)});
}

void Conversation::make_ready(std::string_view sql) {
  throw_if_stopped(sql);
  leave_outdated();
  if (link_.connected()) return;
  if (changed())
    session_.fail(errc::unavailable,
                  "the leader is lost, and with it what was made for this connection alone, as temporary tables: begin "
                  "again on a new one",
                  sql);
  link_.connect();
  settle();
}

/// What is with this connection alone is lost only when its node goes.
void Conversation::leave_outdated() {
  if (!in_transaction_ && !changed() && link_.outdated()) link_.drop();
}

/// A new connection has foreign keys on. One that keeps them on when it is not to is not used.
///
/// Nodes before 1.13 cannot read what a large transaction has moved from its cache to a log that was empty, as it is
/// after each checkpoint: a "disk I/O error", 522. So nothing is moved; both are in memory there.
void Conversation::settle() {
  std::string settings;
  if (session_.context().role == connection_role::writer) settings = "PRAGMA cache_spill = OFF;";
  if (!foreign_keys_) settings += "PRAGMA foreign_keys = OFF;";
  if (settings.empty()) return;
  try {
    link_.ask_harmlessly<wire::Result>(wire::exec_sql_request(settings));
  } catch (const Refusal&) {
    link_.drop();
    throw;
  }
}

void Conversation::set_foreign_keys(bool on) noexcept {
  const bool set = std::exchange(keys_set_, false);
  const bool other = std::exchange(foreign_keys_, on) != on;
  if ((!set && !other) || !link_.connected()) return;
  try {
    exec(link_, on ? "PRAGMA foreign_keys = ON" : "PRAGMA foreign_keys = OFF");
  } catch (const std::exception&) {
    link_.drop();  // the next one has it
  }
}

/// Outside a transaction a statement is committed by itself, and leaves none but a PRAGMA to the next transaction: that
/// one puts foreign keys off until something is committed.
void Conversation::note_write(const StatementFacts& facts) noexcept {
  changed_ = changed_ || facts.temporary;
  keys_set_ = keys_set_ || (facts.sets_keys && !in_transaction_);
  wrote_ = in_transaction_;
  defers_keys_ =
      facts.defers_keys && !facts.pragma.empty() ? true : in_transaction_ && (defers_keys_ || facts.defers_keys);
}

void Conversation::end_transaction() noexcept {
  in_transaction_ = begun_by_savepoint_ = wrote_ = defers_keys_ = false;
}

void Conversation::control(StatementFacts::kind what, std::string_view sql) {
  using kind = StatementFacts::kind;
  const bool ends = what == kind::commit || (what == kind::release && begun_by_savepoint_);
  run(ends && wrote_ ? effect::commits : effect::nothing, sql, [&](Link& link) {
    std::optional<Interrupter::Shield> shield;
    if (ends) shield.emplace(session_.interrupter());
    ends ? commit(link, sql) : void(exec(link, sql));
  });
  if (ends) ahead_.note_committed();
  switch (what) {
    case kind::begin: in_transaction_ = true; break;
    case kind::savepoint: begun_by_savepoint_ = !std::exchange(in_transaction_, true) || begun_by_savepoint_; break;
    case kind::commit:
    case kind::rollback: end_transaction(); break;
    case kind::release:
      if (begun_by_savepoint_) look_for_transaction();
      break;
    default: break;
  }
}

/// Both requests in one flight. What is asked of the schema holds until the transaction ends, as nobody else writes.
bool Conversation::try_begin(SchemaFacts& schema) noexcept {
  if (session_.interrupter().must_stop()) return false;
  try {
    leave_outdated();
    if (!link_.connected()) return false;
    link_.send_several(wire::exec_sql_request("BEGIN IMMEDIATE") + SchemaFacts::question());
    std::optional<Refusal> refused;
    try {
      link_.receive<wire::Result>();
    } catch (const Refusal& refusal) {
      refused = refusal;
    }
    const std::vector<wire::Rows> version = link_.receive_rows();
    if (!refused) {
      schema.update(version, link_);
      in_transaction_ = true;
    } else if (judge(*refused) != server_verdict::busy) {
      link_.drop();
    }
  } catch (const std::exception&) {  // the caller does without
    link_.drop();
  }
  return in_transaction_;
}

void Conversation::send_ahead(const StatementFacts& facts, std::string_view sql, std::string_view request) {
  throw_if_stopped(sql);
  note_write(facts);
  ahead_.add(facts, shorten(sql), request);
}

/// Before anything is asked whose answer is waited for.
void Conversation::settle_ahead() {
  if (!ahead_.pending()) return;
  const Interrupter::Shield shield(session_.interrupter());  // a stop is not to make others' outcomes unknown
  ahead_.exchange(link_, session_.interrupter().clock(), {});
  if (ahead_.may_have_ended()) look_for_transaction();
  require_transaction(session_);
  ahead_.note_open();
}

Fetched Conversation::fetch_asked() noexcept {
  bool suspect = false;
  try {
    if (has_asked() && link_.connected() && !link_.outdated()) asked_.exchange(link_, session_.interrupter().clock());
  } catch (const Lost& lost) {
    suspect = lost.may_be_executed();
  } catch (...) {
    link_.drop();
  }
  return {asked_.answered(), suspect};
}

std::vector<wire::Rows> Conversation::take_asked(std::string_view request, std::string_view sql,
                                                 Clock::duration& took) {
  throw_if_stopped(sql);
  auto answer = asked_.take(request);
  if (!answer) return {};
  took += answer->took;
  if (answer->refusal) fail(*answer->refusal, sql);
  return std::move(answer->rows);
}

void Conversation::commit(Link& link, std::string_view sql) {
  const std::string request = wire::exec_sql_request(sql);
  if (!ahead_.pending()) {
    link.ask<wire::Result>(request);
    return;
  }
  ahead_.exchange(link, session_.interrupter().clock(), request);
  link.receive<wire::Result>();
}

/// What cannot be rolled back by a word is by going: a node rolls back what its client has left open.
void Conversation::roll_back() noexcept {
  if (!in_transaction_) return;
  try {
    exec(link_, "ROLLBACK");
  } catch (const std::exception&) {
    link_.drop();
  }
  end_transaction();
}

void Conversation::look_for_transaction() noexcept {
  const Interrupter::Shield shield(session_.interrupter());
  try {
    exec(link_, "BEGIN");
    ahead_.note_gone();
    exec(link_, "ROLLBACK");
    end_transaction();
  } catch (const Refusal& refusal) {
    if (refusal.code() == SQLITE_ERROR) return;  // "within a transaction"
    link_.drop();
    end_transaction();
  } catch (const std::exception&) {
    link_.drop();
    end_transaction();
  }
}

void Conversation::bear(Attempts& attempts, const Lost& lost, effect what, std::string_view sql) {
  const bool was_open = in_transaction_;
  const bool lost_writes = was_open && wrote_;
  end_transaction();
  if (what == effect::commits && lost.may_be_executed()) {
    ahead_.note_doubtful();
    session_.fail(errc::outcome_unknown,
                  "the leader was lost before it could say whether this is committed (" + std::string(lost.what()) +
                      "): look whether it is there before you do it again, or make it so that twice is as good as once",
                  sql);
  }
  if (const auto reason = session_.interrupter().reason(); reason != stop_reason::none) fail_by_stop(reason, sql);
  if (was_open)
    session_.fail(errc::unavailable,
                  "the leader was lost (" + std::string(lost.what()) + "), and the transaction with it" +
                      (lost_writes ? ": nothing of it is kept" : "") + ". Run it again",
                  sql);
  const auto now = session_.interrupter().clock().now();
  const bool first = attempts.since == Clock::time_point{};
  if (first) attempts.since = now;
  // A statement that kills whoever runs it is not to be handed to all of them.
  const bool again = !(lost.may_be_executed() && std::exchange(attempts.unanswered, true));
  if (again && !reaches(now - attempts.since, leader_->options().find_leader)) {
    // One that says that it leads and refuses as if it did not is not to be asked in a circle.
    if (!first) rest(attempts, deadline(attempts.since, leader_->options().find_leader));
    return;
  }
  session_.fail(errc::unavailable,
                "the leader was lost again and again (" + std::string(lost.what()) + "); nothing is changed", sql);
}

void Conversation::bear(Attempts& attempts, const Refusal& refusal, effect what, std::string_view sql) {
  const server_verdict verdict = judge(refusal);
  if (verdict == server_verdict::busy) return wait_for_lock(attempts, refusal, sql);
  const bool gone = verdict == server_verdict::not_executed || verdict == server_verdict::unknown ||
                    (verdict == server_verdict::storage && what == effect::commits);
  if (!gone) fail(refusal, sql);
  link_.drop();
  bear(attempts, Lost(refusal.what(), verdict != server_verdict::not_executed), what, sql);
}

/// Longer each time.
void Conversation::rest(Attempts& attempts, Clock::time_point until) {
  pause(attempts.pause, {session_.interrupter(), until});
  attempts.pause = std::min(attempts.pause * 2, longest_rest);
}

/// Nobody wakes those who wait for a cluster's lock.
void Conversation::wait_for_lock(Attempts& attempts, const Refusal& refusal, std::string_view sql) {
  const auto now = session_.interrupter().clock().now();
  if (attempts.busy_since == Clock::time_point{}) attempts.busy_since = now;
  const auto until = after(attempts.busy_since, busy_timeout_);
  if (now >= until) fail(refusal, sql);
  rest(attempts, until);
}

void Conversation::fail(const Refusal& refusal, std::string_view sql) {
  if (in_transaction_) look_for_transaction();
  const int code = static_cast<int>(refusal.code());
  std::string message = refusal.what();
  last_error_ = {code, message, std::nullopt};
  if ((code & 0xff) == SQLITE_BUSY) message += ": another client of the cluster writes";
  throw Error(make_sqlite_error(code), message, {session_.database(), shorten(sql)});
}

}  // namespace statehouse::detail
