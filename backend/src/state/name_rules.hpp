#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "pool/shared_options.hpp"
#include "state/name_pattern.hpp"
#include "statehouse/migrator.hpp"

namespace statehouse::detail {

/// What is said of many databases at once, by a pattern of their names. Of several patterns that match a name the one
/// that was said first counts; one that is said again stays where it is. What they have is shared by all that match.
class NameRules {
 public:
  void add_migrator(NamePattern pattern, Migrator migrator);
  void add_options(NamePattern pattern, PoolOptions options);

  // Nothing where no pattern matches.
  std::optional<Migrator> migrator_of(std::string_view name) const;
  SharedOptions options_of(std::string_view name) const;

 private:
  std::vector<std::pair<NamePattern, Migrator>> migrators_;
  std::vector<std::pair<NamePattern, SharedOptions>> options_;
};

}  // namespace statehouse::detail
