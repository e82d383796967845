#include "regexp/writer.hpp"

#include <algorithm>
#include <cassert>

#include "regexp/characters.hpp"
#include "regexp/error.hpp"

namespace statehouse::detail {
namespace {

/// Rust's limit; RE2's is 1000.
constexpr std::size_t max_depth = 250;
/// RE2's limit of a repetition count, and of the product of nested ones.
constexpr std::uint32_t max_count = 1000;
/// Of the pattern with its repetitions multiplied out: room for any text of max_pattern_size, and for `\w{1,300}`. RE2
/// expands all of it before it looks at its own limit: `\w` 32,000 times takes it 4 s and 1.1 GB to refuse.
constexpr std::uint64_t max_instructions = 100'000;

}  // namespace

void RegexpWriter::spend(std::uint64_t instructions) {
  size_.instructions += instructions;
  if (size_.instructions > max_instructions)
    throw RegexpError("the pattern is too large when its repetitions and classes are written out");
}

void RegexpWriter::add(std::uint64_t elements, std::uint64_t instructions) {
  spend(instructions);
  size_.elements += elements;
}

void RegexpWriter::add_operator() {
  add(1, 1);
  size_.plain = false;
}

void RegexpWriter::atom(std::string_view re2, std::size_t extra) {
  add(1, extra + 1);
  size_.plain = false;
  atom_ = Atom{.start = text_.size(), .elements = 1, .instructions = extra + 1};
  text_ += re2;
}

void RegexpWriter::literal(char32_t c) {
  add(1, 1);
  atom_ = Atom{.start = text_.size(), .elements = 1, .instructions = 1};
  append_literal(text_, c);
}

void RegexpWriter::alternative() {
  add_operator();
  atom_.reset();
  text_ += '|';
}

void RegexpWriter::ignore_case(bool on) {
  add_operator();
  atom_.reset();
  text_ += on ? "(?i)" : "(?-i)";
}

void RegexpWriter::open_group() {
  if (groups_.size() > max_depth) throw RegexpError("groups are nested too deeply");
  groups_.push_back({.start = text_.size(), .elements = size_.elements, .instructions = size_.instructions});
  add_operator();
  atom_.reset();
  text_ += "(?:";
}

void RegexpWriter::close_group() {
  Atom group = groups_.back();
  groups_.pop_back();
  group.elements = size_.elements - group.elements;
  group.instructions = size_.instructions - group.instructions;
  ++group.depth;
  atom_ = group;
  text_ += ')';
  note(group);
}

void RegexpWriter::repeat(std::uint32_t least, std::optional<std::uint32_t> most) {
  assert(atom_.has_value());
  Atom& atom = *atom_;
  const std::uint32_t copies = std::max({std::uint32_t{1}, least, most.value_or(0)});
  add(atom.elements * (copies - 1), atom.instructions * (copies - 1));
  add_operator();
  atom.elements = atom.elements * copies + 1;
  atom.instructions = atom.instructions * copies + 1;
  std::string unit = text_.substr(atom.start);
  text_.resize(atom.start);
  if (atom.repeated) unit = "(?:" + unit + ")";  // RE2 takes a** for a mistake.
  ++atom.depth;
  atom.repeated = true;

  const std::uint32_t step = max_count / atom.count;
  if (copies <= step) {
    append_repeated(unit, least, most);
  } else {
    // A chain of what RE2 takes: x{1500,} as x{1000}x{500,}, x{0,1500} as x{0,1000}x{0,500}.
    if (most) *most -= least;
    for (; least > step; least -= step) append_repeated(unit, step, step);
    if (least > 0 || !most) append_repeated(unit, least, most ? std::optional(least) : std::nullopt);
    for (; most && *most > 0; *most -= std::min(*most, step)) append_repeated(unit, 0, std::min(*most, step));
  }
  atom.count *= std::min(copies, step);
  note(atom);
}

void RegexpWriter::append_repeated(const std::string& unit, std::uint32_t least, std::optional<std::uint32_t> most) {
  text_ += unit;
  if (!most) {
    text_ += least == 0 ? "*" : least == 1 ? "+" : "{" + std::to_string(least) + ",}";
    return;
  }
  text_ += least == 0 && *most == 1 ? "?" : "{" + std::to_string(least) + "," + std::to_string(*most) + "}";
  // RE2 would add the counts of equal neighbours, and takes quadratic time for a large x{0,n}.
  text_ += "(?:)";
}

void RegexpWriter::note(const Atom& atom) {
  if (atom.depth > max_depth) throw RegexpError("groups and repetitions are nested too deeply");
  groups_.back().count = std::max(groups_.back().count, atom.count);
  groups_.back().depth = std::max(groups_.back().depth, atom.depth);
}

}  // namespace statehouse::detail
