#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

/// What the fuzzers share. Each is a `LLVMFuzzerTestOneInput`; a crash, an exception that gets out, and what breaks a
/// `require` is a finding.
namespace statehouse::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Before and after the first `divider`; all of it and nothing where there is none.
inline std::pair<std::string_view, std::string_view> split(std::string_view text, char divider) {
  const auto at = text.find(divider);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

inline void require(bool holds, std::string_view what, std::string_view about = {}) {
  if (holds) return;
  std::cerr << "does not hold: " << what << (about.empty() ? "" : ": ") << about << std::endl;
  std::abort();
}

}  // namespace statehouse::fuzz
