#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "regexp/reader.hpp"
#include "regexp/writer.hpp"

namespace statehouse::detail {

/// The groups of a pattern, with the flags that hold in them. None captures: all that counts is whether there is a
/// match. Outlived by what it reads from and writes to.
class RegexpGroups {
 public:
  RegexpGroups(RegexpReader& in, RegexpWriter& out) noexcept : in_(in), out_(out) {}

  /// At `(`. What only sets flags opens no group.
  void open();
  /// At `)`.
  void close();
  /// At the end of the pattern; throws RegexpError if a group is open.
  void finish() const;

 private:
  struct Group {
    std::size_t position;
    RegexpFlags outer_flags;
  };

  void push(std::size_t position);
  void read_name();
  void read_flags(std::size_t open);

  RegexpReader& in_;
  RegexpWriter& out_;
  std::vector<Group> open_;
  std::set<std::u32string> names_;
};

}  // namespace statehouse::detail
