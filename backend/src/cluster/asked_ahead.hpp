#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/link.hpp"

namespace statehouse::detail {

/// Queries that go to the node in one piece, and their answers until whoever has asked takes them.
///
/// A request names its statement by an id, which the node may give again: the answers are good only as long as nothing
/// else is asked on the link.
class AskedAhead {
 public:
  bool has_room() const noexcept { return bytes_ < most_bytes; }
  bool empty() const noexcept { return queries_.empty(); }
  /// False where it is too much: a node takes nothing more while nobody takes its answers, so there is no more of it
  /// than the kernels keep meanwhile.
  bool add(std::string request);

  /// Sends them, and takes the answers as far as they tell of nothing but the query. Throws Lost.
  void exchange(Link& link, const Clock& clock);
  std::size_t answered() const noexcept { return answered_; }

  struct Answer {
    std::vector<wire::Rows> rows{};
    std::optional<Refusal> refusal{};
    Clock::duration took{};  ///< Behind the one before.
  };
  /// That of one request, once.
  std::optional<Answer> take(std::string_view request);
  void forget() noexcept;

 private:
  static constexpr std::size_t most_bytes = std::size_t{16} << 10;

  struct Query {
    std::string request;
    std::optional<Answer> answer{};
  };

  std::vector<Query> queries_;
  std::size_t bytes_ = 0;
  std::size_t answered_ = 0;  // of the first
};

}  // namespace statehouse::detail
