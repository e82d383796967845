#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)
namespace statehouse {

/// A database name that has passed the grammar `[A-Za-z0-9][A-Za-z0-9._-]{0,63}` without `..` and without a trailing
/// dot. One `.db` suffix is taken off, so `mydb` and `mydb.db` are equal; `mydb.db.db` and what looks like SQLite's own
/// files (`mydb.db-wal`) are not names. No memory of its own: a lookup by name does not allocate.
class DatabaseName {
 public:
  /// Nothing when `text` is no name.
  static std::optional<DatabaseName> parse(std::string_view text) noexcept;
  /// Throws Error with `errc::invalid_name`; the message quotes the name, made printable.
  static DatabaseName parse_or_throw(std::string_view text);

  /// The name without `.db`; lives as long as this.
  std::string_view view() const noexcept { return {text_.data(), size_}; }
  /// `<name>.db`, or `<prefix>_<name>.db`.
  std::string file_name(std::string_view prefix) const;

 private:
  static constexpr std::size_t max_size_ = 64;
  std::array<char, max_size_> text_{};
  std::uint8_t size_ = 0;
};

/// A development prefix follows the grammar of names, up to 32 characters; the empty one means none. Throws Error with
/// `errc::invalid_name`.
void check_prefix(std::string_view prefix);

}  // namespace statehouse
#pragma GCC visibility pop
