#include "regexp/function.hpp"

#include <re2/re2.h>
#include <sqlite3.h>

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include "regexp/error.hpp"
#include "regexp/translator.hpp"
#include "statehouse/error.hpp"
#include "text/unicode.hpp"

namespace statehouse::detail {
namespace {

/// Of each compiled pattern: bounds the program to some 700,000 instructions, about what the translator's budget lets
/// through, and what RE2 caches while it matches. Few patterns use more than some kilobytes.
constexpr std::int64_t max_memory = std::int64_t{8} << 20;

std::string name_of(std::string_view pattern) {
  return "REGEXP '" + shorten(pattern) + "': ";
}

std::string invalid_utf8(const char* what, std::size_t valid) {
  return std::string("the ") + what + " is not valid UTF-8 at byte " + std::to_string(valid + 1);
}

std::string reason_of(const re2::RE2& re2) {
  switch (re2.error_code()) {
    case re2::RE2::ErrorBadCharRange: return "unknown Unicode class " + re2.error_arg();
    case re2::RE2::ErrorPatternTooLarge:
      return "the compiled pattern would exceed " + std::to_string(max_memory >> 20) + " MiB";
    default: return re2.error();
  }
}

struct Pattern {
  re2::RE2 re2;
  RegexpSize size;
};

std::unique_ptr<Pattern> compile(std::string_view pattern) {
  if (const auto invalid = find_invalid_utf8(pattern))
    throw RegexpError(name_of(pattern.substr(0, *invalid)) + invalid_utf8("pattern", *invalid));
  if (pattern.size() > max_pattern_size)
    throw RegexpError(name_of(pattern) + "the pattern is longer than " + std::to_string(max_pattern_size) + " bytes");
  TranslatedPattern translated;
  try {
    translated = to_re2(pattern);
  } catch (const RegexpError& error) {
    throw RegexpError(name_of(pattern) + error.what());
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(max_memory);
  std::unique_ptr<Pattern> compiled(new Pattern{re2::RE2(translated.re2, options), translated.size});
  if (!compiled->re2.ok()) throw RegexpError(name_of(pattern) + reason_of(compiled->re2));
  return compiled;
}

/// Nothing can stop RE2 once it has begun.
void check_cost(const RegexpSize& size, std::string_view pattern, std::string_view text, std::uint64_t budget) {
  const std::uint64_t cost = match_cost(size, text.size());
  if (cost <= budget || budget == 0) return;
  throw RegexpError(name_of(pattern) + "too costly for a text of " + std::to_string(text.size()) + " bytes: up to " +
                    std::to_string(cost) + " steps, allowed are " + std::to_string(budget) +
                    "; repeat less, look through shorter texts, or raise ConnectionOptions::regexp_budget");
}

/// The bytes of a TEXT value, NUL included; nothing for other types.
std::optional<std::string_view> text_of(sqlite3_value* value) {
  if (sqlite3_value_type(value) != SQLITE_TEXT) return std::nullopt;
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  if (text == nullptr) throw std::bad_alloc();
  return std::string_view(text, static_cast<std::size_t>(sqlite3_value_bytes(value)));
}

/// regexp(pattern, text), as SQLite calls it for `text REGEXP pattern`.
void match(sqlite3_context* context, sqlite3_value* pattern_value, sqlite3_value* text_value) {
  const std::optional<std::string_view> pattern = text_of(pattern_value);
  if (!pattern) return;
  // SQLite keeps what belongs to a constant argument until the statement has run.
  auto* compiled = static_cast<Pattern*>(sqlite3_get_auxdata(context, 0));
  std::unique_ptr<Pattern> fresh;
  if (compiled == nullptr) {
    fresh = compile(*pattern);
    compiled = fresh.get();
  }
  if (const std::optional<std::string_view> text = text_of(text_value)) {
    if (const auto invalid = find_invalid_utf8(*text))
      throw RegexpError(name_of(*pattern) + invalid_utf8("text", *invalid));
    check_cost(compiled->size, *pattern, *text, *static_cast<const std::uint64_t*>(sqlite3_user_data(context)));
    const re2::RE2& re2 = compiled->re2;
    const bool found = re2.Match({text->data(), text->size()}, 0, text->size(), re2::RE2::UNANCHORED, nullptr, 0);
    sqlite3_result_int(context, found ? 1 : 0);
  }
  // Last, because SQLite may delete it at once.
  if (fresh) sqlite3_set_auxdata(context, 0, fresh.release(), [](void* data) { delete static_cast<Pattern*>(data); });
}

void regexp(sqlite3_context* context, int, sqlite3_value** arguments) noexcept {
  try {
    match(context, arguments[0], arguments[1]);
  } catch (const std::bad_alloc&) {
    sqlite3_result_error_nomem(context);
  } catch (const std::exception& error) {
    sqlite3_result_error(context, error.what(), -1);
  }
}

}  // namespace

void register_regexp(sqlite3* db, std::uint64_t budget) {
  // SQLite deletes the budget with the function, and when it refuses it.
  const int result = sqlite3_create_function_v2(db, "regexp", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                                new std::uint64_t(budget), regexp, nullptr, nullptr,
                                                [](void* data) { delete static_cast<std::uint64_t*>(data); });
  if (result == SQLITE_OK) return;
  throw Error(make_sqlite_error(sqlite3_extended_errcode(db)),
              std::string("cannot register REGEXP: ") + sqlite3_errmsg(db));
}

}  // namespace statehouse::detail
