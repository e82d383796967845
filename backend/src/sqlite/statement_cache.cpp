#include "sqlite/statement_cache.hpp"

#include <utility>

namespace statehouse::detail {

LocalStatement* StatementCache::check_out(std::string_view sql) {
  const auto found = by_text_.find(sql);
  if (found == by_text_.end() || (*found->second)->in_use) return nullptr;
  statements_.splice(statements_.begin(), statements_, found->second);
  LocalStatement* const statement = found->second->get();
  statement->in_use = true;
  return statement;
}

LocalStatement* StatementCache::adopt(std::unique_ptr<LocalStatement> statement) {
  const std::size_t bytes = statement->bytes();
  if (capacity_ == 0 || bytes > max_bytes_ || by_text_.contains(statement->sql())) return statement.release();
  LocalStatement* const adopted = statement.get();
  statements_.push_front(std::move(statement));
  by_text_.emplace(adopted->sql(), statements_.begin());
  adopted->cached_bytes = bytes;
  bytes_ += bytes;
  evict();
  return adopted;
}

void StatementCache::clear() noexcept {
  by_text_.clear();
  statements_.clear();
  bytes_ = 0;
}

void StatementCache::evict() noexcept {
  auto place = statements_.end();
  while (place != statements_.begin() && (statements_.size() > capacity_ || bytes_ > max_bytes_)) {
    --place;
    if ((*place)->in_use) continue;
    by_text_.erase((*place)->sql());
    bytes_ -= (*place)->cached_bytes;
    place = statements_.erase(place);
  }
}

}  // namespace statehouse::detail
