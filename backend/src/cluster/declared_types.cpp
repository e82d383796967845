#include "cluster/declared_types.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "cluster/statement_facts.hpp"
#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

constexpr std::string_view record_of_migrations = "_sqlx_migrations";
constexpr std::array<std::string_view, 4> unsafe_types{"BOOLEAN", "DATE", "DATETIME", "TIMESTAMP"};
constexpr std::array<std::string_view, 3> compound{"UNION", "INTERSECT", "EXCEPT"};
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
    type += (type.empty() ? "" : " ") + column[at].name();
  return is_at(column, at, "(") ? type + "(" : type;  // DATE(3) is none of those
}

std::optional<UnsafeColumn> judge(Tokens column) {
  if (column.empty() || is_one_of(column.front(), of_table)) return std::nullopt;
  const std::string declared = declared_type(column);
  if (std::ranges::none_of(unsafe_types, [&](std::string_view type) { return same_ascii(type, declared); }))
    return std::nullopt;
  return UnsafeColumn{column.front().name(), declared};
}

std::optional<UnsafeColumn> judge_created(Tokens tokens) {
  std::size_t at = 1;
  if (is_at(tokens, at, "TEMP") || is_at(tokens, at, "TEMPORARY")) ++at;
  if (!is_at(tokens, at, "TABLE")) return std::nullopt;
  ++at;
  if (is_at(tokens, at, "IF")) at += 3;  // NOT EXISTS
  const std::size_t end = after_name(tokens, at);
  if (end > tokens.size() || same_ascii(tokens[end - 1].name(), record_of_migrations) || !is_at(tokens, end, "("))
    return std::nullopt;
  for (const Tokens item : items(tokens, end)) {
    if (auto found = judge(item)) return found;
  }
  return std::nullopt;
}

std::optional<UnsafeColumn> judge_added(Tokens tokens) {
  if (!is_at(tokens, 1, "TABLE")) return std::nullopt;
  std::size_t at = after_name(tokens, 2);
  if (!is_at(tokens, at, "ADD")) return std::nullopt;
  ++at;
  if (is_at(tokens, at, "COLUMN")) ++at;
  return judge(at < tokens.size() ? tokens.subspan(at) : Tokens());
}

}  // namespace

std::optional<UnsafeColumn> unsafe_column(const std::vector<SqlToken>& statement) {
  const Tokens tokens(statement);
  if (is_at(tokens, 0, "CREATE")) return judge_created(tokens);
  return is_at(tokens, 0, "ALTER") ? judge_added(tokens) : std::nullopt;
}

bool mixes_record(const std::vector<SqlToken>& statement) {
  const Tokens tokens(statement);
  const auto names_it = [](const SqlToken& token) { return same_ascii(token.name(), record_of_migrations); };
  const auto joins = [](const SqlToken& token) { return is_one_of(token, compound); };
  const bool view = is_at(tokens, 0, "CREATE") && (is_at(tokens, 1, "VIEW") || is_at(tokens, 2, "VIEW"));
  return (view || std::ranges::any_of(tokens, joins)) && std::ranges::any_of(tokens, names_it);
}

}  // namespace statehouse::detail
