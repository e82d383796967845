#include "text/sql_scanner.hpp"

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

bool starts_with(Tokens tokens, std::initializer_list<std::string_view> words) {
  return std::ranges::equal(tokens.first(std::min(tokens.size(), words.size())), words,
                            [](const SqlToken& token, std::string_view word) { return token.is(word); });
}

Tokens after(Tokens tokens, std::initializer_list<std::string_view> words) {
  return starts_with(tokens, words) ? tokens.subspan(words.size()) : tokens;
}

/// Follows a statement to the semicolon that ends it.
class StatementEnd {
 public:
  /// Whether `token`, the next one, is that. `begin` are the statement's first tokens before it.
  bool is_at(const SqlToken& token, Tokens begin) {
    if (form_ == form::plain && begin.size() < kept_tokens) form_ = form_of(begin);
    const bool semicolon = token.is(";");
    const bool ends = semicolon && (form_ != form::trigger || body_ended_) && depth_ == 0;
    body_ended_ = after_semicolon_ && token.is("END");
    after_semicolon_ = semicolon;
    if (form_ == form::virtual_table && token.is("(")) ++depth_;
    if (depth_ > 0 && token.is(")")) --depth_;
    return ends;
  }

 private:
  enum class form { plain, trigger, virtual_table };

  static form form_of(Tokens tokens) {
    tokens = after(after(tokens, {"EXPLAIN"}), {"QUERY", "PLAN"});
    if (!starts_with(tokens, {"CREATE"})) return form::plain;
    if (starts_with(tokens, {"CREATE", "VIRTUAL", "TABLE"})) return form::virtual_table;
    tokens = after(after(tokens.subspan(1), {"TEMP"}), {"TEMPORARY"});
    return starts_with(tokens, {"TRIGGER"}) ? form::trigger : form::plain;
  }

  form form_ = form::plain;
  // A trigger's body ends with the tokens "; END", a CASE's END has no semicolon before it.
  bool after_semicolon_ = false;
  bool body_ended_ = false;
  // Of the parentheses around a virtual table's arguments, which may be any tokens.
  std::size_t depth_ = 0;
};

}  // namespace

bool SqlToken::is(std::string_view keyword) const noexcept {
  return kind != type::quoted && same_ascii(text, keyword);
}

std::string SqlToken::name() const {
  if (kind != type::quoted || text.size() < 2) return std::string(text);
  const char close = text.front() == '[' ? ']' : text.front();
  const std::string_view quoted = text.substr(1, text.size() - 2);
  std::string name;
  for (std::size_t i = 0; i < quoted.size(); ++i) {
    name += quoted[i];
    if (quoted[i] == close && i + 1 < quoted.size() && quoted[i + 1] == close) ++i;
  }
  return name;
}

void SqlScanner::skip_blanks() {
  while (at_ < script_.size()) {
    const std::string_view rest = script_.substr(at_);
    if (is_blank(rest.front())) {
      ++at_;
    } else if (rest.starts_with("\xEF\xBB\xBF")) {  // SQLite takes a byte order mark as a blank anywhere
      at_ += 3;
    } else {
      return;
    }
  }
}

/// 0 where none begins.
std::size_t SqlScanner::comment_length() const {
  const std::string_view rest = script_.substr(at_);
  if (rest.starts_with("--")) return std::min(rest.find('\n'), rest.size());
  if (!rest.starts_with("/*")) return 0;
  const auto end = rest.find("*/", 2);
  return end == std::string_view::npos ? rest.size() : end + 2;
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

std::optional<SqlToken> SqlScanner::next_piece() {
  skip_blanks();
  if (at_ == script_.size()) return std::nullopt;
  const std::size_t comment = comment_length();
  const std::string_view text = script_.substr(at_, comment > 0 ? comment : token_length());
  at_ += text.size();
  if (comment > 0) return SqlToken{SqlToken::type::comment, text};
  if (std::string_view("'\"`[").find(text.front()) != std::string_view::npos)
    return SqlToken{SqlToken::type::quoted, text};
  return SqlToken{is_name_character(text.front()) ? SqlToken::type::word : SqlToken::type::symbol, text};
}

std::optional<SqlToken> SqlScanner::next_token() {
  auto piece = next_piece();
  while (piece && piece->kind == SqlToken::type::comment) piece = next_piece();
  return piece;
}

std::optional<SqlStatement> SqlScanner::next_statement() {
  SqlStatement statement;
  std::size_t end = 0;
  StatementEnd here;
  while (const auto token = next_token()) {
    if (token->is(";") && statement.tokens.empty()) continue;
    if (here.is_at(*token, statement.tokens)) break;
    if (statement.tokens.empty()) statement.offset = at_ - token->text.size();
    if (statement.tokens.size() < kept_tokens) statement.tokens.push_back(*token);
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

}  // namespace statehouse::detail
