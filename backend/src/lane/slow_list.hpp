#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <string_view>
#include <vector>

#include "statehouse/detail/operation.hpp"

namespace statehouse::detail {

/// What took long when it last ran: such operations are not put into a batch, where others would wait for them, or do
/// not run on a calling thread.
class SlowList {
 public:
  static constexpr unsigned for_ever = std::numeric_limits<unsigned>::max();

  bool contains(const Operation& operation) const {
    return !entries_.empty() && std::ranges::find(entries_, key(operation), &Entry::key) != entries_.end();
  }

  /// What took longer than `limit` is in the list until it has been quick `again` times in a row.
  void note(const Operation& operation, Clock::duration ran, Clock::duration limit, unsigned again = 1) {
    if (ran > limit) return add(operation, again);
    if (entries_.empty()) return;
    const auto found = std::ranges::find(entries_, key(operation), &Entry::key);
    if (found == entries_.end() || found->left == for_ever) return;
    --found->left;
    if (found->left == 0) entries_.erase(found);
  }

  void add(const Operation& operation, unsigned again) {
    Entry entry{key(operation), again};
    const auto known = std::ranges::find(entries_, entry.key, &Entry::key);
    if (known != entries_.end()) {
      entry.left = std::max(entry.left, known->left);
      entries_.erase(known);
    } else if (entries_.size() == capacity) {
      const auto oldest = std::ranges::find_if(entries_, [](const Entry& each) { return each.left != for_ever; });
      entries_.erase(oldest != entries_.end() ? oldest : entries_.begin());
    }
    entries_.push_back(entry);
  }

 private:
  static constexpr std::size_t capacity = 64;

  struct Entry {
    std::size_t key;
    unsigned left;  // quick runs, until it is forgotten
  };

  /// The statement's text; for a closure, which has none, the place of the call.
  static std::size_t key(const Operation& operation) {
    const std::size_t text = std::hash<std::string_view>()(operation.sql());
    return operation.sql().empty() ? text + operation.request().where.line() : text;
  }

  std::vector<Entry> entries_;  // the oldest first
};

}  // namespace statehouse::detail
