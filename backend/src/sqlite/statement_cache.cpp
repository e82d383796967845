#include "sqlite/statement_cache.hpp"

namespace statehouse::detail {

sqlite3_stmt* StatementCache::check_out(std::string_view sql) {
  const auto found = by_text_.find(sql);
  if (found == by_text_.end() || found->second->in_use) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  found->second->in_use = true;
  return found->second->statement;
}

bool StatementCache::adopt(std::string_view sql, sqlite3_stmt* statement) {
  if (capacity_ == 0 || by_text_.contains(sql)) return false;
  const int memory = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_MEMUSED, 0);
  const std::size_t bytes = sql.size() + static_cast<std::size_t>(memory);
  if (bytes > max_bytes_) return false;
  entries_.push_front({std::string(sql), statement, bytes, true});
  by_text_.emplace(entries_.front().sql, entries_.begin());
  by_statement_.emplace(statement, entries_.begin());
  bytes_ += bytes;
  evict();
  return true;
}

void StatementCache::give_back(sqlite3_stmt* statement) noexcept {
  const auto found = by_statement_.find(statement);
  if (found != by_statement_.end()) found->second->in_use = false;
}

void StatementCache::clear() noexcept {
  for (const Entry& entry : entries_) sqlite3_finalize(entry.statement);
  by_text_.clear();
  by_statement_.clear();
  entries_.clear();
  bytes_ = 0;
}

void StatementCache::evict() noexcept {
  auto entry = entries_.end();
  while (entry != entries_.begin() && (entries_.size() > capacity_ || bytes_ > max_bytes_)) {
    --entry;
    if (entry->in_use) continue;
    by_text_.erase(entry->sql);
    by_statement_.erase(entry->statement);
    bytes_ -= entry->bytes;
    sqlite3_finalize(entry->statement);
    entry = entries_.erase(entry);
  }
}

}  // namespace statehouse::detail
