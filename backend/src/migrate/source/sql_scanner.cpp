#include "migrate/source/sql_scanner.hpp"

#include <algorithm>
#include <span>
#include <string>

#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

using Tokens = std::span<const SqlToken>;

constexpr std::size_t kept_tokens = 12;  // ALTER TABLE a.b RENAME TO c has 8

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name_character(char c) {
  return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// To and including the closing quote, if there is one; a doubled one stands for itself, except in brackets.
std::optional<std::size_t> quoted_length(std::string_view text) {
  const char close = text.front() == '[' ? ']' : text.front();
  std::size_t at = 1;
  while ((at = text.find(close, at)) != std::string_view::npos) {
    if (close == ']' || at + 1 == text.size() || text[at + 1] != close) return at + 1;
    at += 2;
  }
  return std::nullopt;
}

/// $name, :name, @name, with Tcl's name::name(...) forms, which may hold a semicolon.
std::size_t parameter_length(std::string_view text) {
  std::size_t at = 1;
  bool named = false;
  while (at < text.size()) {
    if (is_name_character(text[at])) {
      named = true;
      ++at;
    } else if (text[at] == '(' && named) {
      while (at < text.size() && !is_blank(text[at]) && text[at] != ')') ++at;
      return std::min(at + 1, text.size());
    } else if (text.substr(at).starts_with("::")) {
      at += 2;
    } else {
      break;
    }
  }
  return at;
}

/// The name a token stands for, without its quotes.
std::string name_of(const SqlToken& token) {
  std::string_view text = token.text;
  if (token.kind != SqlToken::type::quoted || text.size() < 2) return std::string(text);
  const char close = text.front() == '[' ? ']' : text.front();
  text = text.substr(1, text.size() - 2);
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    name += text[i];
    if (text[i] == close && i + 1 < text.size() && text[i + 1] == close) ++i;
  }
  return name;
}

bool starts_with(Tokens tokens, std::initializer_list<std::string_view> words) {
  return std::ranges::equal(tokens.first(std::min(tokens.size(), words.size())), words,
                            [](const SqlToken& token, std::string_view word) { return token.is(word); });
}

Tokens after(Tokens tokens, std::initializer_list<std::string_view> words) {
  return starts_with(tokens, words) ? tokens.subspan(words.size()) : tokens;
}

bool starts_trigger(Tokens tokens) {
  tokens = after(after(tokens, {"EXPLAIN"}), {"QUERY", "PLAN"});
  if (!starts_with(tokens, {"CREATE"})) return false;
  tokens = after(after(tokens.subspan(1), {"TEMP"}), {"TEMPORARY"});
  return starts_with(tokens, {"TRIGGER"});
}

bool controls_transaction(Tokens tokens) {
  if (tokens.empty()) return false;
  const SqlToken& first = tokens.front();
  if (first.is("BEGIN") || first.is("COMMIT") || first.is("END")) return true;
  // TO is a keyword everywhere, so ROLLBACK [TRANSACTION [name]] TO is recognised by it.
  return first.is("ROLLBACK") && std::ranges::none_of(tokens, [](const SqlToken& token) { return token.is("TO"); });
}

struct Pragma {
  std::string name;
  std::string value;
};

std::optional<Pragma> pragma_of(Tokens tokens) {
  if (!starts_with(tokens, {"PRAGMA"})) return std::nullopt;
  tokens = tokens.subspan(1);
  if (tokens.size() > 2 && tokens[1].is(".")) tokens = tokens.subspan(2);
  if (tokens.empty()) return std::nullopt;
  Pragma pragma{name_of(tokens[0]), {}};
  if (tokens.size() > 2 && (tokens[1].is("=") || tokens[1].is("("))) pragma.value = name_of(tokens[2]);
  return pragma;
}

/// As SQLite reads a boolean: whatever is not true is false.
bool switches_foreign_keys_off(const Pragma& pragma) {
  if (!same_ascii(pragma.name, "foreign_keys") || pragma.value.empty()) return false;
  if (is_digit(pragma.value.front())) return pragma.value.find_first_of("123456789") == std::string::npos;
  return !same_ascii(pragma.value, "on") && !same_ascii(pragma.value, "yes") && !same_ascii(pragma.value, "true");
}

/// `[schema.]name` at the front; moves past it.
std::string take_table(Tokens& tokens) {
  if (tokens.size() > 2 && tokens[1].is(".")) tokens = tokens.subspan(2);
  if (tokens.empty()) return {};
  std::string name = name_of(tokens.front());
  std::ranges::transform(name, name.begin(), ascii_lower);
  tokens = tokens.subspan(1);
  return name;
}

std::string dropped_table(Tokens tokens) {
  if (!starts_with(tokens, {"DROP", "TABLE"})) return {};
  tokens = after(tokens.subspan(2), {"IF", "EXISTS"});
  return take_table(tokens);
}

std::string renamed_to(Tokens tokens) {
  if (!starts_with(tokens, {"ALTER", "TABLE"})) return {};
  tokens = tokens.subspan(2);
  take_table(tokens);
  if (!starts_with(tokens, {"RENAME", "TO"})) return {};
  tokens = tokens.subspan(2);
  return take_table(tokens);
}

}  // namespace

bool SqlToken::is(std::string_view keyword) const noexcept {
  return kind != type::quoted && same_ascii(text, keyword);
}

void SqlScanner::skip_blanks_and_comments() {
  while (at_ < script_.size()) {
    const std::string_view rest = script_.substr(at_);
    if (is_blank(rest.front())) {
      ++at_;
    } else if (rest.starts_with("\xEF\xBB\xBF")) {  // SQLite takes a byte order mark as a blank anywhere
      at_ += 3;
    } else if (rest.starts_with("--")) {
      at_ = std::min(script_.find('\n', at_), script_.size());
    } else if (rest.starts_with("/*")) {
      const auto end = script_.find("*/", at_ + 2);
      at_ = end == std::string_view::npos ? script_.size() : end + 2;
    } else {
      return;
    }
  }
}

std::size_t SqlScanner::token_length() const {
  const std::string_view rest = script_.substr(at_);
  switch (rest.front()) {
    case '\'':
    case '"':
    case '`':
    case '[': return quoted_length(rest).value_or(rest.size());
    case '$':
    case ':':
    case '@':
    case '#': return parameter_length(rest);
    default: break;
  }
  const auto end = std::ranges::find_if_not(rest, is_name_character);
  return std::max<std::size_t>(1, static_cast<std::size_t>(end - rest.begin()));
}

std::optional<SqlToken> SqlScanner::next_token() {
  skip_blanks_and_comments();
  if (at_ == script_.size()) return std::nullopt;
  const std::string_view text = script_.substr(at_, token_length());
  at_ += text.size();
  if (std::string_view("'\"`[").find(text.front()) != std::string_view::npos)
    return SqlToken{SqlToken::type::quoted, text};
  return SqlToken{is_name_character(text.front()) ? SqlToken::type::word : SqlToken::type::symbol, text};
}

std::optional<SqlStatement> SqlScanner::next_statement() {
  SqlStatement statement;
  std::size_t end = 0;
  bool in_trigger = false;
  // A trigger's body ends with the tokens "; END", a CASE's END has no semicolon before it.
  bool after_semicolon = false;
  bool body_ended = false;
  while (const auto token = next_token()) {
    const bool semicolon = token->is(";");
    if (semicolon && statement.tokens.empty()) continue;
    if (semicolon && (!in_trigger || body_ended)) break;
    if (statement.tokens.empty()) statement.offset = at_ - token->text.size();
    if (statement.tokens.size() < kept_tokens) {
      statement.tokens.push_back(*token);
      in_trigger = in_trigger || starts_trigger(statement.tokens);
    }
    body_ended = after_semicolon && token->is("END");
    after_semicolon = semicolon;
    end = at_;
  }
  if (statement.tokens.empty()) return std::nullopt;
  statement.text = script_.substr(statement.offset, end - statement.offset);
  return statement;
}

bool SqlScanner::ends_in_quotes() {
  std::optional<SqlToken> last;
  while (auto token = next_token()) last = token;
  return last && last->kind == SqlToken::type::quoted && !quoted_length(last->text);
}

ScriptFacts examine(std::string_view script) {
  ScriptFacts facts;
  bool switched_off = false, deferred = false, rebuilt = false;
  std::vector<std::string> dropped;
  SqlScanner scanner(script);
  while (auto statement = scanner.next_statement()) {
    const Tokens tokens = statement->tokens;
    if (const auto pragma = pragma_of(tokens)) {
      switched_off = switched_off || switches_foreign_keys_off(*pragma);
      deferred = deferred || same_ascii(pragma->name, "defer_foreign_keys");
    } else if (auto table = dropped_table(tokens); !table.empty()) {
      dropped.push_back(std::move(table));
    } else if (const auto name = renamed_to(tokens); !name.empty()) {
      rebuilt = rebuilt || std::ranges::find(dropped, name) != dropped.end();
    } else if (controls_transaction(tokens) && !facts.transaction_control) {
      facts.transaction_control = std::move(statement);
    }
  }
  facts.foreign_keys_off = switched_off || (rebuilt && !deferred);
  return facts;
}

}  // namespace statehouse::detail
