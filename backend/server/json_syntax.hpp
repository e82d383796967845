#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace statehouse::server {

/// What is wrong with `text` as a JSON value (RFC 8259, UTF-8, nested at most 100 deep), or nothing. Builds no values:
/// what it needs in memory does not depend on `text`.
std::optional<std::string> json_syntax_error(std::string_view text);

/// Whether the JSON value `text` is a number.
bool is_json_number(std::string_view text) noexcept;

}  // namespace statehouse::server
