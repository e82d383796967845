#pragma once

#include "engine/session.hpp"

namespace statehouse::detail {

/// What a user may change that stays with the connection when he is gone.
enum class change : unsigned char {
  none = 0,
  settings = 1U << 0,     ///< PRAGMAs that can be asked, attached databases.
  temp_schema = 1U << 1,  ///< Tables, views and triggers of the connection alone.
  deferral = 1U << 2,     ///< Of foreign keys to the next COMMIT.
  unknown = 1U << 3       ///< What SQLite does not tell: functions, collations, hooks, some PRAGMAs.
};
constexpr change operator|(change a, change b) noexcept {
  return static_cast<change>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool has(change changes, change one) noexcept {
  return (static_cast<unsigned>(changes) & static_cast<unsigned>(one)) != 0;
}

/// What a statement that is allowed `action` on `schema` may change, but for what `restore_settings` undoes anyhow.
change change_of(permission granted, int action, const char* first, const char* second, const char* schema) noexcept;

/// Why `action` (an authorizer action code, https://www.sqlite.org/c3ref/c_alter_table.html) is refused under
/// `granted` on a connection that may checkpoint or not; null when it is allowed.
const char* refusal(permission granted, bool may_checkpoint, int action, const char* first,
                    const char* second) noexcept;

}  // namespace statehouse::detail
