#include "lane/history.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

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
  ++completed_;
  waits_.add(operation.started - operation.submitted);
  count_run(operation);
  if (reaches(operation.ran, options_.slow_statement)) ++slow_runs_;
  if (operation.request().may_share()) note_time(operation);
  if (operation.error() == nullptr) return;
  ++failed_;
  note_error(operation);
}

void History::add_lease(Operation& operation, Clock::time_point now) noexcept {
  operation.status = Operation::progress::done;
  operation.started = now;
  ++completed_;
  waits_.add(operation.started - operation.submitted);
}

void History::add_batch(const Slot& slot) noexcept {
  ++batches_;
  if (Session* const session = slot.session()) {
    compiled_ += session->take_compiled();
    remote_ = session->context().remote;
  }
}

/// What there is no memory for is not counted, here and with errors.
void History::count_run(const Operation& operation) noexcept {
  auto& histogram = runs_[static_cast<std::size_t>(operation.request().verb)];
  if (histogram == nullptr) histogram.reset(new (std::nothrow) DurationHistogram());
  if (histogram != nullptr) histogram->add(operation.ran);
}

void History::count_error(std::string_view code) noexcept {
  try {
    count(errors_, code, 1);
  } catch (const std::bad_alloc&) {
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
    count_error(name_of(error.code()));
    if (tells_of_full_disk(error.code())) disk_full_at_ = operation.started + operation.ran;
    if (tells_of_the_file(error.code())) last_error_ = error.what();
  } catch (...) {  // the user's own; not ours to keep
    count_error("exception");
  }
}

LaneStats History::stats() const {
  LaneStats result;
  result.completed = completed_;
  result.failed = failed_;
  result.batches = batches_;
  result.compiled = compiled_;
  result.acquire_timeouts = acquire_timeouts;
  result.cancelled = cancelled;
  result.rejected = rejected;
  result.slow = slow_runs_;
  result.waits = waits_;
  for (std::size_t verb = 0; verb < runs_.size(); ++verb)
    if (runs_[verb] != nullptr) result.runs[verb] = *runs_[verb];
  result.errors = errors_;
  count(result.errors, name_of(errc::acquire_timeout), acquire_timeouts);
  count(result.errors, name_of(errc::queue_full), rejected);
  count(result.errors, name_of({ECANCELED, boost::system::system_category()}), cancelled);
  return result;
}

}  // namespace statehouse::detail
