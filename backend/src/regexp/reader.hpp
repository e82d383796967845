#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace statehouse::detail {

/// What groups such as `(?i)` switch.
struct RegexpFlags {
  bool ignore_case = false, multi_line = false, dot_all = false, verbose = false, crlf = false, swap_greed = false,
       unicode = true;
};

/// Reads a pattern, character by character, under the flags in force there.
class RegexpReader {
 public:
  /// `pattern` is valid UTF-8.
  explicit RegexpReader(std::string_view pattern);

  bool at_end() const noexcept { return position_ == pattern_.size(); }
  /// NUL at the end: compare it with something else only.
  char32_t peek() const noexcept { return at_end() ? U'\0' : pattern_[position_]; }
  /// Not at the end.
  char32_t next() noexcept { return pattern_[position_++]; }
  /// At the end, throws RegexpError with `missing`.
  char32_t take(const char* missing);
  /// Whether `expected` came next; if not, nothing is read.
  bool eat(std::u32string_view expected);
  /// White space and comments, where the flags take their meaning from them.
  void skip_blanks();

  std::size_t position() const noexcept { return position_; }
  void go_back(std::size_t position) noexcept { position_ = position; }
  std::u32string since(std::size_t start) const { return pattern_.substr(start, position_ - start); }

  const RegexpFlags& flags() const noexcept { return flags_; }
  void set_flags(const RegexpFlags& flags) noexcept { flags_ = flags; }
  void require_unicode(const char* what) const;

  /// Throws RegexpError that says where.
  [[noreturn]] void fail(const std::string& reason, std::size_t position) const;
  [[noreturn]] void fail(const std::string& reason) const { fail(reason, position_); }

 private:
  const std::u32string pattern_;
  std::size_t position_ = 0;
  RegexpFlags flags_;
};

}  // namespace statehouse::detail
