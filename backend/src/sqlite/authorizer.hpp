#pragma once

#include "engine/session.hpp"

namespace statehouse::detail {

/// Why `action` (an authorizer action code, https://www.sqlite.org/c3ref/c_alter_table.html) is refused under
/// `granted` on a connection of that role; null when it is allowed.
const char* refusal(permission granted, connection_role role, int action, const char* first,
                    const char* second) noexcept;

}  // namespace statehouse::detail
