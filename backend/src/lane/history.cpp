#include "lane/history.hpp"

#include <algorithm>
#include <cerrno>

#include "base/deadline.hpp"
#include "engine/error_class.hpp"

namespace statehouse::detail {
namespace {

void count(std::vector<ErrorCount>& errors, std::string_view code, std::uint64_t times) {
  if (times == 0) return;
  const auto known = std::ranges::find(errors, code, &ErrorCount::code);
  (known != errors.end() ? *known : errors.emplace_back(ErrorCount{code})).count += times;
}

}  // namespace

void History::add(Operation& operation) {
  operation.status = Operation::progress::done;
  operation.slot = nullptr;
  ++counts.completed;
  counts.waits.add(operation.started - operation.submitted);
  counts.runs[static_cast<std::size_t>(operation.request().verb)].add(operation.ran);
  if (reaches(operation.ran, options_.slow_statement)) ++counts.slow;
  if (operation.request().may_share()) note_time(operation);
  if (operation.error() == nullptr) return;
  ++counts.failed;
  note_error(operation);
}

void History::add_lease(Operation& operation, Clock::time_point now) noexcept {
  operation.status = Operation::progress::done;
  operation.started = now;
  ++counts.completed;
  counts.waits.add(operation.started - operation.submitted);
}

void History::add_batch(const Slot& slot) noexcept {
  ++counts.batches;
  if (Session* const session = slot.session()) {
    counts.compiled += session->take_compiled();
    remote_ = session->context().remote;
  }
}

void History::note_time(const Operation& operation) {
  if (remote_) {  // nothing runs on a calling thread there
    if (operation.request().role == connection_role::reader) slow_.note(operation, operation.ran, slow_remote_read);
    return;
  }
  slow_.note(operation, operation.ran, slow);
  if (operation.request().may_run_inline(options_.inline_reads))
    heavy_.note(operation, operation.ran, too_long_inline, quick_runs);
}

void History::note_error(const Operation& operation) {
  try {
    std::rethrow_exception(operation.error());
  } catch (const Error& error) {
    count(counts.errors, name_of(error.code()), 1);
    if (tells_of_full_disk(error.code())) disk_full_at_ = operation.started + operation.ran;
    if (tells_of_the_file(error.code())) last_error_ = error.what();
  } catch (...) {  // the user's own; not ours to keep
    count(counts.errors, "exception", 1);
  }
}

LaneStats History::stats() const {
  LaneStats result = counts;
  count(result.errors, name_of(errc::acquire_timeout), counts.acquire_timeouts);
  count(result.errors, name_of(errc::queue_full), counts.rejected);
  count(result.errors, name_of({ECANCELED, boost::system::system_category()}), counts.cancelled);
  return result;
}

}  // namespace statehouse::detail
