#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include "statehouse/detail/operation.hpp"

namespace statehouse::detail {

/// What took long when it last ran. Such operations are not put into a batch, where others would wait for them.
class SlowList {
 public:
  bool contains(const Operation& operation) const {
    return !keys_.empty() && std::ranges::find(keys_, key(operation)) != keys_.end();
  }

  void note(const Operation& operation, Clock::duration ran, Clock::duration limit = std::chrono::milliseconds(1)) {
    if (ran <= limit && keys_.empty()) return;
    std::erase(keys_, key(operation));
    if (ran <= limit) return;
    if (keys_.size() == capacity) keys_.erase(keys_.begin());
    keys_.push_back(key(operation));
  }

 private:
  static constexpr std::size_t capacity = 64;

  /// The statement's text; for a closure, which has none, the place of the call.
  static std::size_t key(const Operation& operation) {
    const std::size_t text = std::hash<std::string_view>()(operation.sql());
    return operation.sql().empty() ? text + operation.request().where.line() : text;
  }

  std::vector<std::size_t> keys_;  // the oldest first
};

}  // namespace statehouse::detail
