// REGEXP: what is translated RE2 takes; the same pattern written otherwise gives the same answer; any text can be
// found. The input is a pattern, a newline and a text.

#include <re2/re2.h>

#include <memory>
#include <string>

#include "fuzz.hpp"
#include "regexp/error.hpp"
#include "regexp/translator.hpp"
#include "statehouse/connection.hpp"
#include "text/unicode.hpp"

using namespace statehouse;
using fuzz::require;

namespace {

std::unique_ptr<re2::RE2> compiled(const std::string& re2) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(std::int64_t{8} << 20);
  return std::make_unique<re2::RE2>(re2, options);
}

bool finds(const re2::RE2& re2, std::string_view text) {
  return re2.Match({text.data(), text.size()}, 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

/// As Rust's `regex::escape` does.
std::string escaped(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (std::string_view("\\.+*?()|[]{}^$#&-~").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

void check_literal(const std::string& text) {
  const auto literal = compiled(detail::to_re2(escaped(text)).re2);
  require(literal->ok() && finds(*literal, text) && finds(*literal, "x" + text + "y"), "any text finds itself", text);
  const auto whole = compiled(detail::to_re2("\\A" + escaped(text) + "\\z").re2);
  require(whole->ok() && finds(*whole, text) && !finds(*whole, text + "x"), "and nothing else does", text);
}

/// What else means the same, as far as the flags let it be written.
void check_same(const std::string& pattern, const std::string& text, bool found) {
  for (const std::string& same : {"(?:" + pattern + ")", pattern + "|(?:" + pattern + ")", "(?:" + pattern + "){1,2}"})
    try {
      const auto other = compiled(detail::to_re2(same).re2);
      if (other->ok()) require(finds(*other, text) == found, "the same pattern gives the same answer", same);
    } catch (const detail::RegexpError&) {  // too large, or a comment or a name that is there twice
    }
}

std::optional<bool> by_sql(const std::string& pattern, const std::string& text) {
  static Connection db = Connection::in_memory("fuzz");
  try {
    return db.query_one<bool>("SELECT ? REGEXP ?", text, pattern);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parts = fuzz::split(fuzz::text_of(data, size), '\n');
  const std::string pattern(parts.first);
  const std::string text(parts.second);
  const auto answer = by_sql(pattern, text);
  if (detail::find_invalid_utf8(pattern) || detail::find_invalid_utf8(text)) {
    require(!answer, "what is no UTF-8 is refused");
    return 0;
  }
  check_literal(text);
  detail::TranslatedPattern translated;
  try {
    translated = detail::to_re2(pattern);
  } catch (const detail::RegexpError&) {
    require(!answer, "what cannot be translated is refused");
    return 0;
  }
  for (const char c : translated.re2) require(static_cast<unsigned char>(c) < 0x80, "a translation is ASCII");
  const auto re2 = compiled(translated.re2);
  const bool unknown_name = re2->error_code() == re2::RE2::ErrorBadCharRange;
  require(re2->ok() || unknown_name, "RE2 takes what was translated", translated.re2);
  if (!re2->ok()) return 0;
  require(re2->ProgramSize() <= 700'000, "a program is bounded");
  require(detail::match_cost(translated.size, text.size()) <= detail::match_cost(translated.size, text.size() + 1),
          "a longer text costs no less");
  if (!answer) return 0;  // too costly
  require(finds(*re2, text) == *answer, "SQL says what RE2 says");
  check_same(pattern, text, *answer);
  return 0;
}
