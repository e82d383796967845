#include "statehouse/migrator.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "engine/connection_access.hpp"
#include "engine/scopes.hpp"
#include "migrate/run/repair.hpp"
#include "migrate/run/runner.hpp"
#include "migrate/source/checksum.hpp"
#include "migrate/source/migration_set.hpp"
#include "statehouse/connection.hpp"

namespace statehouse {
namespace {

/// Scripts may set and attach what they like; afterwards the connection is as it was.
class FullPermission {
 public:
  FullPermission(detail::Session& session, const detail::Runner& runner)
      : session_(session),
        runner_(runner),
        untouched_(!session.changed()),
        scope_(session, detail::permission::unrestricted) {}
  ~FullPermission() {
    if (!runner_.scripts_ran()) return;
    session_.restore_settings();
    if (untouched_) session_.put_back();  // else it would also take what the owner of the connection has made
  }
  FullPermission(const FullPermission&) = delete;
  FullPermission& operator=(const FullPermission&) = delete;

 private:
  detail::Session& session_;
  const detail::Runner& runner_;
  const bool untouched_;
  const detail::PermissionScope scope_;
};

template <class Work>
auto with_runner(Connection& connection, const detail::MigrationSet& set, const MigratorOptions& options, Work&& work) {
  detail::Runner runner(connection, set, options);
  const FullPermission permission(detail::session_of(connection), runner);
  return work(runner);
}

std::vector<PlannedMigration> planned(detail::Runner& runner, const std::shared_ptr<const detail::MigrationSet>& set,
                                      std::vector<detail::Runner::Step> steps) {
  runner.tell_of_violations(steps);
  std::vector<PlannedMigration> result;
  result.reserve(steps.size());
  for (const auto& step : steps) result.push_back({{set, step.migration}, step.plan.off(), step.plan.remarks});
  return result;
}

/// May begin a transaction of its own.
template <class Work>
auto with_repair(Connection& connection, const detail::MigrationSet& set, const MigratorOptions& options, Work&& work) {
  const detail::PermissionScope scope(detail::session_of(connection), detail::permission::unrestricted);
  return work(detail::Repair(connection, set, options));
}

std::shared_ptr<const detail::MigrationSet> with_checksums(const detail::MigrationSet& set,
                                                           std::u32string_view ignored_characters) {
  auto result = std::make_shared<detail::MigrationSet>(set);
  for (Migration& migration : result->migrations)
    migration.checksum = detail::checksum_of(migration.sql, ignored_characters);
  return result;
}

}  // namespace

Migrator::Migrator(std::shared_ptr<const detail::MigrationSet> set, std::shared_ptr<const MigratorOptions> options)
    : set_(std::move(set)), options_(std::move(options)) {}

Migrator Migrator::from_directory(const std::filesystem::path& directory) {
  return {std::make_shared<detail::MigrationSet>(detail::read_directory(directory)),
          std::make_shared<MigratorOptions>()};
}

Migrator Migrator::from_files(std::span<const EmbeddedFile> files) {
  return {std::make_shared<detail::MigrationSet>(detail::read_files(files)), std::make_shared<MigratorOptions>()};
}

Migrator Migrator::with_options(MigratorOptions options) const {
  detail::check_table_name(options.table);
  const bool same_checksums = options.ignored_characters == options_->ignored_characters;
  return {same_checksums ? set_ : with_checksums(*set_, options.ignored_characters),
          std::make_shared<MigratorOptions>(std::move(options))};
}

const MigratorOptions& Migrator::options() const& noexcept {
  return *options_;
}
std::span<const Migration> Migrator::migrations() const& noexcept {
  return set_->migrations;
}
std::span<const std::string> Migrator::ignored() const& noexcept {
  return set_->ignored;
}

MigrationReport Migrator::run(Connection& connection) const {
  return with_runner(connection, *set_, *options_, [](detail::Runner& runner) { return runner.apply(std::nullopt); });
}

MigrationReport Migrator::run_to(Connection& connection, std::int64_t version) const {
  return with_runner(connection, *set_, *options_, [&](detail::Runner& runner) { return runner.apply(version); });
}

MigrationReport Migrator::undo(Connection& connection, std::int64_t target) const {
  return with_runner(connection, *set_, *options_, [&](detail::Runner& runner) { return runner.revert(target); });
}

std::vector<PlannedMigration> Migrator::plan(Connection& connection, std::optional<std::int64_t> version) const {
  return with_runner(connection, *set_, *options_,
                     [&](detail::Runner& runner) { return planned(runner, set_, runner.plan_apply(version)); });
}

std::vector<PlannedMigration> Migrator::plan_undo(Connection& connection, std::int64_t target) const {
  return with_runner(connection, *set_, *options_,
                     [&](detail::Runner& runner) { return planned(runner, set_, runner.plan_revert(target)); });
}

std::vector<BookkeepingChange> Migrator::repair(Connection& connection, std::span<const std::int64_t> versions) const {
  return with_repair(connection, *set_, *options_,
                     [&](const detail::Repair& repair) { return repair.repair(versions); });
}

std::vector<BookkeepingChange> Migrator::plan_repair(Connection& connection,
                                                     std::span<const std::int64_t> versions) const {
  return with_repair(connection, *set_, *options_,
                     [&](const detail::Repair& repair) { return repair.plan_repair(versions); });
}

std::vector<BookkeepingChange> Migrator::baseline(Connection& connection, std::int64_t version) const {
  return with_repair(connection, *set_, *options_,
                     [&](const detail::Repair& repair) { return repair.baseline(version); });
}

std::vector<BookkeepingChange> Migrator::plan_baseline(Connection& connection, std::int64_t version) const {
  return with_repair(connection, *set_, *options_,
                     [&](const detail::Repair& repair) { return repair.plan_baseline(version); });
}

std::vector<MigrationStatus> Migrator::status(Connection& connection) const {
  std::map<std::int64_t, MigrationStatus> by_version;
  for (const Migration& migration : set_->migrations) {
    MigrationStatus& status = by_version[migration.version];
    status.version = migration.version;
    if (migration.kind == migration_kind::down) {
      status.revertible = true;
      continue;
    }
    status.description = migration.description;
    status.source = {set_, &migration};
  }
  const detail::Bookkeeping bookkeeping(connection, options_->table);
  for (const auto& applied : bookkeeping.read()) {
    const auto [entry, added] = by_version.try_emplace(applied.version);
    MigrationStatus& status = entry->second;
    status.version = applied.version;
    status.dirty = applied.dirty;
    status.recorded_checksum = detail::to_hex(std::span(applied.checksum));
    status.state = added ? migration_state::missing : migration_state::applied;
    if (status.source == nullptr) {
      status.description = applied.description;
    } else if (!std::ranges::equal(status.source->checksum, applied.checksum)) {
      status.state = migration_state::changed;
    }
  }
  for (auto& time : bookkeeping.read_times()) {
    const auto entry = by_version.find(time.version);
    // Applied by somebody else since the rows were read.
    if (entry == by_version.end() || entry->second.state == migration_state::pending) continue;
    entry->second.installed_on = std::move(time.installed_on);
    if (time.execution_time >= 0) entry->second.execution_time = std::chrono::nanoseconds(time.execution_time);
  }
  std::vector<MigrationStatus> result;
  for (auto& [version, status] : by_version) {
    // A version with only a down file can be applied by nobody: it is of interest only where it is applied.
    if (status.source != nullptr || status.state != migration_state::pending) result.push_back(std::move(status));
  }
  return result;
}

}  // namespace statehouse
