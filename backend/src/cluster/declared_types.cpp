#include "cluster/declared_types.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "cluster/statement_facts.hpp"
#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

constexpr std::string_view record_of_migrations = "_sqlx_migrations";
constexpr std::string_view truth = "BOOLEAN";
constexpr std::array<std::string_view, 3> times{"DATE", "DATETIME", "TIMESTAMP"};
constexpr std::array<std::string_view, 11> after_type{
    "CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED", "AS"};
constexpr std::array<std::string_view, 5> of_table{"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"};

template <std::size_t N>
bool is_one_of(const SqlToken& token, const std::array<std::string_view, N>& words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return token.is(word); });
}

/// Past [schema.]name.
std::size_t after_name(Tokens tokens, std::size_t at) {
  return is_at(tokens, at + 1, ".") ? at + 3 : at + 1;
}

/// What stands between commas and inside of one pair of parentheses, which begins at `at`.
std::vector<Tokens> items(Tokens tokens, std::size_t at) {
  std::vector<Tokens> result;
  std::size_t depth = 0;
  std::size_t start = at + 1;
  for (; at < tokens.size(); ++at) {
    if (tokens[at].is("(")) ++depth;
    const bool ends = tokens[at].is(")") && --depth == 0;
    if (!ends && (depth != 1 || !tokens[at].is(","))) continue;
    if (at > start) result.push_back(tokens.subspan(start, at - start));
    start = at + 1;
    if (ends) break;
  }
  return result;
}

/// As SQLite keeps it, when it is nothing but names.
std::string declared_type(Tokens column) {
  std::string type;
  std::size_t at = 1;
  for (; at < column.size() && column[at].kind != SqlToken::type::symbol && !is_one_of(column[at], after_type); ++at)
    type += (type.empty() ? "" : " ") + name_of(column[at]);
  return is_at(column, at, "(") ? type + "(" : type;  // DATE(3) is none of those
}

bool may_hold(std::string_view type, std::string_view kind) {
  return same_ascii(kind, "integer") || same_ascii(kind, "null") || (same_ascii(kind, "text") && type != truth);
}

/// CHECK (typeof(column) IN ('integer', 'null')), or with = and one of them.
bool is_safe_check(Tokens tokens, std::string_view column, std::string_view type) {
  if (!is_at(tokens, 0, "CHECK") || !is_at(tokens, 1, "(") || !is_at(tokens, 2, "typeof") || !is_at(tokens, 3, "(") ||
      tokens.size() < 9 || !same_ascii(name_of(tokens[4]), column) || !is_at(tokens, 5, ")"))
    return false;
  if (is_at(tokens, 6, "=")) return is_at(tokens, 8, ")") && may_hold(type, name_of(tokens[7]));
  if (!is_at(tokens, 6, "IN") || !is_at(tokens, 7, "(")) return false;
  std::size_t at = 8;
  while (at < tokens.size() && may_hold(type, name_of(tokens[at]))) {
    ++at;
    if (!is_at(tokens, at, ",")) return is_at(tokens, at, ")") && is_at(tokens, at + 1, ")");
    ++at;
  }
  return false;
}

bool has_safe_check(Tokens statement, std::string_view column, std::string_view type) {
  for (std::size_t at = 0; at < statement.size(); ++at) {
    if (is_safe_check(statement.subspan(at), column, type)) return true;
  }
  return false;
}

std::optional<UnsafeColumn> judge(Tokens statement, Tokens column) {
  if (column.empty() || is_one_of(column.front(), of_table)) return std::nullopt;
  const std::string declared = declared_type(column);
  const auto same = [&](std::string_view type) { return same_ascii(type, declared); };
  const auto time = std::ranges::find_if(times, same);
  if (!same(truth) && time == times.end()) return std::nullopt;
  const std::string name = name_of(column.front());
  if (has_safe_check(statement, name, same(truth) ? truth : *time)) return std::nullopt;
  return UnsafeColumn{name, declared};
}

std::optional<UnsafeColumn> judge_created(Tokens tokens) {
  std::size_t at = 1;
  if (is_at(tokens, at, "TEMP") || is_at(tokens, at, "TEMPORARY")) ++at;
  if (!is_at(tokens, at, "TABLE")) return std::nullopt;
  ++at;
  if (is_at(tokens, at, "IF")) at += 3;  // NOT EXISTS
  const std::size_t end = after_name(tokens, at);
  if (end > tokens.size() || same_ascii(name_of(tokens[end - 1]), record_of_migrations) || !is_at(tokens, end, "("))
    return std::nullopt;
  for (const Tokens item : items(tokens, end)) {
    if (auto found = judge(tokens, item)) return found;
  }
  return std::nullopt;
}

std::optional<UnsafeColumn> judge_added(Tokens tokens) {
  if (!is_at(tokens, 1, "TABLE")) return std::nullopt;
  std::size_t at = after_name(tokens, 2);
  if (!is_at(tokens, at, "ADD")) return std::nullopt;
  ++at;
  if (is_at(tokens, at, "COLUMN")) ++at;
  return judge(tokens, at < tokens.size() ? tokens.subspan(at) : Tokens());
}

}  // namespace

std::optional<UnsafeColumn> unsafe_column(const std::vector<SqlToken>& statement) {
  const Tokens tokens(statement);
  if (is_at(tokens, 0, "CREATE")) return judge_created(tokens);
  return is_at(tokens, 0, "ALTER") ? judge_added(tokens) : std::nullopt;
}

}  // namespace statehouse::detail
