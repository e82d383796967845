#include "statehouse/migrator.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "migrate/checksum.hpp"
#include "migrate/migration_set.hpp"
#include "migrate/runner.hpp"
#include "statehouse/connection.hpp"

namespace statehouse {
namespace {

/// Scripts may set and attach what they like; afterwards the connection is as it was.
class FullPermission {
 public:
  FullPermission(detail::Session& session, const detail::Runner& runner)
      : session_(session), runner_(runner), scope_(session, detail::permission::unrestricted) {}
  ~FullPermission() {
    if (runner_.scripts_ran()) session_.restore_settings();
  }
  FullPermission(const FullPermission&) = delete;
  FullPermission& operator=(const FullPermission&) = delete;

 private:
  detail::Session& session_;
  const detail::Runner& runner_;
  const detail::Session::PermissionScope scope_;
};

template <class Work>
MigrationReport with_runner(Connection& connection, const detail::MigrationSet& set, const MigratorOptions& options,
                            Work&& work) {
  detail::Runner runner(connection, set, options);
  const FullPermission permission(connection.session(), runner);
  return work(runner);
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
  return {set_, std::make_shared<MigratorOptions>(std::move(options))};
}

const MigratorOptions& Migrator::options() const noexcept {
  return *options_;
}
std::span<const Migration> Migrator::migrations() const noexcept {
  return set_->migrations;
}
std::span<const std::string> Migrator::ignored() const noexcept {
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

std::vector<MigrationStatus> Migrator::status(Connection& connection) const {
  std::map<std::int64_t, MigrationStatus> by_version;
  for (const Migration& migration : set_->migrations) {
    MigrationStatus& status = by_version[migration.version];
    status.version = migration.version;
    if (migration.kind == migration_kind::down) continue;
    status.description = migration.description;
    status.source = {set_, &migration};
  }
  for (const auto& applied : detail::Bookkeeping(connection, options_->table).read()) {
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
  std::vector<MigrationStatus> result;
  for (auto& [version, status] : by_version) {
    // A version with only a down file can be applied by nobody: it is of interest only where it is applied.
    if (status.source != nullptr || status.state != migration_state::pending) result.push_back(std::move(status));
  }
  return result;
}

}  // namespace statehouse
