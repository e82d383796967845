#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/link.hpp"

namespace statehouse::detail {

/// What the schema of a database says of transactions that several writes share. Looked for when it has changed.
class SchemaFacts {
 public:
  /// Its answer tells the version.
  static std::string question();
  /// Takes that answer, and asks for the rest where the version is another one. Throws Lost or Refusal.
  void update(const std::vector<wire::Rows>& answer, Link& link);

  /// It is about to change: the worst is true until `update`.
  void forget() noexcept { *this = {}; }

  /// A foreign key may be violated until the transaction ends.
  bool defers_keys() const noexcept { return defers_keys_; }
  /// A statement may end the transaction, by a trigger or a conflict clause of a table.
  bool rolls_back() const noexcept { return rolls_back_; }

 private:
  std::int64_t version_ = -1;
  bool defers_keys_ = true;
  bool rolls_back_ = true;
};

}  // namespace statehouse::detail
