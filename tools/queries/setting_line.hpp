#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace statehouse::queries {

struct QuerySettings;

/// A comment that says something: `-- key: value`.
struct SettingLine {
  std::string_view key;
  std::string_view value;
};

/// Without blanks at both ends.
std::string_view trimmed(std::string_view text);

std::optional<SettingLine> setting_line(std::string_view comment);

/// Takes what a comment at the top of a file sets, if it is of that form. Returns what is wrong with it, if anything.
std::string read_setting(std::string_view comment, QuerySettings& settings);

}  // namespace statehouse::queries
