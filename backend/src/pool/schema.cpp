#include "pool/schema.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <utility>

#include "engine/connection_access.hpp"
#include "migrate/source/script_facts.hpp"
#include "text/trim.hpp"

namespace statehouse::detail {
namespace {

/// Times that the migrations of one opening are begun again.
constexpr int most_leaders_lost = 5;

/// Of the migration that has failed, if it was one.
std::optional<std::int64_t> version_of(const Error& error) {
  const auto* const failed = dynamic_cast<const MigrationError*>(&error);
  return failed == nullptr ? std::nullopt : failed->version();
}

/// The leader of a cluster went between migrations, or during one that is either wholly applied or not at all.
bool lost_leader(const Error& error, const Migrator& migrator) {
  const auto* const failed = dynamic_cast<const MigrationError*>(&error);
  const auto why = failed != nullptr ? failed->cause() : error.code();
  if (why != errc::unavailable && why != errc::outcome_unknown) return false;
  if (failed == nullptr) return true;
  const auto of_version = [&](const Migration& each) { return each.version == failed->version(); };
  const auto found = std::ranges::find_if(migrator.migrations(), of_version);
  return found == migrator.migrations().end() || !(found->no_transaction || examine(trim(found->sql)).commit);
}

[[noreturn]] void fail_pending(const std::vector<PlannedMigration>& pending, const std::string& database) {
  constexpr std::size_t most_named = 10;
  std::string versions;
  for (std::size_t i = 0; i < pending.size() && i < most_named; ++i)
    versions += (i > 0 ? ", " : "") + std::to_string(pending[i].migration->version);
  if (pending.size() > most_named) versions += " and " + std::to_string(pending.size() - most_named) + " more";
  throw MigrationError(errc::migration_pending,
                       (pending.size() > 1 ? "migrations " : "migration ") + versions +
                           " pending, and the database is opened read_only: have it migrated by who writes it",
                       {pending.front().migration->version, pending.front().migration->file}, {database, {}});
}

}  // namespace

Schema::Schema(const PoolConfig& config, const Migrator* migrator)
    : config_(config), migrator_(migrator != nullptr ? std::optional(*migrator) : std::nullopt) {}

void Schema::bring_up_to_date(Connection& writer, Engine& engine) {
  if (!migrator_) return;
  for (const std::string& file : migrator_->ignored())
    config_.logger->warn("database '{}': migration file '{}' is ignored: name it <version>_<description>.sql",
                         config_.name, file);
  MigrationReport applied = run(*migrator_, writer);
  const bool changed = !applied.versions.empty();
  {
    std::lock_guard lock(mutex_);
    applied_ = std::move(applied);
    total_ += applied_.versions.size();
  }
  // Statistics for the new schema before anybody is served.
  if (changed) engine.optimize(session_of(writer), config_.options->connection.optimize_budget);
}

void Schema::require_up_to_date(Connection& reader) {
  if (!migrator_) return;
  if (const auto pending = migrator_->plan(reader); !pending.empty()) fail_pending(pending, config_.name);
  MigrationReport found;
  for (const MigrationStatus& each : migrator_->status(reader)) found.schema_version = each.version;
  std::lock_guard lock(mutex_);
  applied_ = std::move(found);
}

/// Looks what is applied, and goes on, where the leader of a cluster went in the middle. A migration that has cost two
/// leaders is not handed to the next: one that takes longer than the others wait for a word costs each of them.
MigrationReport Schema::run(const Migrator& migrator, Connection& writer) const {
  std::optional<std::int64_t> last;
  for (int lost = 0;; ++lost) {
    try {
      return migrator.run(writer);
    } catch (const Error& error) {
      if (lost == most_leaders_lost || !lost_leader(error, migrator)) throw;
      const auto version = version_of(error);
      if (version && version == std::exchange(last, version)) throw;
      config_.logger->warn("database '{}': {}: looking what is applied, and going on", config_.name, error.what());
    }
  }
}

MigrationReport Schema::applied() const {
  std::lock_guard lock(mutex_);
  return applied_;
}

void Schema::tell(DatabaseStats& stats) const {
  std::lock_guard lock(mutex_);
  stats.schema_version = applied_.schema_version;
  stats.migrations_applied = total_;
  stats.migration_time = applied_.elapsed;
}

}  // namespace statehouse::detail
