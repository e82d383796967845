#pragma once

#include "statehouse/connection.hpp"

struct sqlite3;

namespace statehouse::cli {

/// The connection's own, for what its verbs do not take: VACUUM, PRAGMAs, transactions. Nothing is refused there from
/// now on. Waits for locks as the connection does.
sqlite3* native_handle(Connection& connection);

/// Runs a statement there. Throws Error, which begins with it.
void execute_natively(Connection& connection, const char* sql);

}  // namespace statehouse::cli
