#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)
namespace statehouse {

/// A database name that has passed the grammar: one to `max_segments` segments with `/` between them, at most
/// `max_size` bytes in all, each segment `[A-Za-z0-9][A-Za-z0-9._-]{0,63}` without `..` and without a trailing dot. All
/// but the last are directories: `tenants/42/state` is `tenants/42/state.db`. One `.db` suffix of the last is taken
/// off, so `mydb` and `mydb.db` are equal; `mydb.db.db`, and a segment that looks like a database's file or one of
/// SQLite's own
/// (`mydb.db/x`, `mydb.db-wal`), are not names, so that no database lies where the directory of another has to be. No
/// memory of its own: a lookup by name does not allocate.
class DatabaseName {
 public:
  /// Nothing when `text` is no name.
  static std::optional<DatabaseName> parse(std::string_view text) noexcept;
  /// Throws Error with `errc::invalid_name`; the message quotes the name, made printable.
  static DatabaseName parse_or_throw(std::string_view text);
  /// Nothing also when there is a `/` in it, which a cluster does not take.
  static std::optional<DatabaseName> parse_segment(std::string_view text) noexcept;

  /// The name without `.db`; lives as long as this.
  std::string_view view() const noexcept { return {text_.data(), size_}; }
  /// All segments but the last, `tenants/42`; empty where there is one only. Lives as long as this.
  std::string_view directory() const noexcept;
  /// The last segment. Lives as long as this.
  std::string_view leaf() const noexcept;
  /// `<name>.db`, or with the prefix before the last segment: `<prefix>_<name>.db`, `tenants/42/<prefix>_state.db`.
  std::string file_name(std::string_view prefix) const;

  static constexpr std::size_t max_size = 128;    ///< Bytes.
  static constexpr std::size_t max_segments = 8;  ///< Of them the last is the file.

 private:
  std::array<char, max_size> text_{};
  std::uint8_t size_ = 0;
};

/// A development prefix follows the grammar of names, up to 32 characters; the empty one means none. Throws Error with
/// `errc::invalid_name`.
void check_prefix(std::string_view prefix);

}  // namespace statehouse
#pragma GCC visibility pop
