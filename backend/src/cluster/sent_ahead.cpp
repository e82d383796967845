#include "cluster/sent_ahead.hpp"

#include <sqlite3.h>

#include <utility>

#include "cluster/server_code.hpp"

namespace statehouse::detail {
namespace {

/// After any error but these SQLite may have rolled the whole transaction back.
bool may_end_transaction(const Refusal& refusal) noexcept {
  if (judge(refusal) == server_verdict::not_executed) return false;
  switch (refusal.code() & 0xff) {
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG: return false;
    default: return true;
  }
}

std::exception_ptr error(const boost::system::error_code& code, const std::string& text,
                         const Error::Context& context) {
  return std::make_exception_ptr(Error(code, text, context));
}

}  // namespace

ExecuteResult result_of(const StatementFacts& facts, const wire::Result& result, std::uint64_t earlier) noexcept {
  const auto changes = facts.changes_rows ? static_cast<std::int64_t>(result.changes) : 0;
  // After an upsert that has updated it is still that of an earlier insert; one that has inserted the same number as
  // that is not told apart.
  const bool inserted = facts.inserts && changes > 0 && !(facts.upserts && result.last_insert_rowid == earlier);
  return {changes, inserted ? static_cast<std::int64_t>(result.last_insert_rowid) : 0};
}

void SentAhead::add(const StatementFacts& facts, std::string sql, std::string_view request) {
  requests_ += request;
  statements_.push_back({facts, std::move(sql)});
}

void SentAhead::exchange(Link& link, const Clock& clock, std::string_view last) {
  const std::string all = std::exchange(requests_, {}).append(last);
  auto before = clock.now();
  try {
    link.send_several(all);
  } catch (const Lost& lost) {
    if (lost.may_be_executed()) sent_ = statements_.size();
    throw;
  }
  for (std::size_t at = std::exchange(sent_, statements_.size()); at < sent_; ++at) {
    Sent& each = statements_[at];
    try {
      each.result = link.receive<wire::Result>();
    } catch (const Refusal& refusal) {
      each.refusal = refusal;
    }
    const auto now = clock.now();
    each.took = now - std::exchange(before, now);
  }
}

/// Where the node has said that the transaction is gone and no answer tells why, it may have been any.
std::size_t SentAhead::first_suspect() const noexcept {
  for (std::size_t at = inside_; at < statements_.size(); ++at)
    if (const auto& refusal = statements_[at].refusal; refusal && may_end_transaction(*refusal)) return at;
  return end_ == end::gone ? inside_ : statements_.size();
}

std::size_t SentAhead::last_suspect() const noexcept {
  for (std::size_t at = statements_.size(); at > inside_; --at)
    if (const auto& refusal = statements_[at - 1].refusal; refusal && may_end_transaction(*refusal)) return at - 1;
  return statements_.size();
}

SentAhead::fate SentAhead::fate_of(std::size_t at) const noexcept {
  const Sent& each = statements_[at];
  const bool answered = each.result || each.refusal;
  if (end_ == end::committed) return answered ? fate::as_answered : fate::unknown;
  if (end_ == end::doubtful) return fate::as_answered;
  if (at >= sent_ || at < inside_) return fate::lost;
  if (at >= first_suspect()) return fate_after_suspect(at);
  return answered ? fate::lost : fate::unknown;
}

/// It was in the transaction, or was executed by itself.
SentAhead::fate SentAhead::fate_after_suspect(std::size_t at) const noexcept {
  const Sent& each = statements_[at];
  if (each.result) return end_ == end::gone && at > last_suspect() ? fate::as_answered : fate::unknown;
  if (!each.refusal) return fate::unknown;
  switch (judge(*each.refusal)) {
    case server_verdict::not_executed: return fate::lost;
    case server_verdict::unknown: return at == first_suspect() ? fate::lost : fate::unknown;
    case server_verdict::storage: return at == first_suspect() ? fate::as_answered : fate::unknown;
    default: return fate::as_answered;
  }
}

std::vector<Answer> SentAhead::take(const std::string& database, std::uint64_t& last_insert_rowid) {
  std::vector<Answer> answers;
  answers.reserve(statements_.size());
  for (std::size_t at = 0; at < statements_.size(); ++at) {
    const Sent& each = statements_[at];
    const Error::Context context{database, each.sql};
    Answer& answer = answers.emplace_back();
    answer.took = each.took;
    if (each.result) answer.result = result_of(each.facts, *each.result, last_insert_rowid);
    if (each.result) last_insert_rowid = each.result->last_insert_rowid;
    switch (fate_of(at)) {
      case fate::lost:
        answer.error = error(errc::transaction_rolled_back, "the transaction is lost; nothing of it is kept", context);
        break;
      case fate::unknown:
        answer.error =
            error(errc::outcome_unknown,
                  "the transaction ended in the middle, and whether this was executed after it is not known: "
                  "look whether it is there before you do it again",
                  context);
        break;
      case fate::as_answered:
        if (each.refusal)
          answer.error =
              error(make_sqlite_error(static_cast<int>(each.refusal->code())), each.refusal->what(), context);
        break;
    }
  }
  *this = {};
  return answers;
}

}  // namespace statehouse::detail
