#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/link.hpp"
#include "cluster/statement_facts.hpp"
#include "engine/session.hpp"

namespace statehouse::detail {

/// What a statement itself has done, as far as a node tells. `earlier` is the rowid that the connection has said
/// before.
ExecuteResult result_of(const StatementFacts& facts, const wire::Result& result, std::uint64_t earlier) noexcept;

/// The statements of one transaction whose answers are not waited for one by one. They are collected, go to the node in
/// one piece, and are answered in their order.
///
/// The danger: an error that makes SQLite roll the transaction back leaves those behind it to be executed, and kept,
/// each by itself. No statement is sent ahead that could do so by what it says or by the schema, which leaves a node
/// without memory or space: then it is told from the answers which were in the transaction, and where that cannot be
/// told they are `errc::outcome_unknown`.
class SentAhead {
 public:
  /// Longer requests are not collected any more.
  static constexpr std::size_t most_bytes = std::size_t{1} << 20;

  void add(const StatementFacts& facts, std::string sql, std::string_view request);
  std::size_t bytes() const noexcept { return requests_.size(); }
  bool pending() const noexcept { return !requests_.empty(); }

  /// Sends what is collected with `last` behind it, and takes the answers to all but that one. Throws Lost.
  void exchange(Link& link, const Clock& clock, std::string_view last);
  /// Whether one of the answers since then may have ended the transaction; `note_open` says that none has.
  bool may_have_ended() const noexcept { return first_suspect() != statements_.size(); }
  void note_open() noexcept { inside_ = statements_.size(); }

  // How the transaction has ended, if not by a rollback of ours or with the link.
  void note_committed() noexcept { end_ = end::committed; }
  void note_doubtful() noexcept { end_ = end::doubtful; }
  /// The node has said that there is none any more.
  void note_gone() noexcept { end_ = end::gone; }

  /// What each has come to, and forgets them. `last_insert_rowid` is the connection's.
  std::vector<Answer> take(const std::string& database, std::uint64_t& last_insert_rowid);

 private:
  enum class end : unsigned char { lost, committed, doubtful, gone };
  enum class fate : unsigned char { as_answered, lost, unknown };
  struct Sent {
    StatementFacts facts;
    std::string sql;
    std::optional<wire::Result> result{};
    std::optional<Refusal> refusal{};
    Clock::duration took{};
  };

  std::size_t first_suspect() const noexcept;
  std::size_t last_suspect() const noexcept;
  fate fate_of(std::size_t at) const noexcept;
  fate fate_after_suspect(std::size_t at) const noexcept;

  std::vector<Sent> statements_;
  std::string requests_;    // of those that are not sent yet
  std::size_t sent_ = 0;    // of the statements
  std::size_t inside_ = 0;  // of them, those after which the transaction was open for certain
  end end_ = end::lost;
};

}  // namespace statehouse::detail
