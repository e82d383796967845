#include "migrate/run/runner.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <iterator>
#include <ranges>
#include <string>
#include <utility>

#include "base/deadline.hpp"
#include "engine/connection_access.hpp"
#include "engine/scopes.hpp"
#include "migrate/run/heartbeat.hpp"
#include "migrate/run/record_errors.hpp"
#include "migrate/run/script.hpp"
#include "migrate/source/migration_file.hpp"
#include "migrate/source/script_input.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::detail {
namespace {

/// Runs `action` and says of an error which migration it belongs to.
template <class Action>
void attempt(const Session& session, const Migration& migration, const char* what, Action&& action) {
  try {
    action();
  } catch (const MigrationError&) {
    throw;
  } catch (const Error& error) {
    fail_migration(session, migration, what, error);
  }
}

/// 0 tells later that there was no statement, see AppliedTime.
std::chrono::nanoseconds recorded_time(const Migration& migration, std::chrono::nanoseconds elapsed) {
  return has_no_statement(migration.sql) ? std::chrono::nanoseconds(0) : std::max(elapsed, std::chrono::nanoseconds(1));
}

}  // namespace

Runner::Runner(Connection& connection, const MigrationSet& set, const MigratorOptions& options)
    : connection_(connection),
      session_(session_of(connection)),
      set_(set),
      options_(options),
      bookkeeping_(connection, options.table),
      start_(session_.interrupter().clock().now()) {}

MigrationReport Runner::apply(std::optional<std::int64_t> up_to) {
  return execute(plan_apply(up_to));
}

MigrationReport Runner::revert(std::int64_t target) {
  return execute(plan_revert(target));
}

std::vector<Runner::Step> Runner::plan_apply(std::optional<std::int64_t> up_to) {
  target_ = up_to;
  if (target_ && !set_.knows(*target_))
    throw MigrationError(errc::migration_target,
                         "there is no migration " + std::to_string(*target_) + " in this set: give the version of one",
                         {.version = target_});
  load();
  check_target();
  check_checksums();
  check_order();
  return plan();
}

std::vector<Runner::Step> Runner::plan_revert(std::int64_t target) {
  reverting_ = true;
  target_ = target;
  load();
  return plan();
}

void Runner::load() {
  require_no_transaction(session_);
  read_applied();
}

void Runner::read_applied() {
  // The data version first: what is committed between the two readings is then seen as a change.
  data_version_ = bookkeeping_.data_version();
  applied_ = bookkeeping_.read();
  check_dirty();
  check_missing();
}

void Runner::reload_if_changed() {
  // It counts on one connection. To the nodes of a cluster that may be a new one since, which begins to count anew.
  if (!session_.context().remote && bookkeeping_.data_version() == data_version_) return;
  read_applied();
  if (reverting_) return;
  check_checksums();
  check_order();
}

void Runner::check_dirty() const {
  const auto dirty = std::ranges::find(applied_, true, &AppliedMigration::dirty);
  if (dirty != applied_.end()) fail_dirty(*dirty, bookkeeping_.table(), {session_.database(), {}});
}

void Runner::check_missing() const {
  if (options_.ignore_missing) return;
  const auto unknown =
      std::ranges::find_if(applied_, [&](const AppliedMigration& applied) { return !set_.knows(applied.version); });
  if (unknown != applied_.end()) fail_missing(*unknown, {session_.database(), {}});
}

void Runner::check_target() const {
  if (!target_ || applied_.empty() || *target_ >= applied_.back().version) return;
  const std::string latest = std::to_string(applied_.back().version);
  throw MigrationError(errc::migration_target,
                       "cannot run to migration " + std::to_string(*target_) + ": " + latest +
                           " is applied already. Go back with undo ('statehouse migrate revert'), or give " + latest +
                           " or a later one",
                       {.version = target_}, {session_.database(), {}});
}

void Runner::check_checksums() const {
  for (const Migration& migration : set_.migrations) {
    if (migration.kind == migration_kind::down) continue;
    const AppliedMigration* const applied = find_applied(migration.version);
    if (applied != nullptr && !std::ranges::equal(applied->checksum, migration.checksum))
      fail_mismatch(migration, *applied, bookkeeping_.read_times(), options_.ignored_characters,
                    {session_.database(), {}});
  }
}

void Runner::check_order() const {
  if (!options_.strict_order || applied_.empty()) return;
  const std::int64_t latest = applied_.back().version;
  const auto late = std::ranges::find_if(
      set_.migrations, [&](const Migration& migration) { return is_due(migration) && migration.version < latest; });
  if (late == set_.migrations.end()) return;
  throw MigrationError(errc::migration_order,
                       describe(*late) + " is pending, but the later " + std::to_string(latest) +
                           " is applied to this database already, and order is strict. Give the file a version after " +
                           std::to_string(latest) + ", or turn MigratorOptions::strict_order off",
                       {late->version, late->file}, {session_.database(), {}});
}

const AppliedMigration* Runner::find_applied(std::int64_t version) const {
  const auto found = std::ranges::lower_bound(applied_, version, {}, &AppliedMigration::version);
  return found != applied_.end() && found->version == version ? &*found : nullptr;
}

bool Runner::is_due(const Migration& migration) const {
  const bool applied = find_applied(migration.version) != nullptr;
  if (reverting_) return migration.kind == migration_kind::down && applied && migration.version > target_;
  return migration.kind != migration_kind::down && !applied && (!target_ || migration.version <= *target_);
}

std::vector<Runner::Step> Runner::plan() const {
  std::vector<Step> steps;
  for (const Migration& migration : set_.migrations) {
    if (is_due(migration)) steps.push_back({&migration, {}});
  }
  if (reverting_) std::ranges::reverse(steps);
  std::vector<std::vector<MigrationProblem>> input;
  std::vector<ScriptFacts> facts;
  for (const Step& step : steps) {
    input.push_back(check_input(*step.migration, session_.database()));
    facts.push_back(check_script(*step.migration, session_.database()));
  }
  ScriptPlanner planner(options_.foreign_keys, facts, &connection_);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    steps[i].plan = planner.plan(*steps[i].migration, facts[i]);
    std::ranges::move(input[i], std::back_inserter(steps[i].plan.remarks));
  }
  return steps;
}

void Runner::tell_of_violations(std::vector<Step>& steps) {
  const auto first = std::ranges::find_if(steps, [](const Step& step) { return step.plan.off(); });
  if (first == steps.end()) return;
  if (const Violations found(connection_); found.count() > 0)
    first->plan.remarks.push_back(remark_on(found, *first->migration));
}

MigrationReport Runner::execute(std::vector<Step> steps) {
  MigrationReport report;
  try {
    const Interrupter::Limit limit(session_.context().interrupter, deadline(start_, options_.timeout));
    if (applied_.empty() && !bookkeeping_.exists()) bookkeeping_.create();
    report = run_steps(steps);
  } catch (...) {
    record_last_time();
    throw;
  }
  record_last_time();
  report.schema_version = latest_after(report.versions);
  report.elapsed = session_.interrupter().clock().now() - start_;
  return report;
}

std::optional<std::int64_t> Runner::latest_after(std::span<const std::int64_t> done) const {
  std::optional<std::int64_t> latest;
  for (const AppliedMigration& applied : applied_)
    if (!reverting_ || std::ranges::find(done, applied.version) == done.end()) latest = applied.version;
  if (!reverting_ && !done.empty()) latest = std::max(latest, std::optional(std::ranges::max(done)));
  return latest;
}

MigrationReport Runner::run_steps(std::vector<Step>& steps) {
  const Clock& clock = session_.interrupter().clock();
  Heartbeat heartbeat(session_);  // if a step throws, it goes before what it points to
  MigrationReport report;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Migration& migration = *steps[i].migration;
    if (options_.on_begin) options_.on_begin({migration, {}, i + 1, steps.size(), steps[i].plan.remarks});
    const auto start = clock.now();
    heartbeat.begin(migration, i + 1, steps.size());
    const bool done = run_step(steps[i]);
    heartbeat.end();
    if (!done) continue;
    const std::chrono::nanoseconds elapsed = clock.now() - start;
    if (!reverting_) unrecorded_time_ = {migration.version, recorded_time(migration, elapsed)};
    report.versions.push_back(migration.version);
    session_.logger().info("database '{}': migration {} '{}' {} in {:.1f} ms ({}/{})", session_.database(),
                           migration.version, migration.description, reverting_ ? "reverted" : "applied",
                           std::chrono::duration<double, std::milli>(elapsed).count(), i + 1, steps.size());
    if (options_.on_progress) options_.on_progress({migration, elapsed, i + 1, steps.size(), steps[i].plan.remarks});
  }
  return report;
}

bool Runner::run_step(Step& step) {
  // Declared before the transaction: foreign keys can be switched only outside of one.
  const ScriptSettings settings(session_, step.plan.switched);
  scripts_ran_ = true;
  return step.migration->no_transaction ? run_alone(step) : run_in_transaction(step);
}

bool Runner::run_in_transaction(Step& step) {
  const Migration& migration = *step.migration;
  const TransactionScope transaction(session_, transaction_kind::immediate);
  reload_if_changed();
  if (!is_due(migration)) return false;  // another process was faster
  Violations earlier;
  const auto check = [&](auto&& action) { attempt(session_, migration, "checking foreign keys", action); };
  if (step.plan.off()) check([&] { earlier = Violations(connection_); });
  if (earlier.count() > 0) step.plan.remarks.push_back(remark_on(earlier, migration));
  for (const MigrationProblem& remark : step.plan.remarks) log(remark);
  run_script(connection_, migration, step.plan);
  if (step.plan.off()) check([&] { check_foreign_keys(connection_, migration, step.plan, earlier); });
  record(migration);
  attempt(session_, migration, "COMMIT", [&] { session_.commit(); });
  return true;
}

bool Runner::run_alone(const Step& step) {
  const Migration& migration = *step.migration;
  reload_if_changed();
  if (!is_due(migration)) return false;
  for (const MigrationProblem& remark : step.plan.remarks) log(remark);
  try {
    run_script(connection_, migration, step.plan);
  } catch (...) {
    session_.rollback();  // of what the script itself had begun
    throw;
  }
  if (session_.in_transaction()) {
    session_.rollback();
    throw MigrationError(errc::migration_failed,
                         describe(migration) +
                             " failed: it begins a transaction that it does not commit; that one is "
                             "rolled back, and the migration is not recorded. Add the COMMIT",
                         {migration.version, migration.file}, {session_.database(), {}});
  }
  record(migration);
  return true;
}

void Runner::log(const MigrationProblem& remark) {
  const auto level = remark.severity == problem_severity::note ? spdlog::level::debug : spdlog::level::warn;
  session_.logger().log(level, "database '{}': {}", session_.database(), remark.message);
}

void Runner::record(const Migration& migration) {
  attempt(session_, migration, "recording it", [&] {
    if (reverting_) {
      bookkeeping_.remove(migration.version);
    } else {
      bookkeeping_.insert(migration);
      record_time();
    }
  });
}

void Runner::record_time() {
  if (unrecorded_time_) bookkeeping_.set_execution_time(unrecorded_time_->version, unrecorded_time_->time.count());
}

void Runner::record_last_time() noexcept {
  try {
    record_time();
  } catch (const std::exception& error) {  // the migration is applied all the same
    session_.logger().debug("database '{}': the execution time of migration {} is not recorded: {}",
                            session_.database(), unrecorded_time_->version, error.what());
  }
}

}  // namespace statehouse::detail
