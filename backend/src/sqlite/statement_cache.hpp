#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "sqlite/statement.hpp"

namespace statehouse::detail {

/// Prepared statements of one connection by their text, least recently used first out, bounded by number and by the
/// memory SQLite reports for them. A statement that is checked out is never evicted, nor handed out twice. Nothing
/// about columns is remembered: SQLite re-prepares a statement itself when the schema has changed.
class StatementCache {
 public:
  explicit StatementCache(std::size_t capacity) : capacity_(capacity) {}
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;

  /// Null when the text is not cached or already in use.
  LocalStatement* check_out(std::string_view sql);
  /// Whether `check_out` would find it.
  bool contains(std::string_view sql) const noexcept {
    const auto found = by_text_.find(sql);
    return found != by_text_.end() && !(*found->second)->in_use;
  }
  /// A statement that is in use from now on: the cache's, unless it has no room for it, or the text already.
  LocalStatement* adopt(std::unique_ptr<LocalStatement> statement);
  /// No statement may be in use.
  void clear() noexcept;

 private:
  using Statements = std::list<std::unique_ptr<LocalStatement>>;

  void evict() noexcept;

  static constexpr std::size_t max_bytes_ = 4 << 20;
  const std::size_t capacity_;
  std::size_t bytes_ = 0;                                               // as they were when each was adopted
  Statements statements_;                                               // most recently used first
  std::unordered_map<std::string_view, Statements::iterator> by_text_;  // keys view into the statements
};

}  // namespace statehouse::detail
