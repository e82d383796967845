#include "migrate/run/repair.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <set>
#include <string>

#include "engine/connection_access.hpp"
#include "engine/scopes.hpp"
#include "migrate/run/bookkeeping.hpp"
#include "migrate/source/checksum.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::detail {
namespace {

[[noreturn]] void fail(Connection& connection, errc code, std::int64_t version, const std::string& message) {
  throw MigrationError(code, "migration " + std::to_string(version) + " " + message, {.version = version},
                       {session_of(connection).database(), {}});
}

RecordedMigration recorded(const AppliedMigration& applied) {
  return {applied.description, to_hex(std::span(applied.checksum)), !applied.dirty};
}

RecordedMigration as_recorded(const Migration& migration) {
  return {migration.description, to_hex(migration.checksum), true};
}

/// Plans again under the write lock, writes each row, commits.
template <class Plan, class Write>
std::vector<BookkeepingChange> carry_out(Connection& connection, Plan&& plan, Write&& write) {
  Session& session = session_of(connection);
  require_no_transaction(session);
  TransactionScope transaction(session, transaction_kind::immediate);
  std::vector<BookkeepingChange> changes = plan();
  for (const BookkeepingChange& change : changes) write(change);
  transaction.commit();
  return changes;
}

}  // namespace

std::vector<BookkeepingChange> Repair::plan_repair(std::span<const std::int64_t> versions) const {
  const Bookkeeping bookkeeping(connection_, options_.table);
  const std::vector<AppliedMigration> applied = bookkeeping.read();
  std::vector<BookkeepingChange> changes;
  for (const std::int64_t version : std::set(versions.begin(), versions.end())) {
    const auto row = std::ranges::find(applied, version, &AppliedMigration::version);
    const Migration* const migration = set_.find(version);
    if (row == applied.end() && migration == nullptr)
      fail(connection_, errc::migration_target, version, "is neither in this set nor applied to this database");
    if (row == applied.end())
      fail(connection_, errc::migration_target, version,
           "is not applied to this database, so there is nothing to repair: run it");
    if (migration == nullptr)
      fail(connection_, errc::migration_missing, version,
           "has no file to repair it from. Restore the file. If there will never be one again, let "
           "MigratorOptions::ignore_missing pass over it, or undo by hand what it did and have it forgotten: DELETE "
           "FROM " +
               bookkeeping.table() + " WHERE version = " + std::to_string(version));
    BookkeepingChange change{version, recorded(*row), as_recorded(*migration)};
    if (change.before != change.after) changes.push_back(std::move(change));
  }
  return changes;
}

std::vector<BookkeepingChange> Repair::plan_baseline(std::int64_t version) const {
  if (set_.find(version) == nullptr)
    fail(connection_, errc::migration_target, version, "is not in this set: give the version of one");
  const Bookkeeping bookkeeping(connection_, options_.table);
  if (const auto applied = bookkeeping.read(); !applied.empty())
    fail(connection_, errc::migration_recorded, applied.back().version,
         "is recorded in " + bookkeeping.table() +
             " already: a baseline is for a database without any record of migrations");
  std::vector<BookkeepingChange> changes;
  for (const Migration& migration : set_.migrations) {
    if (migration.kind == migration_kind::down || migration.version > version) continue;
    changes.push_back({migration.version, std::nullopt, as_recorded(migration)});
  }
  return changes;
}

std::vector<BookkeepingChange> Repair::repair(std::span<const std::int64_t> versions) const {
  const Bookkeeping bookkeeping(connection_, options_.table);
  auto changes = carry_out(
      connection_, [&] { return plan_repair(versions); },
      [&](const BookkeepingChange& change) { bookkeeping.update(*set_.find(change.version)); });
  for (const BookkeepingChange& change : changes)
    session_of(connection_)
        .logger()
        .warn(
            "database '{}': the record of migration {} '{}' is repaired: its file's checksum, "
            "finished",
            session_of(connection_).database(), change.version, change.after.description);
  return changes;
}

std::vector<BookkeepingChange> Repair::baseline(std::int64_t version) const {
  const Bookkeeping bookkeeping(connection_, options_.table);
  auto changes = carry_out(
      connection_,
      [&] {
        auto rows = plan_baseline(version);
        bookkeeping.create();
        return rows;
      },
      [&](const BookkeepingChange& change) { bookkeeping.insert(*set_.find(change.version)); });
  session_of(connection_)
      .logger()
      .warn("database '{}': {} migrations up to {} are recorded as applied, without being run",
            session_of(connection_).database(), changes.size(), version);
  return changes;
}

}  // namespace statehouse::detail
