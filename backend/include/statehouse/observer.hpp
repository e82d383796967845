#pragma once

#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <source_location>
#include <string>
#include <string_view>

#include "statehouse/operation_verb.hpp"
#include "statehouse/options.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

/// One operation of a pool: a verb that was called on a Pool, a Transaction or a lease, or one that a pool has called
/// by itself. What runs inside a closure is no operation of its own. Valid for as long as the call that it is given to.
///
/// The names in brackets are those of OpenTelemetry's conventions for database calls.
struct OperationInfo {
  std::string_view database;   ///< Logical name [db.namespace].
  connection_role connection;  ///< What it needs. In `pool_mode::single` everything needs the writer.
  operation_verb verb;         ///< What was called.
  /// The text of its statement, whose values are bound and not in it, unless the caller has written them there
  /// [db.query.text]. Empty for a closure, and for what is not a statement.
  std::string_view sql;
  std::source_location where;  ///< Of the call.
  void* data = nullptr;        ///< The observer's: what `started` leaves here `finished` finds.
};

/// How an operation has ended.
struct OperationOutcome {
  std::chrono::nanoseconds waited;  ///< For a connection.
  std::chrono::nanoseconds ran;     ///< Once it was there; 0 for what never ran.
  /// So many operations have shared one commit, this one among them; 1 for one by itself [db.operation.batch.size].
  std::size_t batch_size;
  /// Of the error; none where there is none or the caller's own exception is it. SQLite's extended result code where it
  /// is SQLite's [db.response.status_code].
  boost::system::error_code code;
  /// `name_of(code)`, "exception" for what a closure threw, empty where all is well [error.type].
  std::string_view error;
};

/// Is told of each operation when it begins and when it has ended, to make spans of them for instance; what is logged
/// is not changed by it. Derive from it and give it to AppStateOptions.
///
/// Thread-safety: the functions are called by several threads at once, but under no lock of the library. Each
/// `finished` comes after the `started` of that operation, and each `started` has one `finished`, refused operations
/// included. Errors: none may be thrown. They keep waiting whom they are about, so they are not to block, and they must
/// not use the databases. Lifetime: kept as long as a Pool, Transaction or lease is.
class Observer {
 public:
  Observer() = default;
  virtual ~Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  /// The operation was called: on the caller's thread, before anything else happens to it. `operation.data` is null.
  virtual void started(OperationInfo& operation) noexcept = 0;
  /// It has ended, on whatever thread; its caller does not know yet.
  virtual void finished(const OperationInfo& operation, const OperationOutcome& outcome) noexcept = 0;
};

/// What a statement does, for the name of a span [db.query.summary]: its kind and the tables that it names, "SELECT
/// orders customers". No value is in it, and not more than 255 bytes. Empty for a text that does not begin as a
/// statement does. Reads all of the text; any thread.
std::string query_summary(std::string_view sql);

}  // namespace statehouse
#pragma GCC visibility pop
