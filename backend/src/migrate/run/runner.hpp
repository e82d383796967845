#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "migrate/run/bookkeeping.hpp"
#include "migrate/run/script_plan.hpp"
#include "migrate/source/migration_set.hpp"
#include "statehouse/clock.hpp"

namespace statehouse::detail {

class Session;

/// One `run` or `undo`, or the plan of one, on one connection.
///
/// Invariants: nothing is changed before everything is checked; what is recorded is read again under the write lock
/// whenever another connection has committed since it was last read.
class Runner {
 public:
  Runner(Connection& connection, const MigrationSet& set, const MigratorOptions& options);

  struct Step {
    const Migration* migration;
    ScriptPlan plan;
  };

  MigrationReport apply(std::optional<std::int64_t> up_to);
  MigrationReport revert(std::int64_t target);
  /// What the two would do; everything is checked, nothing changed.
  std::vector<Step> plan_apply(std::optional<std::int64_t> up_to);
  std::vector<Step> plan_revert(std::int64_t target);
  /// What has to be said of the rows before these steps, by the steps that will check them.
  void tell_of_violations(std::vector<Step>& steps);
  /// Whether a script may have changed settings of the connection.
  bool scripts_ran() const noexcept { return scripts_ran_; }

 private:
  struct Elapsed {
    std::int64_t version;
    std::chrono::nanoseconds time;
  };
  void load();
  void read_applied();
  void check_target() const;
  void check_dirty() const;
  void check_missing() const;
  void check_checksums() const;
  void check_order() const;
  const AppliedMigration* find_applied(std::int64_t version) const;
  bool is_due(const Migration& migration) const;

  std::vector<Step> plan() const;
  MigrationReport execute(std::vector<Step> steps);
  MigrationReport run_steps(std::vector<Step>& steps);
  /// As `applied_` was read before them.
  std::optional<std::int64_t> latest_after(std::span<const std::int64_t> done) const;
  bool run_step(Step& step);
  bool run_in_transaction(Step& step);
  bool run_alone(const Step& step);
  void log(const MigrationProblem& remark);
  void record(const Migration& migration);
  void record_time();
  void record_last_time() noexcept;
  void reload_if_changed();

  Connection& connection_;
  Session& session_;
  const MigrationSet& set_;
  const MigratorOptions& options_;
  Bookkeeping bookkeeping_;
  const Clock::time_point start_;
  bool reverting_ = false;
  bool scripts_ran_ = false;
  std::optional<std::int64_t> target_;
  std::int64_t data_version_ = 0;
  std::vector<AppliedMigration> applied_;  // ascending
  // Known only after the commit; written together with the next migration, as a commit of its own costs a fifth of one.
  std::optional<Elapsed> unrecorded_time_;
};

}  // namespace statehouse::detail
