#include "query_file.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "setting_line.hpp"

namespace statehouse::queries {
namespace {

constexpr std::array<std::pair<std::string_view, query_kind>, 5> kinds{{{"one", query_kind::one},
                                                                        {"optional", query_kind::optional},
                                                                        {"many", query_kind::many},
                                                                        {"execute", query_kind::execute},
                                                                        {"returning", query_kind::returning}}};

std::optional<NameLine> name_line(std::string_view comment) {
  const auto line = setting_line(comment);
  if (!line || line->key != "name") return std::nullopt;
  const std::size_t blank = std::min(line->value.find_first_of(" \t"), line->value.size());
  return NameLine{line->value.substr(0, blank), trimmed(line->value.substr(blank))};
}

}  // namespace

std::string_view name_of(query_kind kind) {
  return std::ranges::find(kinds, kind, [](const auto& one) { return one.second; })->first;
}

std::string Query::in_one_line() const {
  std::string text;
  std::size_t end = 0;
  for (const SqlToken& token : tokens) {
    if (end != 0 && token.offset != end) text += ' ';
    text += token.text;
    end = token.offset + token.text.size();
  }
  return text;
}

QueryFile::QueryFile(std::string path, std::string text, Diagnostics& found)
    : path_(std::move(path)), text_(std::move(text)) {
  if (const std::size_t nul = text_.find('\0'); nul != std::string::npos) {
    found.push_back(at(nul, "there is a NUL character: SQL is text"));
    return;
  }
  const std::size_t bom = text_.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  for (SqlToken token : tokens_of(std::string_view(text_).substr(bom))) {
    token.offset += bom;
    read(token, found);
  }
  for (Query& query : queries_) finish_query(query, found);
  if (queries_.empty() && found.empty())
    found.push_back(at(text_.size(), "there is no query: each begins with a line like -- name: get_block :optional"));
}

Diagnostic QueryFile::at(std::size_t offset, std::string message, severity weight) const {
  const std::string_view before = std::string_view(text_).substr(0, offset);
  const std::size_t line = static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1;
  const std::size_t begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return {weight, path_, line, before.size() - begin + 1, std::move(message)};
}

bool QueryFile::begins_line(const SqlToken& token) const {
  const std::size_t last = std::string_view(text_).substr(0, token.offset).find_last_not_of(" \t\xEF\xBB\xBF");
  return last == std::string::npos || text_[last] == '\n';
}

void QueryFile::read(const SqlToken& token, Diagnostics& found) {
  const bool directive = token.kind == token_kind::line_comment && begins_line(token);
  if (const auto line = directive ? name_line(token.text) : std::nullopt) return begin_query(token, *line, found);
  if (!queries_.empty()) {
    Query& query = queries_.back();
    if (!token.is_comment()) {
      query.tokens.push_back(token);
    } else if (query.tokens.empty() && token.kind == token_kind::line_comment) {
      query.remarks.emplace_back(trimmed(token.text.substr(2)));
    }
  } else if (directive) {
    take_setting(token, found);
  } else if (!token.is_comment() && !told_of_nameless_) {
    found.push_back(at(token.offset,
                       "a statement without a name: before it comes a line like -- name: get_block "
                       ":optional"));
    told_of_nameless_ = true;
  }
}

void QueryFile::begin_query(const SqlToken& comment, const NameLine& line, Diagnostics& found) {
  Query query;
  query.name = line.name;
  query.name_offset = static_cast<std::size_t>(line.name.data() - text_.data());
  const auto kind = std::ranges::find_if(
      kinds, [&](const auto& one) { return line.kind.starts_with(':') && line.kind.substr(1) == one.first; });
  if (kind == kinds.end()) {
    found.push_back(at(comment.offset,
                       "a query is called -- name: NAME :KIND, with one of the kinds :one, :optional, "
                       ":many, :execute and :returning"));
  } else {
    query.kind = kind->second;
  }
  queries_.push_back(std::move(query));
}

void QueryFile::take_setting(const SqlToken& comment, Diagnostics& found) {
  if (const std::string problem = read_setting(comment.text, settings_); !problem.empty())
    found.push_back(at(comment.offset, problem));
}

void QueryFile::finish_query(Query& query, Diagnostics& found) const {
  while (!query.tokens.empty() && query.tokens.back().is(";")) query.tokens.pop_back();
  if (query.tokens.empty()) {
    found.push_back(at(query.name_offset, "no statement follows the name '" + query.name + '\''));
    return;
  }
  const SqlToken& last = query.tokens.back();
  query.offset = query.tokens.front().offset;
  query.sql = std::string_view(text_).substr(query.offset, last.offset + last.text.size() - query.offset);
}

}  // namespace statehouse::queries
