#include "sql_tokens.hpp"

#include <algorithm>

namespace statehouse::queries {
namespace {

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

/// As SQLite has it: '$' goes on in a word, but begins none.
bool goes_on(char c) {
  return is_letter(c) || is_digit(c) || c == '$';
}

std::size_t length_of_word(std::string_view rest, std::size_t from) {
  while (from < rest.size() && goes_on(rest[from])) ++from;
  return from;
}

/// Without an end it goes to the end of all. A quote that is there twice ends one and begins the next, which is the
/// same here: nothing is between them.
std::size_t length_of_quoted(std::string_view rest, char end) {
  const std::size_t last = rest.find(end, 1);
  return last == std::string_view::npos ? rest.size() : last + 1;
}

std::size_t length_of_number(std::string_view rest) {
  std::size_t i = 1;
  for (; i < rest.size(); ++i) {
    const bool exponent = (rest[i] == '+' || rest[i] == '-') && (rest[i - 1] == 'e' || rest[i - 1] == 'E') &&
                          !rest.starts_with("0x") && !rest.starts_with("0X");
    if (!goes_on(rest[i]) && rest[i] != '.' && !exponent) break;
  }
  return i;
}

SqlToken first_of(std::string_view rest) {
  const char first = rest.front();
  const auto token = [&](token_kind kind, std::size_t length) { return SqlToken{kind, rest.substr(0, length), 0}; };
  if (rest.starts_with("--")) return token(token_kind::line_comment, std::min(rest.find('\n'), rest.size()));
  if (rest.starts_with("/*")) {
    const std::size_t end = rest.find("*/", 2);
    return token(token_kind::block_comment, end == std::string_view::npos ? rest.size() : end + 2);
  }
  if (first == '\'') return token(token_kind::text, length_of_quoted(rest, '\''));
  if (first == '"' || first == '`') return token(token_kind::name, length_of_quoted(rest, first));
  if (first == '[') return token(token_kind::name, length_of_quoted(rest, ']'));
  const bool letter_follows = rest.size() > 1 && goes_on(rest[1]);
  if ((first == 'x' || first == 'X') && rest.size() > 1 && rest[1] == '\'')
    return token(token_kind::text, 1 + length_of_quoted(rest.substr(1), '\''));
  if (is_letter(first)) return token(token_kind::word, length_of_word(rest, 1));
  if (is_digit(first) || (first == '.' && rest.size() > 1 && is_digit(rest[1])))
    return token(token_kind::number, length_of_number(rest));
  if (first == '?' || ((first == ':' || first == '@' || first == '$' || first == '#') && letter_follows))
    return token(token_kind::variable, length_of_word(rest, 1));
  return token(token_kind::symbol, 1);
}

}  // namespace

bool SqlToken::is(std::string_view wanted) const {
  return (kind == token_kind::word || kind == token_kind::symbol) && lower(text) == wanted;
}

std::vector<SqlToken> tokens_of(std::string_view text) {
  std::vector<SqlToken> tokens;
  for (std::size_t at = 0; at < text.size();) {
    if (is_blank(text[at])) {
      ++at;
      continue;
    }
    SqlToken token = first_of(text.substr(at));
    token.offset = at;
    at += token.text.size();
    if (token.kind == token_kind::line_comment && token.text.ends_with('\r')) token.text.remove_suffix(1);
    tokens.push_back(token);
  }
  return tokens;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

bool is_identifier(std::string_view text) {
  return !text.empty() && is_letter(text[0]) &&
         std::ranges::all_of(text, [](char c) { return (is_letter(c) || is_digit(c)) && (c & 0x80) == 0; });
}

}  // namespace statehouse::queries
