#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "statehouse/observer.hpp"
#include "text/ascii.hpp"
#include "text/sql_scanner.hpp"

namespace statehouse {
namespace {

using detail::SqlToken;

constexpr std::size_t longest_summary = 255;  // as the convention says

constexpr std::array<std::string_view, 3> of_schema{"CREATE", "ALTER", "DROP"};
constexpr std::array<std::string_view, 4> kinds_of_object{"TABLE", "INDEX", "VIEW", "TRIGGER"};
/// What is told without anything that follows: values, or names that say little.
constexpr std::array<std::string_view, 12> bare_kinds{"ANALYZE",  "ATTACH",    "BEGIN",   "COMMIT",
                                                      "DETACH",   "END",       "REINDEX", "RELEASE",
                                                      "ROLLBACK", "SAVEPOINT", "VACUUM",  "VALUES"};
constexpr std::array<std::string_view, 5> query_kinds{"SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE"};
/// A comma behind these separates something else than tables.
constexpr std::array<std::string_view, 12> after_tables{"WHERE", "GROUP",     "HAVING", "WINDOW", "ORDER", "LIMIT",
                                                        "SET",   "RETURNING", "SELECT", "VALUES", "UNION", "DO"};
/// May stand between a word and the name that it is about.
constexpr std::array<std::string_view, 9> before_name{"IF",   "NOT",    "EXISTS",  "OR",      "ABORT",
                                                      "FAIL", "IGNORE", "REPLACE", "ROLLBACK"};

/// Takes the kinds of statements and the names of tables out of a text, from places where no value can stand.
class Summary {
 public:
  explicit Summary(std::string_view sql) {
    detail::SqlScanner scanner(sql);
    while (const auto token = scanner.next_piece())
      if (token->kind != SqlToken::type::comment) tokens_.push_back(*token);
  }

  std::string take() {
    while (is(at_, "EXPLAIN") || is(at_, "QUERY") || is(at_, "PLAN")) ++at_;
    if (at_ > 0) add("EXPLAIN");
    if (is_one_of(at_, of_schema)) {
      add_kind();
      while (at_ < tokens_.size() && !is_one_of(at_, kinds_of_object)) ++at_;
      add_kind();
      add_name();
    } else if (is(at_, "PRAGMA")) {
      add_kind();
      add_name();
    } else if (is_one_of(at_, bare_kinds)) {
      add_kind();
    } else if (is_one_of(at_, query_kinds) || is(at_, "WITH")) {
      while (at_ < tokens_.size()) add_part();
    }
    return std::move(text_);
  }

 private:
  bool is(std::size_t at, std::string_view word) const { return at < tokens_.size() && tokens_[at].is(word); }
  template <std::size_t N>
  bool is_one_of(std::size_t at, const std::array<std::string_view, N>& words) const {
    return std::ranges::any_of(words, [&](std::string_view word) { return is(at, word); });
  }
  /// In single quotes it would be one as well, but looks like a value.
  bool is_name(std::size_t at) const {
    if (at >= tokens_.size()) return false;
    const SqlToken& token = tokens_[at];
    if (token.kind == SqlToken::type::quoted) return token.text.front() != '\'';
    return token.kind == SqlToken::type::word && !detail::is_digit(token.text.front());
  }

  /// A kind that begins a statement inside of this one, or this one; else a part of ON CONFLICT, or a function.
  bool begins_query() const {
    if (is(at_, "REPLACE")) return is(at_ + 1, "INTO") && (at_ == 0 || !is(at_ - 1, "OR"));
    return is_one_of(at_, query_kinds) && !is(at_ + 1, "SET");
  }

  void add_part() {
    if (is(at_, "(")) ++depth_;
    if (is(at_, ")") && --depth_ < list_depth_) list_depth_ = none;
    if (is_one_of(at_, after_tables)) list_depth_ = none;
    const bool lists = is(at_, "JOIN") || (is(at_, "FROM") && (at_ == 0 || !is(at_ - 1, "DISTINCT")));
    if (lists) list_depth_ = depth_;
    if (lists || is(at_, "INTO") || (is(at_, ",") && depth_ == list_depth_)) {
      ++at_;
      add_name();
    } else if (begins_query()) {
      const bool updates = is(at_, "UPDATE");
      add_kind();
      if (updates) add_name();
    } else {
      ++at_;
    }
  }

  void add_kind() {
    if (at_ >= tokens_.size()) return;
    std::string word(tokens_[at_++].text);
    for (char& c : word)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    add(word);
  }
  /// With its schema, if it is given.
  void add_name() {
    while (is_one_of(at_, before_name)) ++at_;
    if (!is_name(at_)) return;
    std::string name = tokens_[at_++].name();
    if (is(at_, ".") && is_name(at_ + 1)) {
      name += '.' + tokens_[at_ + 1].name();
      at_ += 2;
    }
    add(name);
  }
  void add(std::string_view word) {
    const std::size_t separator = text_.empty() ? 0 : 1;
    full_ = full_ || text_.size() + separator + word.size() > longest_summary;
    if (full_) return;
    text_.append(separator, ' ').append(word);
  }

  static constexpr int none = std::numeric_limits<int>::min();

  std::vector<SqlToken> tokens_;
  std::size_t at_ = 0;
  std::string text_;
  int depth_ = 0;
  int list_depth_ = none;  // of the parentheses around the tables that commas separate
  bool full_ = false;
};

}  // namespace

std::string query_summary(std::string_view sql) {
  return Summary(sql).take();
}

}  // namespace statehouse
