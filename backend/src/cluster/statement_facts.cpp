#include "cluster/statement_facts.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

// Those that every node answers, and that change nothing. Their argument, where they take one, says what to look at.
constexpr std::array<std::string_view, 17> telling{
    "collation_list", "compile_options", "data_version", "database_list", "foreign_key_check", "foreign_key_list",
    "freelist_count", "function_list",   "index_info",   "index_list",    "index_xinfo",       "integrity_check",
    "page_count",     "quick_check",     "table_info",   "table_list",    "table_xinfo"};
// Those that change nothing without a value.
constexpr std::array<std::string_view, 7> settable{
    "application_id", "defer_foreign_keys", "encoding", "foreign_keys", "page_size", "schema_version", "user_version"};

template <std::size_t N>
bool is_among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// After the parenthesis that is opened at `at`, and what is in it.
std::size_t after_parentheses(Tokens tokens, std::size_t at) {
  std::size_t depth = 0;
  for (; at < tokens.size(); ++at) {
    if (tokens[at].is("(")) ++depth;
    if (tokens[at].is(")") && --depth == 0) return at + 1;
  }
  return at;
}

/// Where the statement itself begins, behind WITH and its tables.
std::size_t after_with(Tokens tokens) {
  std::size_t at = 1;
  if (is_at(tokens, at, "RECURSIVE")) ++at;
  while (at < tokens.size()) {
    ++at;  // the name
    if (is_at(tokens, at, "(")) at = after_parentheses(tokens, at);
    if (is_at(tokens, at, "AS")) ++at;
    if (is_at(tokens, at, "NOT")) ++at;
    if (is_at(tokens, at, "MATERIALIZED")) ++at;
    if (!is_at(tokens, at, "(")) break;
    at = after_parentheses(tokens, at);
    if (!is_at(tokens, at, ",")) break;
    ++at;
  }
  return at;
}

bool says(Tokens tokens, std::string_view word) {
  return std::ranges::any_of(tokens, [&](const SqlToken& token) { return token.is(word); });
}

bool says(Tokens tokens, std::string_view first, std::string_view second) {
  for (std::size_t at = 0; at + 1 < tokens.size(); ++at) {
    if (tokens[at].is(first) && tokens[at + 1].is(second)) return true;
  }
  return false;
}

/// The name may be written in quotes.
bool names_schema(Tokens tokens, std::string_view schema) {
  for (std::size_t at = 0; at + 1 < tokens.size(); ++at) {
    if (tokens[at + 1].is(".") && same_ascii(tokens[at].name(), schema)) return true;
  }
  return false;
}

/// Past EXPLAIN [QUERY PLAN].
std::size_t after_explain(Tokens tokens) {
  return is_at(tokens, 1, "QUERY") ? 3 : 1;
}

void judge_pragma(Tokens tokens, StatementFacts& facts) {
  const std::size_t at = is_at(tokens, 2, ".") ? 3 : 1;
  if (at < tokens.size()) {
    facts.pragma = tokens[at].name();
    std::ranges::transform(facts.pragma, facts.pragma.begin(), ascii_lower);
  }
  facts.pragma_sets = at + 1 < tokens.size();
  if (is_among(telling, facts.pragma) || (!facts.pragma_sets && is_among(settable, facts.pragma)))
    facts.what = StatementFacts::kind::read;
  facts.sets_keys = facts.pragma == "foreign_keys" && facts.pragma_sets;
  facts.defers_keys = facts.pragma == "defer_foreign_keys" && facts.pragma_sets;
}

void judge_change(Tokens tokens, StatementFacts& facts) {
  const SqlToken& verb = tokens.front();
  facts.inserts = verb.is("INSERT") || verb.is("REPLACE");
  facts.changes_rows = facts.inserts || verb.is("UPDATE") || verb.is("DELETE");
  facts.upserts = facts.inserts && says(tokens, "ON", "CONFLICT");
  facts.returning = facts.changes_rows && says(tokens, "RETURNING");
  facts.rolls_back = says(tokens, "ROLLBACK");
}

bool judge_control(Tokens tokens, StatementFacts& facts) {
  using kind = StatementFacts::kind;
  const SqlToken& verb = tokens.front();
  if (verb.is("BEGIN")) {
    facts.what = kind::begin;
  } else if (verb.is("COMMIT") || verb.is("END")) {
    facts.what = kind::commit;
  } else if (verb.is("ROLLBACK")) {
    facts.what = says(tokens, "TO") ? kind::rollback_to : kind::rollback;
  } else if (verb.is("SAVEPOINT")) {
    facts.what = kind::savepoint;
  } else if (verb.is("RELEASE")) {
    facts.what = kind::release;
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool is_at(Tokens tokens, std::size_t at, std::string_view word) noexcept {
  return at < tokens.size() && tokens[at].is(word);
}

std::vector<SqlToken> tokens_of(std::string_view statement) {
  std::vector<SqlToken> tokens;
  SqlScanner scanner(statement);
  while (const auto next = scanner.next_piece()) {
    if (next->kind != SqlToken::type::comment) tokens.push_back(*next);
  }
  return tokens;
}

std::vector<std::string> parameter_names(const std::vector<SqlToken>& tokens) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::string_view text = tokens[i].text;
    if (text == "?") {
      const std::string_view next = i + 1 < tokens.size() ? tokens[i + 1].text : std::string_view();
      std::size_t number = 0;
      const auto [end, error] = std::from_chars(next.data(), next.data() + next.size(), number);
      const bool numbered = next.data() == text.data() + 1 && error == std::errc() && number > 0;
      if (!numbered) number = names.size() + 1;
      if (names.size() < number) names.resize(number);
      if (numbered && names[number - 1].empty())
        names[number - 1] = "?" + std::string(next.begin(), next.begin() + (end - next.data()));
    } else if (text.size() > 1 && std::string_view(":@$").find(text.front()) != std::string_view::npos) {
      if (std::ranges::find(names, text) == names.end()) names.emplace_back(text);
    }
  }
  return names;
}

StatementFacts facts_of(const std::vector<SqlToken>& all) {
  StatementFacts facts;
  Tokens tokens(all);
  if (is_at(tokens, 0, "WITH")) tokens = tokens.subspan(std::min(after_with(tokens), tokens.size()));
  if (tokens.empty()) return facts;
  const SqlToken& verb = tokens.front();
  if (verb.is("EXPLAIN") && is_at(tokens, after_explain(tokens), "PRAGMA")) {  // many take effect when compiled
    judge_pragma(tokens.subspan(after_explain(tokens)), facts);
  } else if (verb.is("SELECT") || verb.is("VALUES") || verb.is("EXPLAIN")) {
    facts.what = StatementFacts::kind::read;
  } else if (verb.is("PRAGMA")) {
    judge_pragma(tokens, facts);
  } else if (!judge_control(tokens, facts)) {
    judge_change(tokens, facts);
    const bool makes = verb.is("CREATE") || verb.is("DROP") || verb.is("ALTER");
    facts.temporary =
        makes && (is_at(tokens, 1, "TEMP") || is_at(tokens, 1, "TEMPORARY") || names_schema(tokens, "temp"));
    facts.defers_keys = makes && says(tokens, "DEFERRED");
  }
  return facts;
}

}  // namespace statehouse::detail
