#include "migrate/source/other_tools.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "text/ascii.hpp"
#include "text/sql_scanner.hpp"

namespace statehouse::detail {
namespace {

enum class part {
  up,
  down,
  whole,  ///< Only the tool can tell what of the file is run.
  other,  ///< Says nothing about direction.
};

struct Marker {
  std::string_view tool;
  part begins;
};

struct Form {
  std::string_view text;
  Marker marker;
};

// What a comment begins with, in lower case and with single blanks; a blank or the end follows.
constexpr std::array forms{
    Form{"+goose up", {"goose", part::up}},
    Form{"+goose down", {"goose", part::down}},
    Form{"+goose", {"goose", part::other}},
    Form{"+migrate up", {"sql-migrate", part::up}},
    Form{"+migrate down", {"sql-migrate", part::down}},
    Form{"+migrate", {"sql-migrate", part::other}},
    Form{"migrate:up", {"dbmate", part::up}},
    Form{"migrate:down", {"dbmate", part::down}},
    Form{"rambler up", {"rambler", part::up}},
    Form{"rambler down", {"rambler", part::down}},
    Form{"//@undo", {"MyBatis Migrations", part::down}},
    Form{"// @undo", {"MyBatis Migrations", part::down}},
    Form{"@undo", {"MyBatis Migrations", part::down}},
    Form{"create above / drop below", {"tern", part::down}},
    Form{"liquibase formatted sql", {"Liquibase", part::whole}},
};

// Tools that divide a file by these words alone, with or without decoration: '-- Up' of sqlite for Node, '-- Up
// Migration' of node-pg-migrate, '-- ==== UP ====' of shmig, '-- !Ups' of Play. One of them may be a remark of a
// person, so the other direction counts only where both are named.
constexpr std::string_view by_words = "a tool that keeps both directions in one file";
constexpr std::array<std::string_view, 5> words_up{"up", "ups", "up migration", "migration up", "migrate up"};
constexpr std::array<std::string_view, 8> words_down{"down",         "downs", "down migration", "migration down",
                                                     "migrate down", "undo",  "revert",         "rollback"};

/// Lower case, single blanks, nothing at the ends.
std::string plain(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (blank && (result.empty() || result.back() == ' ')) continue;
    result += blank ? ' ' : ascii_lower(c);
  }
  if (result.ends_with(' ')) result.pop_back();
  return result;
}

std::string_view without_decoration(std::string_view text) {
  constexpr std::string_view decoration = " -=*#!+~_<>:.";
  const auto begin = text.find_first_not_of(decoration);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(decoration) - begin + 1);
}

bool is_changeset(std::string_view text) {
  constexpr std::string_view word = "changeset ";
  if (!text.starts_with(word)) return false;
  text = text.substr(word.size(), text.find(' ', word.size()) - word.size());
  const auto colon = text.find(':');
  return colon != std::string_view::npos && colon > 0 && colon + 1 < text.size();
}

/// `comment` begins with two hyphens.
std::optional<Marker> marker_in(std::string_view comment) {
  const std::string text = plain(comment.substr(std::min(comment.find_first_not_of('-'), comment.size())));
  for (const Form& form : forms) {
    if (!text.starts_with(form.text)) continue;
    if (text.size() == form.text.size() || text[form.text.size()] == ' ') return form.marker;
  }
  if (is_changeset(text)) return Marker{"Liquibase", part::whole};
  const std::string_view words = without_decoration(text);
  if (std::ranges::find(words_up, words) != words_up.end()) return Marker{by_words, part::up};
  if (std::ranges::find(words_down, words) != words_down.end()) return Marker{by_words, part::down};
  return std::nullopt;
}

/// Whether nothing but blanks stands before it in its line.
bool begins_line(std::string_view script, std::string_view comment) {
  const auto before = script.substr(0, static_cast<std::size_t>(comment.data() - script.data()));
  const auto last = before.find_last_not_of(" \t\r\xEF\xBB\xBF");
  return last == std::string_view::npos || before[last] == '\n';
}

}  // namespace

ForeignFormat find_foreign_format(std::string_view script, migration_kind kind) {
  const part ours = kind == migration_kind::down ? part::down : part::up;
  ForeignFormat found;
  part now = ours;
  bool ours_by_words = false;
  SqlScanner scanner(script);
  while (const auto piece = scanner.next_piece()) {
    if (piece->kind != SqlToken::type::comment) {
      if (now == ours || piece->is(";")) continue;
      found.runs_too_much = true;
      break;
    }
    const bool may_tell = now != part::whole && piece->text.starts_with("--") && begins_line(script, piece->text);
    const auto marker = may_tell ? marker_in(piece->text) : std::nullopt;
    if (!marker) continue;
    const bool words = marker->tool == by_words;
    ours_by_words = ours_by_words || (words && marker->begins == ours);
    if (words && !ours_by_words) continue;
    if (marker->begins != part::other) now = marker->begins;
    if (now != ours || (found.tool.empty() && !words)) found = {std::string(marker->tool), piece->text, false};
  }
  return found;
}

}  // namespace statehouse::detail
