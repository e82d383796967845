#include "migrate/source/script_facts.hpp"

#include <algorithm>
#include <initializer_list>
#include <span>

#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

using Tokens = std::span<const SqlToken>;

/// Moves past these words; false, and nowhere, when they are not there.
bool take(Tokens& tokens, std::initializer_list<std::string_view> words) {
  if (!std::ranges::equal(tokens.first(std::min(tokens.size(), words.size())), words,
                          [](const SqlToken& token, std::string_view word) { return token.is(word); }))
    return false;
  tokens = tokens.subspan(words.size());
  return true;
}

/// `[schema.]name` at the front; moves past it.
std::string take_table(Tokens& tokens) {
  std::string schema;
  if (tokens.size() > 2 && tokens[1].is(".")) {
    schema = tokens.front().name();
    schema = same_ascii(schema, "main") ? "" : schema + '.';
    tokens = tokens.subspan(2);
  }
  if (tokens.empty()) return {};
  std::string name = schema + tokens.front().name();
  tokens = tokens.subspan(1);
  return name;
}

/// What becomes of the transaction.
enum class control { none, begin, commit, rollback };

control control_of(Tokens tokens) {
  if (tokens.empty()) return control::none;
  const SqlToken& first = tokens.front();
  if (first.is("BEGIN")) return control::begin;
  if (first.is("COMMIT") || first.is("END")) return control::commit;
  // TO is a keyword everywhere, so ROLLBACK [TRANSACTION [name]] TO is recognised by it.
  const bool to_savepoint = std::ranges::any_of(tokens, [](const SqlToken& token) { return token.is("TO"); });
  return first.is("ROLLBACK") && !to_savepoint ? control::rollback : control::none;
}

/// Follows the transaction that the script runs in.
class TransactionWalk {
 public:
  void step(const SqlStatement& statement) {
    const control control = control_of(statement.tokens);
    if (control == control::none || refused_) return;
    const bool expected = control == control::commit ? !out_ : control == control::begin && out_;
    if (!expected) {
      refused_ = statement;
    } else if (control == control::commit) {
      out_ = statement;
      if (!first_) first_ = statement;
    } else {
      out_.reset();
    }
  }
  void finish(ScriptFacts& facts) {
    facts.transaction_control = refused_ ? std::move(refused_) : std::move(out_);
    if (!facts.transaction_control) facts.commit = std::move(first_);
  }

 private:
  std::optional<SqlStatement> first_;    // COMMIT
  std::optional<SqlStatement> out_;      // the COMMIT that no BEGIN has followed yet
  std::optional<SqlStatement> refused_;  // any other
};

struct Pragma {
  std::string name;
  std::string value;
};

std::optional<Pragma> pragma_of(Tokens tokens) {
  if (!take(tokens, {"PRAGMA"})) return std::nullopt;
  if (tokens.size() > 2 && tokens[1].is(".")) tokens = tokens.subspan(2);
  if (tokens.empty()) return std::nullopt;
  Pragma pragma{tokens[0].name(), {}};
  if (tokens.size() > 2 && (tokens[1].is("=") || tokens[1].is("("))) pragma.value = tokens[2].name();
  return pragma;
}

/// As SQLite reads a boolean: whatever is not true is false.
bool switches_foreign_keys_off(const Pragma& pragma) {
  if (!same_ascii(pragma.name, "foreign_keys") || pragma.value.empty()) return false;
  if (is_digit(pragma.value.front())) return pragma.value.find_first_of("123456789") == std::string::npos;
  return !same_ascii(pragma.value, "on") && !same_ascii(pragma.value, "yes") && !same_ascii(pragma.value, "true");
}

}  // namespace

ScriptFacts examine(std::string_view script) {
  ScriptFacts facts;
  TransactionWalk walk;
  SqlScanner scanner(script);
  while (const auto statement = scanner.next_statement()) {
    walk.step(*statement);
    facts.drops_table = facts.drops_table || !dropped_table(*statement).empty();
    if (const auto pragma = pragma_of(statement->tokens)) {
      if (!facts.keys_off && switches_foreign_keys_off(*pragma)) facts.keys_off = statement;
      facts.defers = facts.defers || same_ascii(pragma->name, "defer_foreign_keys");
    }
  }
  walk.finish(facts);
  return facts;
}

std::string dropped_table(const SqlStatement& statement) {
  Tokens tokens = statement.tokens;
  if (!take(tokens, {"DROP", "TABLE"})) return {};
  take(tokens, {"IF", "EXISTS"});
  return take_table(tokens);
}

std::string created_table(const SqlStatement& statement) {
  Tokens tokens = statement.tokens;
  if (!take(tokens, {"CREATE"})) return {};
  const bool temporary = take(tokens, {"TEMP"}) || take(tokens, {"TEMPORARY"});
  if (!take(tokens, {"TABLE"}) && !take(tokens, {"VIRTUAL", "TABLE"})) return {};
  take(tokens, {"IF", "NOT", "EXISTS"});
  const std::string name = take_table(tokens);
  return temporary ? "temp." + name : name;
}

std::string inserted_table(const SqlStatement& statement) {
  Tokens tokens = statement.tokens;
  if (take(tokens, {"INSERT"})) {
    if (take(tokens, {"OR"})) tokens = tokens.subspan(std::min<std::size_t>(tokens.size(), 1));
  } else if (!take(tokens, {"REPLACE"})) {
    return {};
  }
  return take(tokens, {"INTO"}) ? take_table(tokens) : std::string();
}

std::optional<Renaming> renaming(const SqlStatement& statement) {
  Tokens tokens = statement.tokens;
  if (!take(tokens, {"ALTER", "TABLE"})) return std::nullopt;
  std::string from = take_table(tokens);
  if (!take(tokens, {"RENAME", "TO"})) return std::nullopt;
  return Renaming{std::move(from), take_table(tokens)};
}

bool may_write_rows(const SqlStatement& statement) {
  const auto is_first = [&](std::string_view word) { return statement.tokens.front().is(word); };
  return is_first("INSERT") || is_first("UPDATE") || is_first("DELETE") || is_first("REPLACE") || is_first("WITH");
}

bool says_replace(const SqlStatement& statement) {
  return std::ranges::any_of(statement.tokens, [](const SqlToken& token) { return token.is("REPLACE"); });
}

}  // namespace statehouse::detail
