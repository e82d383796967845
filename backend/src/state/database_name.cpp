#include "statehouse/database_name.hpp"

#include <algorithm>

#include "statehouse/error.hpp"

namespace statehouse {
namespace {

// Not std::isalnum: the answer must not depend on the locale.
constexpr bool is_alnum(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool follows_grammar(std::string_view name, std::size_t max_size) noexcept {
  if (name.empty() || name.size() > max_size || !is_alnum(name.front()) || name.back() == '.') return false;
  if (name.find("..") != std::string_view::npos) return false;
  return std::ranges::all_of(name, [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

/// For the error message: what is not printable ASCII, or longer than any name, is not repeated.
std::string printable(std::string_view text) {
  std::string shown(text.substr(0, 80));
  std::ranges::replace_if(
      shown, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return "'" + shown + (text.size() > 80 ? "...'" : "'");
}

[[noreturn]] void refuse(std::string_view text) {
  const boost::system::error_code code = errc::invalid_name;
  throw Error(code, code.message() + "; got " + printable(text));
}

/// As a database's file is called, or what SQLite keeps beside it.
bool looks_like_file(std::string_view segment) noexcept {
  return segment.ends_with(".db") || segment.ends_with(".db-wal") || segment.ends_with(".db-shm") ||
         segment.ends_with(".db-journal");
}

bool is_segment(std::string_view text) noexcept {
  return follows_grammar(text, 64) && !looks_like_file(text);
}

bool is_name(std::string_view text) noexcept {
  for (std::size_t segments = 1; segments <= DatabaseName::max_segments; ++segments) {
    const std::size_t end = text.find('/');
    if (!is_segment(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace

std::optional<DatabaseName> DatabaseName::parse(std::string_view text) noexcept {
  // One that is left would be taken off the next time, and the name then mean another database: it is refused.
  if (text.ends_with(".db")) text.remove_suffix(3);
  if (text.size() > max_size || !is_name(text)) return std::nullopt;
  DatabaseName name;
  std::ranges::copy(text, name.text_.begin());
  name.size_ = static_cast<std::uint8_t>(text.size());
  return name;
}

DatabaseName DatabaseName::parse_or_throw(std::string_view text) {
  const auto name = parse(text);
  if (!name) refuse(text);
  return *name;
}

std::optional<DatabaseName> DatabaseName::parse_segment(std::string_view text) noexcept {
  const auto name = parse(text);
  return name && name->directory().empty() ? name : std::nullopt;
}

std::string_view DatabaseName::directory() const noexcept {
  const std::size_t slash = view().rfind('/');
  return slash == std::string_view::npos ? std::string_view() : view().substr(0, slash);
}

std::string_view DatabaseName::leaf() const noexcept {
  return view().substr(view().rfind('/') + 1);  // npos + 1 is 0
}

std::string DatabaseName::file_name(std::string_view prefix) const {
  std::string file(directory());
  if (!file.empty()) file += '/';
  file += prefix;
  if (!prefix.empty()) file += '_';
  file += leaf();
  return file += ".db";
}

void check_prefix(std::string_view prefix) {
  if (!prefix.empty() && !follows_grammar(prefix, 32)) refuse(prefix);
}

}  // namespace statehouse
