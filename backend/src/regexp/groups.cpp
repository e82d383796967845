#include "regexp/groups.hpp"

#include "regexp/characters.hpp"

namespace statehouse::detail {
namespace {

/// The flag of the letter that was just read.
bool& flag_of(RegexpFlags& flags, char32_t letter, const RegexpReader& in) {
  switch (letter) {
    case 'i': return flags.ignore_case;
    case 'm': return flags.multi_line;
    case 's': return flags.dot_all;
    case 'x': return flags.verbose;
    case 'R': return flags.crlf;
    case 'U': return flags.swap_greed;
    case 'u': return flags.unicode;
    default: in.fail("unknown group flag", in.position() - 1);
  }
}

}  // namespace

void RegexpGroups::open() {
  const std::size_t open = in_.position();
  in_.next();
  in_.skip_blanks();
  if (in_.eat(U"?=") || in_.eat(U"?!") || in_.eat(U"?<=") || in_.eat(U"?<!"))
    in_.fail("look-around is not supported", open);
  if (in_.eat(U"?P<") || in_.eat(U"?<"))
    read_name();
  else if (in_.eat(U"?"))
    return read_flags(open);
  push(open);
}

void RegexpGroups::close() {
  if (open_.empty()) in_.fail("unopened group");
  in_.next();
  in_.set_flags(open_.back().outer_flags);
  open_.pop_back();
  out_.close_group();
}

void RegexpGroups::finish() const {
  if (!open_.empty()) in_.fail("unclosed group", open_.back().position);
}

void RegexpGroups::push(std::size_t position) {
  open_.push_back({position, in_.flags()});
  out_.open_group();
}

void RegexpGroups::read_name() {
  const std::size_t start = in_.position();
  for (char32_t c = 0; c != '>';) {
    c = in_.take("unclosed group name");
    const bool first = in_.position() == start + 1;
    const bool fits = is_ascii_letter(c) || c == '_' || c > 0x7F ||
                      (!first && (is_ascii_digit(c) || c == '.' || c == '[' || c == ']'));
    if (!fits && (first || c != '>')) in_.fail("invalid group name", start);
  }
  if (!names_.insert(in_.since(start)).second) in_.fail("duplicate group name", start);
}

/// After `(?`: either `flags:`, which opens a group, or `flags)`, which holds until the end of the group around.
void RegexpGroups::read_flags(std::size_t open) {
  const RegexpFlags outer = in_.flags();
  RegexpFlags flags = outer;
  std::u32string seen;
  char32_t c = in_.take("unclosed group");
  for (; c != ':' && c != ')'; c = in_.take("unclosed group")) {
    if (seen.find(c) != seen.npos) in_.fail("duplicate group flag", in_.position() - 1);
    if (c != '-') flag_of(flags, c, in_) = seen.find(U'-') == seen.npos;
    seen += c;
  }
  if (seen.ends_with(U'-')) in_.fail("a group flag is missing after '-'", in_.position() - 1);
  if (!flags.unicode && flags.ignore_case) in_.fail("(?i-u) is not supported", open);
  if (c == ':')
    push(open);
  else if (seen.empty())
    in_.fail("empty group flags", open);
  // RE2 needs to know only about case: the other flags are in what is written for each atom.
  if (c == ')' || flags.ignore_case != outer.ignore_case) out_.ignore_case(flags.ignore_case);
  in_.set_flags(flags);
}

}  // namespace statehouse::detail
