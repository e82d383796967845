#include "state/name_rules.hpp"

#include <algorithm>

namespace statehouse::detail {
namespace {

template <class Rules, class Value>
void add_rule(Rules& rules, NamePattern pattern, Value value) {
  const auto same = std::ranges::find_if(rules, [&](const auto& each) { return each.first.text() == pattern.text(); });
  if (same != rules.end()) {
    same->second = std::move(value);
  } else {
    rules.emplace_back(std::move(pattern), std::move(value));
  }
}

template <class Rules>
auto first_match(const Rules& rules, std::string_view name) {
  return std::ranges::find_if(rules, [&](const auto& each) { return each.first.matches(name); });
}

}  // namespace

void NameRules::add_migrator(NamePattern pattern, Migrator migrator) {
  add_rule(migrators_, std::move(pattern), std::move(migrator));
}

void NameRules::add_options(NamePattern pattern, PoolOptions options) {
  add_rule(options_, std::move(pattern), share_options(std::move(options)));
}

std::optional<Migrator> NameRules::migrator_of(std::string_view name) const {
  const auto found = first_match(migrators_, name);
  return found != migrators_.end() ? std::optional(found->second) : std::nullopt;
}

SharedOptions NameRules::options_of(std::string_view name) const {
  const auto found = first_match(options_, name);
  return found != options_.end() ? found->second : nullptr;
}

}  // namespace statehouse::detail
