#include "lane/lane_messages.hpp"

#include <spdlog/logger.h>

#include "base/deadline.hpp"
#include "engine/error_class.hpp"

namespace statehouse::detail {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr const char* to_string(connection_role role) noexcept {
  return role == connection_role::writer ? "writer" : "reader";
}

std::string to_string(const std::source_location& where) {
  std::string_view file(where.file_name());
  if (const auto slash = file.rfind('/'); slash != std::string_view::npos) file.remove_prefix(slash + 1);
  return std::string(file) + ":" + std::to_string(where.line());
}

std::string count_ms(Clock::duration time) {
  return std::to_string(duration_cast<milliseconds>(time).count()) + " ms";
}

}  // namespace

std::exception_ptr LaneMessages::make(boost::system::error_code code, const std::string& text) const {
  return std::make_exception_ptr(Error(code, text, {context_.name, {}}));
}

std::exception_ptr LaneMessages::forked() const {
  return make(errc::forked_process, "called in a forked child: make a new AppState there");
}

std::exception_ptr LaneMessages::would_deadlock() const {
  return make(errc::would_deadlock, "called inside a closure of this pool: use the connection the closure was given");
}

std::exception_ptr LaneMessages::queue_full(std::size_t waiting) const {
  return make(errc::queue_full, std::to_string(waiting) + " operations wait for a " + to_string(role_) + " already");
}

std::exception_ptr LaneMessages::timed_out(const Operation& operation, Clock::time_point now,
                                           const OperationQueue& queue, const SlotSet& slots,
                                           const std::string& last_error) const {
  const Request& request = operation.request();
  std::string text = std::string(to_string(request.verb)) + " at " + to_string(request.where) + ": no " +
                     to_string(role_) + " connection became free within " + count_ms(now - operation.submitted) + "; " +
                     std::to_string(queue.size()) + " in the queue";
  if (queue.asleep()) text += "; the database is being opened again";
  if (context_.budget != nullptr && (slots.asked() || (queue.asleep() && context_.budget->waiting() > 0)))
    text += "; all " + std::to_string(context_.budget->most()) + " connections of max_open_connections are taken";
  const char* separator = "; held by ";
  for (const Holder& holder : holders(slots, now)) {
    text += separator + holder.verb + " at " + holder.where + " for " + count_ms(holder.held_for) +
            (holder.running ? " (running)" : " (not running anything)");
    separator = ", ";
  }
  if (!last_error.empty()) text += "; last SQLite error: " + last_error;
  return make(errc::acquire_timeout, text);
}

std::exception_ptr LaneMessages::cancelled() const {
  return make({ECANCELED, boost::system::system_category()}, "cancelled while waiting for a connection");
}

std::exception_ptr LaneMessages::lease_finished() const {
  return make(errc::transaction_finished, "the transaction or lease is finished: begin or acquire a new one");
}

std::exception_ptr LaneMessages::lease_busy() const {
  return make(errc::operation_in_progress, "the transaction or lease already runs a statement: await it first");
}

std::exception_ptr LaneMessages::no_lease(const Operation& operation, const LeaseRef& lease) {
  const std::string verb = to_string(operation.request().verb);
  if (lease.ticket == 0)
    return std::make_exception_ptr(
        Error(errc::invalid_handle, verb + " on an empty transaction or lease: take one from begin or acquire"));
  return std::make_exception_ptr(Error(
      errc::transaction_finished, verb + " on a transaction or lease that was finished, given back or moved from"));
}

void LaneMessages::log_slow(const Operation& operation) const {
  const Request& request = operation.request();
  const auto waited = operation.started - operation.submitted;
  if (reaches(waited, context_.options->slow_acquire))
    context_.logger->warn("database '{}': {} at {} waited {} for a {} connection", context_.name,
                          to_string(request.verb), to_string(request.where), count_ms(waited), to_string(role_));
  if (reaches(operation.ran, context_.options->slow_statement))
    context_.logger->warn("database '{}': {} at {} ran {}{}{}", context_.name, to_string(request.verb),
                          to_string(request.where), count_ms(operation.ran),
                          operation.sql().empty() ? "" : ": ",  // as a closure's
                          shorten(operation.sql()));
}

OperationInfo LaneMessages::info_of(const Operation& operation) const {
  const Request& request = operation.request();
  return {context_.name, role_, request.verb, operation.sql(), request.where, operation.observation};
}

void LaneMessages::tell_beginning(Operation& operation) const {
  OperationInfo info = info_of(operation);
  context_.observer->started(info);
  operation.observation = info.data;
  operation.observed = true;
}

void LaneMessages::tell_end(Operation& operation) const {
  const bool ran = operation.started != Clock::time_point();
  const auto code = code_of(operation.error());
  context_.observer->finished(info_of(operation),
                              {.waited = (ran ? operation.started : context_.clock->now()) - operation.submitted,
                               .ran = operation.ran,
                               .batch_size = operation.together,
                               .code = code,
                               .error = operation.error() == nullptr ? ""
                                        : code.failed()              ? name_of(code)
                                                                     : "exception"});
  operation.observed = false;
}

void LaneMessages::log_long_lease(const Holder& holder) const {
  context_.logger->warn("database '{}': {} connection held by {} at {} for {}{}", context_.name, to_string(role_),
                        holder.verb, holder.where, count_ms(holder.held_for),
                        holder.running ? "" : ", running nothing");
}

Holder LaneMessages::describe(const Slot& slot, Clock::time_point now) const {
  if (slot.leased()) {
    const Slot::Lease& lease = slot.lease();
    return {role_, to_string(lease.verb), to_string(lease.where), duration_cast<milliseconds>(now - lease.since),
            slot.running()};
  }
  const Request& request = slot.current()->request();
  return {role_, to_string(request.verb), to_string(request.where), duration_cast<milliseconds>(now - slot.since()),
          slot.running()};
}

std::vector<Holder> LaneMessages::holders(const SlotSet& slots, Clock::time_point now) const {
  std::vector<Holder> result;
  for (const Slot& slot : slots)
    if (slot.in_use()) result.push_back(describe(slot, now));
  return result;
}

}  // namespace statehouse::detail
