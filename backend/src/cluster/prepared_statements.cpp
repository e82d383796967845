#include "cluster/prepared_statements.hpp"

#include <utility>

#include "cluster/encoder.hpp"

namespace statehouse::detail {

const PreparedStatement* PreparedStatements::find(std::string_view sql) const noexcept {
  const auto found = by_text_.find(sql);
  return found == by_text_.end() || (*found->second)->in_use ? nullptr : found->second->get();
}

PreparedStatement* PreparedStatements::check_out(std::string_view sql) {
  const auto found = by_text_.find(sql);
  if (found == by_text_.end() || (*found->second)->in_use) return nullptr;
  statements_.splice(statements_.begin(), statements_, found->second);
  PreparedStatement* const statement = found->second->get();
  statement->in_use = true;
  return statement;
}

/// So that to give one back cannot fail.
void PreparedStatements::expect_one_more() {
  spent_.reserve(spent_.size() + left_ + 1);
  ++left_;
}

void PreparedStatements::spend(const PreparedStatement& statement) noexcept {
  spent_.push_back({statement.id, statement.generation});
  --left_;
}

PreparedStatement* PreparedStatements::lend(std::unique_ptr<PreparedStatement> statement) {
  expect_one_more();
  return statement.release();
}

PreparedStatement* PreparedStatements::adopt(std::unique_ptr<PreparedStatement> statement) {
  if (capacity_ == 0 || by_text_.contains(statement->sql)) return lend(std::move(statement));
  expect_one_more();
  statement->cached = true;
  PreparedStatement* const adopted = statement.get();
  statements_.push_front(std::move(statement));
  by_text_.emplace(adopted->sql, statements_.begin());
  evict();
  return adopted;
}

void PreparedStatements::give_back(PreparedStatement* statement) noexcept {
  statement->in_use = false;
  if (statement->cached) return;
  spend(*statement);
  delete statement;
}

void PreparedStatements::evict() noexcept {
  auto place = statements_.end();
  while (place != statements_.begin() && statements_.size() > capacity_) {
    --place;
    if ((*place)->in_use) continue;
    by_text_.erase((*place)->sql);
    spend(**place);
    place = statements_.erase(place);
  }
}

void PreparedStatements::forget_spent(Link& link) {
  while (!spent_.empty()) {
    const Spent spent = spent_.back();
    spent_.pop_back();  // whatever becomes of the request, the id is not used again
    if (spent.generation == link.generation()) link.ask_harmlessly<wire::Empty>(wire::finalize_request(spent.id));
  }
}

void PreparedStatements::compile(PreparedStatement& statement, Link& link) {
  if (statement.generation == link.generation()) return;
  forget_spent(link);
  const auto prepared = link.ask_harmlessly<wire::Prepared>(wire::prepare_request(statement.sql));
  ++compiled_;
  statement.id = prepared.id;
  statement.parameters = static_cast<int>(prepared.parameters);
  statement.generation = link.generation();
}

}  // namespace statehouse::detail
