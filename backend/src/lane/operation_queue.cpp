#include "lane/operation_queue.hpp"

#include <algorithm>

namespace statehouse::detail {

void OperationQueue::push(Operation& operation) {
  operation.status = Operation::progress::queued;
  operation.number = ++last_number_;
  entries_.push_back(operation);
}

Operation& OperationQueue::take(Slot& slot) noexcept {
  Operation& operation = pop();
  operation.status = Operation::progress::running;
  operation.slot = &slot;
  return operation;
}

void OperationQueue::put_back(Operation& operation) noexcept {
  operation.status = Operation::progress::queued;
  entries_.insert(
      std::ranges::find_if(entries_, [&](const Operation& other) { return other.number > operation.number; }),
      operation);
}

Operation& OperationQueue::pop() noexcept {
  Operation& operation = entries_.front();
  remove(operation);
  return operation;
}

void OperationQueue::remove(Operation& operation) noexcept {
  entries_.erase(OperationList::s_iterator_to(operation));
  operation.status = Operation::progress::done;
}

Clock::time_point OperationQueue::next_expiry() const noexcept {
  auto next = Clock::time_point::max();
  for (const Operation& operation : entries_) next = std::min(next, operation.wait_until);
  return next;
}

OperationList OperationQueue::close(const std::exception_ptr& error) {
  closed_ = error;
  return fail_all(error);
}

OperationList OperationQueue::fail_all(const std::exception_ptr& error) {
  for (Operation& operation : entries_) {
    operation.status = Operation::progress::done;
    operation.fail(error);
  }
  return std::move(entries_);
}

}  // namespace statehouse::detail
