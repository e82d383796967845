#pragma once

#include <optional>
#include <string>
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
  /// Takes the settings and attached databases as they are for those that `restore` goes back to.
  void remember();
  /// As if `value` had been set when the settings were remembered.
  void remember_as(std::string_view name, std::string value);
  void restore();

  /// The settings that a migration's script runs with, and those from before.
  void begin_script(std::optional<bool> foreign_keys) noexcept;
  void end_script() noexcept;

 private:
  void harden() noexcept;
  void apply_options();
  void enable_wal();
  void require(const char* query, const char* expected);
  std::vector<std::string> attached() const;

  struct ScriptSettings {
    int foreign_keys = 0;
    int defensive = 0;
    int trusted_schema = 0;
  };

  Handle& handle_;
  std::vector<std::pair<const char*, std::string>> pragmas_;  // by name, as remembered
  std::vector<std::string> attached_;                         // names of databases, as remembered
  ScriptSettings before_script_;
};

}  // namespace statehouse::detail
