#include "lane/batch.hpp"
#include "lane/lane.hpp"

// Connections that callers hold: how they work on one and give it back.

namespace statehouse::detail {

void Lane::submit_on_lease(const LeaseRef& lease, Operation& operation) {
  if (context_.forked()) return operation.refuse(messages_.forked());
  messages_.began(operation);
  Slot& slot = *lease.slot;
  std::exception_ptr error;
  {
    std::lock_guard lock(mutex_);
    operation.lane = this;
    operation.submitted = context_.clock->now();
    const void* const caller = operation.request().caller;
    if (!slot.leased_as(lease.ticket)) {
      error = queue_.closed() != nullptr ? queue_.closed() : messages_.lease_finished();
    } else if (caller != nullptr && caller == context_.pool()) {
      error = messages_.would_deadlock();
    } else if (!slot.is(Slot::state::leased_idle)) {
      error = messages_.lease_busy();
    } else {
      slot.wait_on_lease(operation);
      schedule(slot);
    }
  }
  if (error == nullptr) return;
  operation.fail(error);
  messages_.ended(operation);
  operation.resume();
}

void Lane::run_leased(Slot& slot, Operation& operation) {
  const bool in_transaction = slot.lease().in_transaction;
  const bool ends = in_transaction && !operation.request().kind.keeps_connection;
  if (const auto unusable = in_transaction ? nullptr : slot.make_ready(open_, before_next_); unusable != nullptr) {
    operation.fail(unusable);
  } else {
    Batch(slot, context_, open_)
        .run_alone(operation, in_transaction ? open_transaction::leased : open_transaction::none);
  }
  slot.interrupter->disarm();
  if (!in_transaction || ends) slot.clean();
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    slot.end();
    slot.enter(Slot::state::leased_idle);
    history_.add_batch(slot);
    history_.add(operation);
    if (slot.lease().dropped || ends) after = free(slot);
    after.ended.push_back(operation);
    if (queue_.held()) freed_.notify_one();
  }
  after.carry_out(context_, messages_);
}

void Lane::give_back(Slot& slot, std::uint64_t ticket) noexcept {
  if (context_.forked()) return;
  Afterwards after;
  {
    std::lock_guard lock(mutex_);
    if (!slot.leased_as(ticket)) return;  // taken back by shutdown
    if (slot.is(Slot::state::leased_idle)) {
      after = free(slot);
    } else {
      slot.drop_lease();
    }
  }
  after.carry_out(context_, messages_);
}

}  // namespace statehouse::detail
