#include <algorithm>
#include <utility>

#include "pool/pool_core.hpp"

// What a pool tells of itself.

namespace statehouse::detail {
namespace {

/// How long what an operation has found is taken to be so: without requests nobody would find that it is over.
constexpr auto found_recently = std::chrono::seconds(10);

}  // namespace

std::vector<Holder> PoolCore::holders() const {
  std::vector<Holder> all = writer_.holders();
  if (readers_) std::ranges::copy(readers_->holders(), std::back_inserter(all));
  std::ranges::sort(all, std::greater(), &Holder::held_for);
  return all;
}

std::vector<Holder> PoolCore::at_work() const {
  std::vector<Holder> all = holders();
  if (auto backup = backups_ ? backups_->holder() : std::nullopt) all.push_back(std::move(*backup));
  std::lock_guard lock(mutex_);
  const char* const work = in_turn_                                     ? "checkpoint"
                           : rest_ == rest::waking                      ? "open"
                           : rest_ == rest::falling_asleep              ? "close"
                           : taken_ && state_ != database_state::closed ? "close"
                                                                        : nullptr;
  if (work == nullptr) return all;
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(config_.clock->now() - work_began_);
  all.push_back({connection_role::writer, work, config_.place(), since, true});
  return all;
}

health_reason reason_of(const Loss& loss) noexcept {
  return loss.code == errc::sync_failed ? health_reason::sync_failed : health_reason::file_replaced;
}

health_reason PoolCore::trouble() const {
  {
    std::lock_guard lock(mutex_);
    if (loss_) return reason_of(*loss_);
  }
  const auto recently = config_.clock->now() - found_recently;
  if (of_engine([&](const Engine& engine) { return engine.missed_leader_since(recently); }))
    return health_reason::no_leader;
  if (writer_.found_disk_full_since(recently)) return health_reason::disk_full;
  if (writer_.full() || (readers_ && readers_->full())) return health_reason::queue_full;
  const bool unattended = of_engine([&](const Engine& engine) { return engine.log_unattended_since(recently); });
  return unattended ? health_reason::log_unattended : health_reason::none;
}

/// Of all engines since the pool was opened. Under the engine's mutex.
EngineFacts PoolCore::facts_so_far() const {
  return past_.with(engine_ != nullptr ? std::optional(engine_->facts()) : std::nullopt);
}

std::uint64_t PoolCore::operations() const {
  return writer_.completed() + (readers_ ? readers_->completed() : 0);
}

DatabaseStats PoolCore::stats() const {
  DatabaseStats result;
  result.name = config_.name;
  {
    std::lock_guard lock(mutex_);
    result.state = state_ == database_state::ready && rest_ == rest::asleep ? database_state::asleep : state_;
    if (loss_) result.last_error = loss_->text;
  }
  if (!config_.options->read_only) result.writer = writer_.stats();
  if (readers_) result.readers = readers_->stats();
  if (result.last_error.empty()) result.last_error = writer_.last_error();
  if (result.last_error.empty() && readers_) result.last_error = readers_->last_error();
  result.holders = holders();
  EngineFacts facts;
  {
    std::lock_guard lock(engine_mutex_);
    facts = facts_so_far();
  }
  result.wal_bytes = facts.wal_bytes;
  result.file_bytes = facts.file_bytes;
  schema_.tell(result);
  result.opening_time = opening_time_;
  result.vulnerable_sqlite = facts.vulnerable_sqlite;
  if (backups_) result.backups = backups_->stats();
  result.checkpoints = facts.checkpoints;
  return result;
}

}  // namespace statehouse::detail
