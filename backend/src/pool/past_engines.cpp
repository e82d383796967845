#include "pool/past_engines.hpp"

#include <algorithm>

namespace statehouse::detail {
namespace {

bool is_empty(const CheckpointStats& stats) {
  return std::ranges::all_of(stats.outcomes, [](auto count) { return count == 0; });
}

void add_to(CheckpointStats& sum, const CheckpointStats& more) {
  for (std::size_t i = 0; i < more.outcomes.size(); ++i) sum.outcomes[i] += more.outcomes[i];
  sum.times.add(more.times);
}

}  // namespace

void PastEngines::add(const EngineFacts& facts) {
  for (std::size_t way = 0; way < checkpoints_.size(); ++way) {
    if (is_empty(facts.checkpoints[way])) continue;
    if (checkpoints_[way] == nullptr) checkpoints_[way] = std::make_unique<CheckpointStats>();
    add_to(*checkpoints_[way], facts.checkpoints[way]);
  }
  file_bytes_ = facts.file_bytes;
  wal_bytes_ = facts.wal_bytes;
  vulnerable_sqlite_ = facts.vulnerable_sqlite;
}

EngineFacts PastEngines::with(std::optional<EngineFacts> present) const {
  EngineFacts all = present.value_or(
      EngineFacts{.file_bytes = file_bytes_, .wal_bytes = wal_bytes_, .vulnerable_sqlite = vulnerable_sqlite_});
  for (std::size_t way = 0; way < checkpoints_.size(); ++way)
    if (checkpoints_[way] != nullptr) add_to(all.checkpoints[way], *checkpoints_[way]);
  return all;
}

}  // namespace statehouse::detail
