#include "lane/batch.hpp"

#include <cassert>
#include <utility>

#include "base/deadline.hpp"
#include "engine/error_class.hpp"

namespace statehouse::detail {
namespace {

bool was_stopped(const boost::system::error_code& error) {
  return error == errc::deadline_exceeded || error == errc::closed || error == boost::system::errc::operation_canceled;
}

/// Whether what it has come to in a transaction that is over, or lost, is what it would have come to alone.
bool is_final(const Operation& operation) {
  const auto error = code_of(operation.error());
  if (!operation.sent_ahead) return was_stopped(error);
  return error != errc::transaction_rolled_back && !may_depend_on_transaction(error);
}

}  // namespace

Batch::Batch(Slot& slot, const LaneContext& context, const Slot::Open& open)
    : slot_(slot), context_(context), open_connection_(open), pool_(context.pool()), now_(context.clock->now()) {}

void Batch::run_alone(Operation& operation, open_transaction around) {
  begin(operation);
  operation.execute(*slot_.connection, pool_, around);
  end(operation);
}

bool Batch::run_briefly(Operation& operation) {
  Brief brief;
  session().rules().brief = &brief;
  run_alone(operation);
  session().rules().brief = nullptr;
  slot_.interrupter->disarm();
  return !brief.gave_up;
}

bool Batch::can_ask(const Operation& operation) const noexcept {
  const Request& request = operation.request();
  return request.role == connection_role::reader && request.kind.around == bracket::none &&
         session().can_ask_ahead(operation.sql());
}

/// What it comes to is nothing yet, be it an error.
bool Batch::ask(Operation& operation) {
  std::size_t asked = 0;
  session().rules().asked = &asked;
  operation.execute(*slot_.connection, pool_, open_transaction::none);
  session().rules().asked = nullptr;
  session().take_back();
  operation.fail(nullptr);
  return asked == 1;
}

void Batch::run_answered(std::size_t noted) {
  const Fetched fetched = session().fetch_ahead();
  assert(fetched.answered <= noted);
  now_ = context_.clock->now();
  for (std::size_t i = 0; i < fetched.answered; ++i) {
    Operation& operation = asked_.front();
    asked_.pop_front();
    run_one(operation, false);
  }
  std::size_t at = fetched.answered;
  for (Operation& operation : asked_) {
    operation.alone = true;
    operation.suspect = fetched.suspect && at < noted;
    if (at++ == 0) operation.wait_until = Clock::time_point::max();  // he has had his turn, and is the next
  }
  if (slot_.session() != nullptr) session().forget_ahead();
  slot_.interrupter->disarm();
}

void Batch::run_one(Operation& operation, bool others_follow) {
  if (!make_ready(operation)) return done_.push_back(operation);
  begin(operation);
  // Where another process has the lock, the operation waits for it in its own way, if it needs one at all.
  if (!sharing_ && !lost_ && others_follow)
    sharing_ = session().try_begin(operation.request().role == connection_role::reader ? transaction_kind::deferred
                                                                                       : transaction_kind::immediate);
  const std::size_t ahead = ahead_.sent;
  // Who asks for nothing but a statement's result can have it after the commit as well.
  const bool bare = operation.request().kind.around == bracket::none;
  session().rules().ahead = sharing_ && bare ? &ahead_ : nullptr;
  operation.execute(*slot_.connection, pool_, sharing_ ? open_transaction::shared : open_transaction::none);
  session().rules().ahead = nullptr;
  end(operation);
  operation.sent_ahead = ahead_.sent != ahead;
  if (operation.sent_ahead) {
    open_.push_back(operation);
  } else {
    sharing_ ? decide(operation) : done_.push_back(operation);
  }
}

/// One by itself, after others.
void Batch::run_next(Operation& operation) {
  if (make_ready(operation)) run_alone(operation);
}

/// For the first of a batch the lane has done so.
bool Batch::make_ready(Operation& operation) {
  if (!std::exchange(used_, true) || sharing_) return true;
  slot_.interrupter->arm(Clock::time_point::max());  // what stopped the one before is nothing to a new connection
  const std::exception_ptr unusable = slot_.make_ready(open_connection_, nullptr);
  if (unusable == nullptr) return true;
  operation.started = now_;
  operation.fail(unusable);
  return false;
}

/// Whether what the operation came to inside the shared transaction is what it would have come to alone.
void Batch::decide(Operation& operation) {
  const Request& request = operation.request();
  if (!session().in_transaction() || session().has_deferred_violation()) {
    // An interrupt, a full disk or OR ROLLBACK has taken back everybody's work. Or a foreign key is violated, which the
    // operation's own commit would have refused, while here a later one might make it good.
    open_.push_back(operation);
    repeat_open();
  } else if (request.role == connection_role::reader) {
    done_.push_back(operation);
  } else if (request.kind.around == bracket::none && may_depend_on_transaction(code_of(operation.error()))) {
    commit();
    run_next(operation);
    done_.push_back(operation);
  } else {
    open_.push_back(operation);
  }
  // Nobody else in this transaction is to see what it may have left on the connection, a temporary table for one.
  if (sharing_ && session().changed()) commit();
}

void Batch::commit() {
  sharing_ = false;
  try {
    session().commit();
  } catch (const Error& error) {
    if (error.code() != errc::outcome_unknown) return repeat_open();  // each is told by its own commit why
    doubt_open();
  } catch (const std::exception&) {
    return repeat_open();
  }
  for (Operation& operation : open_) operation.together = static_cast<unsigned>(open_.size());
  if (take_answers())
    for (Operation& operation : open_)
      if (operation.sent_ahead && !is_final(operation)) run_next(operation);
  keep_open();
}

/// Nobody knows whether the commit that fails now has happened: again would be twice.
void Batch::doubt_open() {
  lost_ = true;
  take_answers();
  for (Operation& operation : open_)
    if (operation.error() == nullptr) operation.fail(std::current_exception());
}

/// What was sent ahead comes to what the engine knows of it, now that its transaction is over.
bool Batch::take_answers() {
  if (std::exchange(ahead_.sent, 0) == 0) return false;
  const std::vector<Answer> answers = session().take_answers();
  auto answer = answers.begin();
  for (Operation& operation : open_) {
    if (!operation.sent_ahead) continue;
    operation.settle(answer->result);
    operation.fail(answer->error);
    operation.ran += answer->took;
    ++answer;
  }
  return true;
}

void Batch::keep_open() {
  done_.splice(done_.end(), open_);
}

void Batch::repeat_open() {
  sharing_ = false;
  lost_ = true;
  session().rollback();  // even if SQLite has done so: the session still expects a transaction
  take_answers();
  for (Operation& operation : open_)
    if (!is_final(operation)) run_next(operation);
  keep_open();
}

void Batch::begin(Operation& operation) {
  operation.started = now_;
  operation.together = 1;
  slot_.begin(operation, now_);
  const auto limit = operation.request().options.run_timeout.value_or(context_.options->run_timeout);
  slot_.interrupter->arm(deadline(now_, limit), &operation);
  if (operation.cancelled.load(std::memory_order_relaxed))
    slot_.interrupter->request(stop_reason::cancelled, &operation);
  session().rules().suspect = operation.suspect;
}

void Batch::end(Operation& operation) {
  session().take_back();
  now_ = context_.clock->now();
  operation.started -= std::exchange(session().rules().fetched, {});
  operation.ran = now_ - operation.started;
}

}  // namespace statehouse::detail
