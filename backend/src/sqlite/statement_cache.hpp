#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace statehouse::detail {

/// Prepared statements of one connection by their text, least recently used first out, bounded by number and by the
/// memory SQLite reports for them. A statement that is checked out is never evicted, nor handed out twice. Nothing
/// about columns is remembered: SQLite re-prepares a statement itself when the schema has changed.
class StatementCache {
 public:
  explicit StatementCache(std::size_t capacity) : capacity_(capacity) {}
  ~StatementCache() { clear(); }
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;

  /// Null when the text is not cached or already in use.
  sqlite3_stmt* check_out(std::string_view sql);
  /// Whether `check_out` would find it.
  bool contains(std::string_view sql) const noexcept {
    const auto found = by_text_.find(sql);
    return found != by_text_.end() && !found->second->in_use;
  }
  /// Takes ownership of a statement that is in use from now on; false when there is no room for it, or its text is
  /// cached already.
  bool adopt(std::string_view sql, sqlite3_stmt* statement);
  void give_back(sqlite3_stmt* statement) noexcept;
  /// No statement may be in use.
  void clear() noexcept;

  std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    std::string sql;
    sqlite3_stmt* statement;
    std::size_t bytes;
    bool in_use;
  };
  using Entries = std::list<Entry>;

  void evict() noexcept;

  static constexpr std::size_t max_bytes_ = 4 << 20;
  const std::size_t capacity_;
  std::size_t bytes_ = 0;
  Entries entries_;                                                  // most recently used first
  std::unordered_map<std::string_view, Entries::iterator> by_text_;  // keys view into entries_
  std::unordered_map<sqlite3_stmt*, Entries::iterator> by_statement_;
};

}  // namespace statehouse::detail
