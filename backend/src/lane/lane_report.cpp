#include <spdlog/logger.h>

#include <algorithm>

#include "lane/lane.hpp"
#include "pool/pool_core.hpp"

// What a lane says of itself: errors, log lines, numbers.

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

/// Locks and I/O, as opposed to what is wrong with a statement.
constexpr bool tells_of_the_file(int sqlite_result) noexcept {
  switch (sqlite_result) {
    case SQLITE_BUSY:
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_NOTADB:
    case SQLITE_PROTOCOL:
    case SQLITE_READONLY: return true;
    default: return false;
  }
}

bool in_use(const Slot& slot) noexcept {
  return slot.status == Slot::state::leased || slot.current.load(std::memory_order_relaxed) != nullptr;
}

}  // namespace

std::exception_ptr Lane::queue_full_error() const {
  return std::make_exception_ptr(
      Error(errc::queue_full, std::to_string(queue_.size()) + " operations wait for a " + to_string(role_) + " already",
            {pool_.config().name, {}}));
}

std::exception_ptr Lane::timeout_error(const Operation& operation, Clock::time_point now) const {
  std::string text = std::string(operation.request_.verb) + " at " + to_string(operation.request_.where) + ": no " +
                     to_string(role_) + " connection became free within " +
                     std::to_string(duration_cast<milliseconds>(now - operation.submitted_).count()) + " ms; " +
                     std::to_string(queue_.size()) + " in the queue";
  const char* separator = "; held by ";
  for (const Slot& slot : slots_) {
    if (!in_use(slot)) continue;
    const Holder holder = describe(slot, now);
    text += separator + holder.verb + " at " + holder.where + " for " + std::to_string(holder.held_for.count()) +
            (holder.running ? " ms (running)" : " ms (not running anything)");
    separator = ", ";
  }
  if (!last_error_.empty()) text += "; last SQLite error: " + last_error_;
  return std::make_exception_ptr(Error(errc::acquire_timeout, text, {pool_.config().name, {}}));
}

void Lane::report_long_leases() {
  const PoolConfig& config = pool_.config();
  if (config.options.long_lease.count() == 0) return;
  std::vector<Holder> found;
  {
    std::lock_guard lock(mutex_);
    const auto now = config.clock->now();
    for (Slot& slot : slots_) {
      if (!in_use(slot) || slot.reported) continue;
      const Holder holder = describe(slot, now);
      if (holder.held_for < config.options.long_lease) continue;
      slot.reported = true;
      found.push_back(holder);
    }
  }
  for (const Holder& holder : found)
    config.logger->warn("database '{}': {} connection held by {} at {} for {} ms{}", config.name, to_string(role_),
                        holder.verb, holder.where, holder.held_for.count(), holder.running ? "" : ", running nothing");
}

void Lane::note_error(const Operation& operation) {
  try {
    std::rethrow_exception(operation.error_);
  } catch (const Error& error) {
    if (error.code().category() == sqlite_category() && tells_of_the_file(error.code().value() & 0xff))
      last_error_ = error.what();
  } catch (...) {  // the user's own; not ours to keep
  }
}

void Lane::log_slow(const Operation& operation) const {
  const PoolConfig& config = pool_.config();
  const auto slow = [](milliseconds limit, Clock::duration took) { return limit.count() > 0 && took >= limit; };
  const auto waited = operation.started_ - operation.submitted_;
  if (slow(config.options.slow_acquire, waited))
    config.logger->warn("database '{}': {} at {} waited {} ms for a {} connection", config.name,
                        operation.request_.verb, to_string(operation.request_.where),
                        duration_cast<milliseconds>(waited).count(), to_string(role_));
  if (slow(config.options.slow_statement, operation.ran_))
    config.logger->warn("database '{}': {} at {} ran {} ms: {}", config.name, operation.request_.verb,
                        to_string(operation.request_.where), duration_cast<milliseconds>(operation.ran_).count(),
                        shorten(operation.sql()));
}

LaneStats Lane::stats() const {
  std::lock_guard lock(mutex_);
  LaneStats result = stats_;
  result.connections = slots_.size();
  result.waiting = waiting();
  result.in_use = static_cast<std::size_t>(std::ranges::count_if(slots_, in_use));
  return result;
}

Holder Lane::describe(const Slot& slot, Clock::time_point now) const {
  const Operation* const current = slot.current.load(std::memory_order_acquire);
  const bool running = current != nullptr && current->state_ == Operation::state::claimed;
  if (slot.status == Slot::state::leased)
    return {role_, slot.verb, to_string(slot.where), duration_cast<milliseconds>(now - slot.leased_at), running};
  return {role_, current->request_.verb, to_string(current->request_.where),
          duration_cast<milliseconds>(now - slot.since.load(std::memory_order_relaxed)), running};
}

std::vector<Holder> Lane::holders() const {
  std::lock_guard lock(mutex_);
  std::vector<Holder> result;
  const auto now = pool_.config().clock->now();
  for (const Slot& slot : slots_)
    if (in_use(slot)) result.push_back(describe(slot, now));
  return result;
}

std::string Lane::last_error() const {
  std::lock_guard lock(mutex_);
  return last_error_;
}

}  // namespace statehouse::detail
