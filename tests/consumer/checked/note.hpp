#pragma once

#include <statehouse/value_traits.hpp>
#include <string>
#include <utility>

namespace shop {
/// Kept as TEXT.
struct Note {
  std::string text;
  bool operator==(const Note&) const = default;
};
}  // namespace shop

template <>
struct statehouse::value_traits<shop::Note> {
  using stored_type = std::string;
  static const std::string& to_stored(const shop::Note& note) { return note.text; }
  static shop::Note from_stored(std::string text) { return {std::move(text)}; }
};
