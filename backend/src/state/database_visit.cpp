#include "state/database.hpp"

#include <spdlog/logger.h>

#include <boost/asio/post.hpp>

#include "file/file.hpp"
#include "state/errors.hpp"

// How a database is brought up to date without being kept open.

namespace statehouse::detail {

std::optional<Visit> Database::visit(OnVisited done) {
  const auto executor = surroundings_->config.executor.hold();  // longer than the copy of the strand
  std::optional<Strand> strand;
  {
    std::lock_guard lock(mutex_);
    if (const auto core = usable()) return Visit{.applied = core->applied(), .was_open = true};
    visitors_.push_back(std::move(done));
    if (state_ == state::opening || std::exchange(wanted_, true)) return std::nullopt;
    strand = strand_;
  }
  asio::post(*strand, [self = shared_from_this()] { self->begin(); });
  return std::nullopt;
}

Database::Outcome Database::try_visit(PoolConfig pool, const std::optional<Migrator>& migrator,
                                      const std::shared_ptr<Interrupter>& interrupter, ConnectionPermit permit) const {
  const RegistryConfig& config = surroundings_->config;
  const auto began = config.clock->now();
  Outcome outcome{.visit = Visit()};
  try {
    Surroundings::check_name(pool);
    if (!pool.options->in_memory && !in_cluster(*pool.options) && !identify(pool.path))
      throw Error(boost::system::error_code(ENOENT, boost::system::system_category()),
                  "the file was deleted before its turn came", {text_, {}});
    outcome.visit->applied =
        PoolCore::bring_up_to_date(std::move(pool), migrator ? &*migrator : nullptr, interrupter, std::move(permit));
  } catch (...) {
    outcome.failure = std::current_exception();
    config.logger->error("database '{}': not brought up to date: {}", text_, text_of(outcome.failure));
  }
  outcome.visit->elapsed = config.clock->now() - began;
  return outcome;
}

/// Who has come meanwhile to use it has it opened now; true when there is anybody. Under the mutex.
bool Database::end_visit() {
  state_ = state::absent;
  last_error_.clear();
  return wanted_ = !waiters_->empty();
}

/// What has become of them is theirs alone by then.
void Database::tell(std::vector<OnVisited> visitors, const Outcome& outcome) {
  Visit visit = outcome.visit.value_or(Visit());
  visit.failure = outcome.failure;
  if (outcome.core != nullptr) visit.applied = outcome.core->applied();
  visit.was_open = outcome.core != nullptr;
  for (const OnVisited& done : visitors) done(visit);
}

/// Those of an opening that runs hear of its end.
void Database::refuse_visitors() {
  std::vector<OnVisited> visitors;
  ending why{};
  {
    std::lock_guard lock(mutex_);
    if (state_ != state::opening) visitors.swap(visitors_);
    why = ending_.value_or(ending::shutdown);
  }
  if (!visitors.empty()) tell(std::move(visitors), {.failure = std::make_exception_ptr(closed_error(text_, why))});
}

void Database::follow(const NameRules& rules) {
  std::lock_guard lock(mutex_);
  if (wanted_ || (state_ != state::absent && state_ != state::failed) || core_ != nullptr) return;
  if (!own_migrator_) migrator_ = rules.migrator_of(text_);
  if (!own_options_) options_ = rules.options_of(text_);
}

bool Database::forgettable() const {
  std::lock_guard lock(mutex_);
  return state_ == state::absent && !wanted_ && !own_migrator_ && !own_options_;
}

}  // namespace statehouse::detail
