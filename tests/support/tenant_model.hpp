#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace statehouse::test {

/// What one database must hold while many write numbers to it, each its own, read it and remove it, all at once. What
/// was acknowledged is there, what failed is not, and a removal takes what was acknowledged before it began. Of what
/// was written beside a removal either may be true, until somebody has looked.
///
/// Each `begin_...` comes before the operation, its `end_...` when that has ended. Thread-safety: all functions.
class TenantModel {
 public:
  using Values = std::vector<std::int64_t>;

  /// Where a read began.
  struct Look {
    std::uint64_t removals = 0;
    bool steady = false;
    Values must;
    Values maybe;
  };

  void begin_write(const Values& values) {
    std::lock_guard lock(mutex_);
    for (const std::int64_t value : values) values_[value].beside_removal = removing_ > 0;
  }
  void end_write(const Values& values, bool acknowledged) {
    std::lock_guard lock(mutex_);
    for (const std::int64_t value : values) {
      Entry& entry = values_.at(value);
      if (acknowledged) {
        entry.is = entry.beside_removal ? fate::maybe : fate::kept;
        entry.acknowledged = removals_;
        continue;
      }
      if (entry.seen) note("was read, and failed", value);
      values_.erase(value);
    }
  }

  /// Gives the number of the removal.
  std::uint64_t begin_removal() {
    std::lock_guard lock(mutex_);
    ++removing_;
    ++removals_;
    for (auto& [value, entry] : values_) {
      if (entry.is == fate::pending) entry.beside_removal = true;
      if (entry.is == fate::kept) entry.is = fate::maybe;
    }
    return removals_;
  }
  /// `done` is false when it was given up, before or after the file was gone.
  void end_removal(std::uint64_t number, bool done) {
    std::lock_guard lock(mutex_);
    --removing_;
    if (done)
      std::erase_if(values_, [number](const auto& pair) {
        return pair.second.is != fate::pending && pair.second.acknowledged < number;
      });
  }

  Look begin_read() const {
    std::lock_guard lock(mutex_);
    Look look{.removals = removals_, .steady = removing_ == 0, .must = {}, .maybe = {}};
    for (const auto& [value, entry] : values_) {
      if (entry.is == fate::kept) look.must.push_back(value);
      if (entry.is == fate::maybe) look.maybe.push_back(value);
    }
    return look;
  }
  /// `found` is what was read. Beside a removal nothing follows from it.
  void end_read(const Look& look, const std::set<std::int64_t>& found) {
    std::lock_guard lock(mutex_);
    if (!look.steady || look.removals != removals_) return;
    for (const std::int64_t value : look.must)
      if (!found.contains(value)) note("was acknowledged, and is missing", value);
    for (const std::int64_t value : look.maybe)
      if (!found.contains(value)) values_.erase(value);
    for (const std::int64_t value : found) {
      const auto entry = values_.find(value);
      if (entry == values_.end()) {
        note("was removed, or has failed, and is there", value);
      } else if (entry->second.is == fate::pending) {
        entry->second.seen = true;
      } else {
        entry->second.is = fate::kept;
      }
    }
  }

  /// The first contradictions.
  std::vector<std::string> wrong() const {
    std::lock_guard lock(mutex_);
    return wrong_;
  }
  /// How many are known to be there.
  std::size_t kept() const {
    std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (const auto& [value, entry] : values_) count += entry.is == fate::kept ? 1 : 0;
    return count;
  }

 private:
  enum class fate : unsigned char { pending, kept, maybe };
  struct Entry {
    fate is = fate::pending;
    bool beside_removal = false;     // a removal has run at a moment of the write
    bool seen = false;               // by a read, while pending
    std::uint64_t acknowledged = 0;  // after so many removals had begun
  };

  void note(const char* what, std::int64_t value) {
    if (wrong_.size() < 5) wrong_.push_back(std::to_string(value) + ' ' + what);
  }

  mutable std::mutex mutex_;
  std::map<std::int64_t, Entry> values_;  // without those that must not be there
  std::uint64_t removals_ = 0;
  int removing_ = 0;
  std::vector<std::string> wrong_;
};

}  // namespace statehouse::test
