#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace statehouse::detail {

/// Names of databases as a shell would write them, `tenants/*/state`: `*` is any part of one segment, `**` one segment
/// or several.
class NamePattern {
 public:
  /// As for names, one `.db` is taken off. Throws Error with `errc::invalid_name` for what no name could match.
  static NamePattern parse_or_throw(std::string_view text);
  /// Whether it says more than one name.
  static bool is_pattern(std::string_view text) noexcept { return text.find('*') != std::string_view::npos; }

  std::string_view text() const noexcept { return text_; }
  bool matches(std::string_view name) const noexcept;
  /// Whether a name that matches could begin with these segments and a `/`.
  bool matches_below(std::string_view directory) const noexcept;

 private:
  explicit NamePattern(std::string_view text);

  std::string text_;
  std::vector<std::string> segments_;
};

}  // namespace statehouse::detail
