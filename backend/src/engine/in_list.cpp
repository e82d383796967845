#include "statehouse/in.hpp"

#include <limits>

#include "text/time_text.hpp"

namespace statehouse {

const std::string& InList::json() const {
  if (fault_) throw *fault_;
  return json_;
}

void InList::add(std::int64_t value) {
  next() += std::to_string(value) + ']';
}

void InList::add(std::uint64_t value) {
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return note(UnfitValue("is above 2^63-1, the largest INTEGER"));
  add(static_cast<std::int64_t>(value));
}

void InList::add(std::string_view value) {
  // SQLite ends the text there that it makes of JSON.
  if (value.find('\0') != std::string_view::npos) return note(UnfitValue("is a text with a NUL character"));
  static constexpr char digits[] = "0123456789abcdef";
  std::string& text = next();
  text += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      text += "\\u00";
      text += digits[byte >> 4U];
      text += digits[byte & 15U];
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  text += "\"]";
}

void InList::add_time(std::int64_t ticks, std::int64_t numerator, std::int64_t denominator) {
  const auto parts = detail::split_ticks(ticks, numerator, denominator);
  if (!parts) return note(UnfitValue("is a time outside the years 0000 to 9999"));
  add(std::string_view(detail::format_time(parts->first, parts->second)));
}

void InList::note(const UnfitValue& fault) {
  ++count_;
  if (!fault_) fault_.emplace("is a list whose element " + std::to_string(count_) + ' ' + fault.what(), fault.code());
}

std::string& InList::next() {
  json_.pop_back();
  if (json_.size() > 1) json_ += ',';
  ++count_;
  return json_;
}

}  // namespace statehouse
