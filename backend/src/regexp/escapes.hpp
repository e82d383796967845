#pragma once

#include <variant>

#include "regexp/charset.hpp"
#include "regexp/reader.hpp"

namespace statehouse::detail {

struct Assertion {
  const char* re2;
};
/// What a backslash and what follows it stand for.
using Escape = std::variant<char32_t, CharSet, Assertion>;

/// At a backslash.
Escape read_escape(RegexpReader& in);

}  // namespace statehouse::detail
