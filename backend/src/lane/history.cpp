#include "lane/history.hpp"

#include "engine/error_class.hpp"

namespace statehouse::detail {

void History::add(Operation& operation) {
  operation.status = Operation::progress::done;
  operation.slot = nullptr;
  ++counts.completed;
  counts.wait_time += operation.started - operation.submitted;
  counts.run_time += operation.ran;
  if (operation.request().may_share()) note_time(operation);
  if (operation.error() == nullptr) return;
  ++counts.failed;
  note_error(operation);
}

void History::add_lease(Operation& operation, Clock::time_point now) noexcept {
  operation.status = Operation::progress::done;
  operation.started = now;
  ++counts.completed;
  counts.wait_time += operation.started - operation.submitted;
}

void History::add_batch(const Slot& slot) noexcept {
  ++counts.batches;
  if (Session* const session = slot.session()) {
    counts.compiled += session->take_compiled();
    remote_ = session->context().remote;
  }
}

void History::note_time(const Operation& operation) {
  if (!remote_) return slow_.note(operation, operation.ran);
  if (operation.request().role == connection_role::reader) slow_.note(operation, operation.ran, slow_remote_read);
}

void History::note_error(const Operation& operation) {
  try {
    std::rethrow_exception(operation.error());
  } catch (const Error& error) {
    if (tells_of_the_file(error.code())) last_error_ = error.what();
  } catch (...) {  // the user's own; not ours to keep
  }
}

}  // namespace statehouse::detail
