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

/// What SQLite would call the files it keeps beside `x.db`.
bool is_sidecar(std::string_view name) noexcept {
  return name.ends_with(".db-wal") || name.ends_with(".db-shm") || name.ends_with(".db-journal");
}

}  // namespace

std::optional<DatabaseName> DatabaseName::parse(std::string_view text) noexcept {
  if (text.ends_with(".db")) text.remove_suffix(3);
  // A suffix that is left would be taken off the next time, and the name then mean another database.
  if (!follows_grammar(text, max_size_) || text.ends_with(".db") || is_sidecar(text)) return std::nullopt;
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

std::string DatabaseName::file_name(std::string_view prefix) const {
  std::string file(prefix);
  if (!prefix.empty()) file += '_';
  file += view();
  return file += ".db";
}

void check_prefix(std::string_view prefix) {
  if (!prefix.empty() && !follows_grammar(prefix, 32)) refuse(prefix);
}

}  // namespace statehouse
