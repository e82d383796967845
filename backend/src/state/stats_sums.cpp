#include "state/stats_sums.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "state/database.hpp"

namespace statehouse::detail {
namespace {

/// `change(a, b)` of every counter of both.
template <class Change>
void change_times(DurationHistogram& a, const DurationHistogram& b, Change change) {
  for (std::size_t i = 0; i < a.counts.size(); ++i) change(a.counts[i], b.counts[i]);
  change(a.sum, b.sum);
}

template <class Change>
void change_errors(std::vector<ErrorCount>& a, const std::vector<ErrorCount>& b, Change change) {
  for (const ErrorCount& error : b) {
    auto found = std::ranges::find(a, error.code, &ErrorCount::code);
    if (found == a.end()) found = a.insert(a.end(), {error.code, 0});
    change(found->count, error.count);
  }
}

template <class Change>
void change_lane(LaneStats& a, const LaneStats& b, Change change) {
  for (const auto counter : {&LaneStats::completed, &LaneStats::failed, &LaneStats::batches, &LaneStats::compiled,
                             &LaneStats::acquire_timeouts, &LaneStats::cancelled, &LaneStats::rejected,
                             &LaneStats::rolled_back, &LaneStats::replaced, &LaneStats::slow})
    change(a.*counter, b.*counter);
  change_times(a.waits, b.waits, change);
  for (std::size_t i = 0; i < a.runs.size(); ++i) change_times(a.runs[i], b.runs[i], change);
  change_errors(a.errors, b.errors, change);
}

template <class Change>
void change_counters(DatabaseStats& a, const DatabaseStats& b, Change change) {
  change_lane(a.writer, b.writer, change);
  change_lane(a.readers, b.readers, change);
  for (std::size_t way = 0; way < a.checkpoints.size(); ++way) {
    for (std::size_t i = 0; i < a.checkpoints[way].outcomes.size(); ++i)
      change(a.checkpoints[way].outcomes[i], b.checkpoints[way].outcomes[i]);
    change_times(a.checkpoints[way].times, b.checkpoints[way].times, change);
  }
  change(a.migrations_applied, b.migrations_applied);
  if (!b.backups) return;
  if (!a.backups) a.backups.emplace();
  change(a.backups->failures, b.backups->failures);
}

}  // namespace

void add_counters(DatabaseStats& sum, const DatabaseStats& more) {
  change_counters(sum, more, [](auto& a, const auto& b) { a += b; });
}

void subtract_counters(DatabaseStats& later, const DatabaseStats& earlier) {
  change_counters(later, earlier, [](auto& a, const auto& b) { a -= std::min(a, b); });
}

void add_gauges(DatabaseStats& sum, const DatabaseStats& more) {
  for (const auto lane : {&DatabaseStats::writer, &DatabaseStats::readers})
    for (const auto gauge :
         {&LaneStats::connections, &LaneStats::max_connections, &LaneStats::in_use, &LaneStats::waiting})
      sum.*lane.*gauge += more.*lane.*gauge;
  sum.wal_bytes += more.wal_bytes;
  sum.file_bytes += more.file_bytes;
  sum.holders.insert(sum.holders.end(), more.holders.begin(), more.holders.end());
}

/// As long as there is room for all: all. Else what is awake, and of that what has had the most operations.
void StatsSums::show_more(const std::vector<std::shared_ptr<Database>>& all, std::size_t named) {
  if (shown_ >= named) return;
  const bool room_for_all = all.size() <= named;
  std::vector<std::pair<std::uint64_t, std::size_t>> candidates;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!all[i]->shown_alone() && !all[i]->left_sums() && all[i]->asked_for() && (room_for_all || all[i]->awake()))
      candidates.emplace_back(all[i]->operations(), all.size() - i);  // of equal ones the first name
  std::ranges::sort(candidates, std::greater());
  candidates.resize(std::min(candidates.size(), named - shown_));
  for (const auto& [operations, back] : candidates) all[all.size() - back]->show_alone(settled_);
  shown_ += candidates.size();
}

void StatsSums::settle(Database& database) {
  std::lock_guard lock(mutex_);
  database.settle(settled_);
  if (database.shown_alone()) --shown_;
}

StatsSummary StatsSums::of(const std::vector<std::shared_ptr<Database>>& all, std::size_t named) {
  std::lock_guard lock(mutex_);
  show_more(all, named);
  StatsSummary summary;
  summary.sum.name = "_other";
  for (const auto& database : all) {
    if (database->left_sums()) continue;  // another has its place
    if (!database->shown_alone()) {
      database->add_to(summary, settled_);
    } else if (auto stats = database->stats()) {
      summary.databases.push_back(std::move(*stats));
    }
  }
  add_counters(summary.sum, settled_);
  std::ranges::sort(summary.sum.holders, std::greater(), &Holder::held_for);
  return summary;
}

}  // namespace statehouse::detail
