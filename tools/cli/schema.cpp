#include "schema.hpp"

#include <algorithm>
#include <cctype>

namespace statehouse::cli {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

/// Whether a name may stand without quotes. Keywords are taken for names: quotes are all that is lost.
bool is_plain(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, is_word) && std::isdigit(static_cast<unsigned char>(name[0])) == 0;
}

std::string lower(std::string_view text) {
  std::string result;
  for (const char c : text) result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

/// Takes the next token; empty at the end, and for comments and blanks.
class Tokens {
 public:
  explicit Tokens(std::string_view sql) : rest_(sql) {}
  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  std::string take() {
    const char first = rest_.front();
    if (std::isspace(static_cast<unsigned char>(first)) != 0) return pass(1);
    if (rest_.starts_with("--")) return pass(std::min(rest_.find('\n'), rest_.size()));
    if (rest_.starts_with("/*")) return pass(std::min(rest_.find("*/", 2), rest_.size() - 2) + 2);
    if (first == '\'') return std::string(cut(quoted('\'')));
    if (first == '"' || first == '`' || first == '[') return name(quoted(first == '[' ? ']' : first));
    std::size_t length = 1;
    if (is_word(first))
      while (length < rest_.size() && is_word(rest_[length])) ++length;
    return lower(cut(length));
  }

 private:
  std::string_view cut(std::size_t length) {
    const auto part = rest_.substr(0, length);
    rest_.remove_prefix(part.size());
    return part;
  }
  std::string pass(std::size_t length) {
    cut(length);
    return {};
  }
  /// Its length; a quote that is there twice does not end it.
  std::size_t quoted(char end) const {
    std::size_t i = 1;
    for (; i < rest_.size(); ++i) {
      if (rest_[i] != end) continue;
      if (end == ']' || i + 1 >= rest_.size() || rest_[i + 1] != end) break;
      ++i;
    }
    return i + 1;
  }
  std::string name(std::size_t length) {
    const std::string_view text = cut(length);
    const std::string_view inner = text.size() < 2 ? text : text.substr(1, text.size() - 2);
    return is_plain(inner) ? lower(inner) : std::string(text);
  }

  std::string_view rest_;
};

std::string called(const SchemaObject& object) {
  return object.type + " '" + object.name + '\'';
}

bool same_object(const SchemaObject& one, const SchemaObject& other) {
  return one.type == other.type && lower(one.name) == lower(other.name);
}

}  // namespace

std::vector<SchemaObject> schema_of(Connection& connection, std::string_view bookkeeping) {
  return connection.query_all<SchemaObject>(
      "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE "
      "'\\' AND tbl_name <> ? COLLATE NOCASE AND tbl_name NOT IN (SELECT name FROM pragma_table_list WHERE schema = "
      "'main' AND type = 'shadow') ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 WHEN 'view' THEN 2 ELSE "
      "3 "
      "END, name",
      bookkeeping);
}

std::string normalized(std::string_view sql) {
  std::string text;
  for (Tokens tokens(sql); !tokens.at_end();)
    if (const std::string token = tokens.take(); !token.empty()) text += (text.empty() ? "" : " ") + token;
  return text;
}

std::string terminated(std::string_view sql) {
  std::string_view last;
  for (Tokens tokens(sql); !tokens.at_end(); tokens.take()) last = tokens.rest();
  const bool is_open = last.starts_with("/*") && (last.size() < 4 || !last.ends_with("*/"));
  return std::string(sql) + (is_open ? "*/;" : last.starts_with("--") ? "\n;" : ";");
}

std::vector<std::string> differences(const std::vector<SchemaObject>& wanted, const std::vector<SchemaObject>& other) {
  const auto find = [](const std::vector<SchemaObject>& objects, const SchemaObject& one) {
    return std::ranges::find_if(objects, [&](const SchemaObject& object) { return same_object(object, one); });
  };
  std::vector<std::string> phrases;
  for (const SchemaObject& object : wanted) {
    const auto found = find(other, object);
    if (found == other.end()) {
      phrases.push_back(called(object) + " is missing");
    } else if (normalized(found->sql) != normalized(object.sql)) {
      phrases.push_back(called(object) + " is another: " + found->sql + " in place of " + object.sql);
    }
  }
  for (const SchemaObject& object : other)
    if (find(wanted, object) == wanted.end()) phrases.push_back(called(object) + " is there, and should not be");
  return phrases;
}

}  // namespace statehouse::cli
