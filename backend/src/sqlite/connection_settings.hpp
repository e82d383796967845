#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sqlite/handle.hpp"

namespace statehouse::detail {

/// What is set on a connection: by its options when it is opened, and back to that after a user who was allowed to
/// change it.
class ConnectionSettings {
 public:
  explicit ConnectionSettings(Handle& handle) noexcept : handle_(handle) {}

  /// Hardening, REGEXP, WAL, and what the options say.
  void apply();
  /// Forgets the pages that were read, but for one.
  void empty_cache();
  /// Takes what stays with the connection as it is now for that which `put_back` goes back to. `changes`: what was done
  /// since it was opened. The PRAGMAs are many, and few connections ever have a user who may set one: they are taken by
  /// `remember_pragmas`.
  void remember(change changes);
  /// Before somebody may set one: as they are now, if they were not taken since `remember`.
  void remember_pragmas();
  /// In no transaction: all of that which `changes` may have changed is as it was remembered; false when only a new
  /// connection would be so. Throws Error.
  bool put_back(change changes);
  /// Whether the PRAGMA tells what is set, so that it can be put back.
  static bool remembers(std::string_view pragma) noexcept;

  /// The settings that a migration's script runs with, and those from before.
  void begin_script(std::optional<bool> foreign_keys) noexcept;
  void end_script() noexcept;

 private:
  void harden() noexcept;
  void require_same_file();
  void apply_options();
  void enable_wal();
  void require(const std::string& pragma, const char* expected);
  [[noreturn]] void fail(const std::string& pragma);
  std::string value_of(std::string_view pragma);
  std::vector<std::string> attached() const;
  std::string temp_schema();

  // Each puts back one thing; false when that is not possible.
  bool detach_attached();
  bool restore_pragmas();
  bool restore_journal_mode();
  bool restore_temp_schema();
  bool end_deferral();
  bool give_up() noexcept { return false; }

  struct Entry {
    change after;
    bool (ConnectionSettings::*put_back)();
  };
  static const std::array<Entry, 6> entries;

  struct ScriptSettings {
    int foreign_keys = 0;
    int defensive = 0;
    int trusted_schema = 0;
  };

  using Pragmas = std::vector<std::pair<const char*, std::string>>;

  Handle& handle_;
  Pragmas pragmas_;                              // by name, as remembered; none: not yet
  std::vector<std::string> attached_;            // names of databases, as remembered
  std::string temp_schema_;                      // as remembered
  std::optional<ScriptSettings> before_script_;  // while one runs
};

}  // namespace statehouse::detail
