#pragma once

#include <string_view>
#include <vector>

#include "cluster/statement_facts.hpp"
#include "engine/session.hpp"

namespace statehouse::detail {

/// Throws Error for what may not be sent to a node, before anything is: what would kill it or break its database, what
/// it cannot do, and what the present user of the session may not do. `facts` are those of `tokens`, which are all of
/// `sql`.
void check_allowed(Session& session, std::string_view sql, const std::vector<SqlToken>& tokens,
                   const StatementFacts& facts);

}  // namespace statehouse::detail
