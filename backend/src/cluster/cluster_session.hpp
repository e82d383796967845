#pragma once

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cluster/conversation.hpp"
#include "cluster/encoder.hpp"
#include "cluster/prepared_statements.hpp"

namespace statehouse::detail {

/// A connection of SQLite's inside the leader of a cluster, which changes without its user noticing, as long as that
/// can be.
class ClusterSession final : public Session {
 public:
  /// Finds the leader; throws Error.
  ClusterSession(SessionContext context, const ConnectionOptions& options, std::shared_ptr<Leader> leader);
  ~ClusterSession() override;

  StatementPtr prepare(std::string_view sql) override;
  /// What is run on a calling thread must not wait for a network.
  bool has_prepared(std::string_view) const noexcept override { return false; }
  std::uint64_t take_compiled() noexcept override { return statements_.take_compiled(); }
  std::size_t run_next(const std::string& script, std::size_t at) override;

  void begin(transaction_kind kind) override;
  bool try_begin(transaction_kind kind) noexcept override;
  void commit() override;
  bool rollback() noexcept override;
  std::vector<Answer> take_answers() override { return conversation_.take_answers(last_insert_rowid_); }
  bool can_ask_ahead(std::string_view sql) const noexcept override;
  Fetched fetch_ahead() noexcept override { return conversation_.fetch_asked(); }
  void forget_ahead() noexcept override { conversation_.forget_asked(); }
  void savepoint(savepoint_step step) override;
  bool in_transaction() const noexcept override { return conversation_.in_transaction(); }
  /// No node tells. Where a transaction is shared, there can be none: see `try_begin`.
  bool has_deferred_violation() const noexcept override { return conversation_.defers_keys(); }

  void take_back() noexcept override {}
  hygiene clean() noexcept override;
  // Settings are not changed but by what says so, and then the connection is replaced.
  void remember_settings() override {}
  void restore_settings() noexcept override {}
  bool changed() const noexcept override { return conversation_.changed(); }
  bool put_back() noexcept override { return !changed(); }
  void take_over(Session&) override {}
  void begin_script(std::optional<bool> foreign_keys) override;
  void end_script() noexcept override { conversation_.set_foreign_keys(foreign_keys_); }

  int limit_length(int bytes) noexcept override { return std::exchange(longest_, bytes); }
  const LastError& last_error() const noexcept override { return conversation_.last_error(); }
  SQLite::Database& native() override;

  // For its statements.
  int longest() const noexcept { return longest_; }
  /// At least one part; none when the query is only noted.
  std::vector<wire::Rows> query(PreparedStatement& statement, std::span<const wire::Parameter> parameters);
  /// What this statement itself has done, as far as a node tells.
  ExecuteResult execute(PreparedStatement& statement, std::span<const wire::Parameter> parameters);
  void give_back(PreparedStatement* statement) noexcept { statements_.give_back(statement); }

 private:
  PreparedStatement* compile(std::string_view sql);
  void compile(PreparedStatement& statement);
  /// Runs what is no control statement by `request(link)`, as the facts and the transaction want it.
  template <class Request>
  wire::Result write(const StatementFacts& facts, std::string_view sql, Request request);
  bool goes_ahead(const StatementFacts& facts) noexcept;

  Conversation conversation_;
  PreparedStatements statements_;
  const bool foreign_keys_;
  int longest_ = std::numeric_limits<int>::max();
  std::uint64_t last_insert_rowid_ = 0;  // of the connection inside the leader
  SchemaFacts schema_;                   // as of the last `try_begin`
};

}  // namespace statehouse::detail
