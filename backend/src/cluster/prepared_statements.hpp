#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cluster/link.hpp"
#include "cluster/statement_facts.hpp"

namespace statehouse::detail {

/// A statement that a node has compiled. Its id is good for one channel only, and is never sent after it was given back
/// to the node: that would kill it.
struct PreparedStatement {
  PreparedStatement(std::string_view text, StatementFacts what) : sql(text), facts(std::move(what)) {}

  const std::string sql;
  const StatementFacts facts;
  int parameters = 0;
  std::uint32_t id = 0;
  std::uint64_t generation = 0;  ///< Of the link, when it was compiled; 0 before.
  bool in_use = true;
  bool cached = false;  ///< Else its user's own.
};

/// The compiled statements of one session by their text, least recently used first out. One that is in use is never
/// evicted, nor handed out twice.
class PreparedStatements {
 public:
  explicit PreparedStatements(std::size_t capacity) : capacity_(capacity) {}
  ~PreparedStatements() = default;
  PreparedStatements(const PreparedStatements&) = delete;
  PreparedStatements& operator=(const PreparedStatements&) = delete;

  /// Null when the text is not known or already in use.
  PreparedStatement* check_out(std::string_view sql);
  /// The same, but stays where it is.
  const PreparedStatement* find(std::string_view sql) const noexcept;
  /// In use from now on: kept here, unless there is no room for it, or the text is here already.
  PreparedStatement* adopt(std::unique_ptr<PreparedStatement> statement);
  /// In use from now on, and never kept.
  PreparedStatement* lend(std::unique_ptr<PreparedStatement> statement);
  void give_back(PreparedStatement* statement) noexcept;

  /// Compiles it where this link has not done so. Before that, the node may forget what is not needed any more. Throws
  /// Lost or Refusal; then it is not compiled.
  void compile(PreparedStatement& statement, Link& link);
  std::uint64_t take_compiled() noexcept { return std::exchange(compiled_, 0); }

 private:
  using Statements = std::list<std::unique_ptr<PreparedStatement>>;
  struct Spent {
    std::uint32_t id;
    std::uint64_t generation;
  };

  void expect_one_more();
  void spend(const PreparedStatement& statement) noexcept;
  void evict() noexcept;
  void forget_spent(Link& link);

  const std::size_t capacity_;
  Statements statements_;                                               // most recently used first
  std::unordered_map<std::string_view, Statements::iterator> by_text_;  // keys view into the statements
  std::vector<Spent> spent_;  // to be told to the node; has room for all that are left
  std::size_t left_ = 0;      // statements that are not spent, whoever keeps them
  std::uint64_t compiled_ = 0;
};

}  // namespace statehouse::detail
