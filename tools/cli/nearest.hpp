#pragma once

#include <span>
#include <string>
#include <string_view>

namespace statehouse::cli {

/// The candidate that `word` is probably a slip of the finger for; empty when none is near enough.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace statehouse::cli
