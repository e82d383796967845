#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "statehouse/connection.hpp"
#include "statehouse/migration.hpp"

namespace statehouse::detail {

class Session;

/// The name of a bookkeeping table, checked: throws Error with `errc::invalid_name`.
void check_table_name(const std::string& name);

/// Migrations run in transactions of their own. Throws Error with `errc::operation_in_progress`.
void require_no_transaction(const Session& session);

/// What the database says of one version.
struct AppliedMigration {
  std::int64_t version = 0;
  std::string description;
  bool dirty = false;
  std::vector<std::byte> checksum;
};

/// When and how long; of interest to people only.
struct AppliedTime {
  std::int64_t version = 0;
  std::string installed_on;
  std::int64_t execution_time = -1;  ///< Nanoseconds; -1 is unknown, 0 is ours for a script without a statement.
};

/// sqlx's table of applied migrations: the same definition to the byte, the same values.
class Bookkeeping {
 public:
  /// `table` has passed check_table_name.
  Bookkeeping(Connection& connection, std::string table) : connection_(connection), table_(std::move(table)) {}

  /// Throws MigrationError when it is no table.
  bool exists() const;
  void create() const;
  /// By ascending version; none when there is no table. Throws MigrationError when the table is another one's, or so
  /// large that it cannot be ours.
  std::vector<AppliedMigration> read() const;
  /// The same versions' times.
  std::vector<AppliedTime> read_times() const;
  /// Differs from an earlier answer when another connection has committed in between.
  std::int64_t data_version() const;

  /// Records success, with an execution time of -1.
  void insert(const Migration& migration) const;
  void set_execution_time(std::int64_t version, std::int64_t nanoseconds) const;
  /// The migration's checksum and description, and success.
  void update(const Migration& migration) const;
  void remove(std::int64_t version) const;

  const std::string& table() const noexcept { return table_; }

 private:
  template <class Row>
  std::vector<Row> read_rows(std::string_view select) const;
  std::string sql(std::string_view before, std::string_view after) const;
  [[noreturn]] void fail(const std::string& why, const boost::system::error_code& cause = {}) const;

  Connection& connection_;
  std::string table_;
};

}  // namespace statehouse::detail
