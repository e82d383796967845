#include "rehearsal.hpp"

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>

#include "extensions.hpp"
#include "progress.hpp"
#include "schema.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::cli {
namespace {

using Schema = std::vector<SchemaObject>;

/// Consecutive versions that can all be reverted, or none.
struct Stretch {
  std::int64_t first;
  std::int64_t last;
  bool reversible;
};

class Rehearsal {
 public:
  Rehearsal(const Migrator& migrations, bool opens_file, Progress& watch)
      : connection_(Connection::in_memory("in memory")),
        opens_file_(opens_file),
        watch_(watch),
        migrations_(observed(migrations)) {}

  std::vector<MigrationProblem> run() {
    for (const Stretch& stretch : stretches()) {
      const bool applied = attempt([&] { apply_to(stretch.last); });
      if (!applied) break;
      if (stretch.reversible && !attempt([&] { revert(stretch); })) break;
    }
    return std::move(problems_);
  }

 private:
  Migrator observed(const Migrator& migrations) {
    MigratorOptions options;
    options.on_progress = [this](const MigrationProgress& progress) { done(progress.migration); };
    return migrations.with_options(std::move(options));
  }

  std::vector<Stretch> stretches() const {
    std::vector<Stretch> result;
    const auto files = migrations_.migrations();
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (files[i].kind == migration_kind::down) continue;
      const bool reversible = i + 1 < files.size() && files[i + 1].version == files[i].version;
      if (result.empty() || result.back().reversible != reversible)
        result.push_back({files[i].version, files[i].version, reversible});
      result.back().last = files[i].version;
    }
    return result;
  }

  void apply_to(std::int64_t version) {
    limit_files(opens_file_ ? 0 : 1);  // VACUUM attaches one that has no name
    migrations_.run_to(connection_, version);
  }

  void revert(const Stretch& stretch) {
    if (stretch.first == std::numeric_limits<std::int64_t>::min()) return;  // nothing is below it
    limit_files(0);
    migrations_.undo(connection_, stretch.first - 1);
    again_ = true;
    apply_to(stretch.last);
    again_ = false;
  }

  void limit_files(int most) { sqlite3_limit(connection_.native().getHandle(), SQLITE_LIMIT_ATTACHED, most); }

  /// After each script.
  void done(const Migration& migration) {
    watch_.update(++done_, static_cast<std::int64_t>(migrations_.migrations().size()));
    Schema now = schema_of(connection_, MigratorOptions().table);
    if (migration.kind == migration_kind::down) {
      const auto version = after_.find(migration.version);
      compare(migration, version == after_.begin() ? Schema() : std::prev(version)->second, now,
              "does not take back all that the file beside it does");
    } else if (again_) {
      compare(migration, after_[migration.version], now,
              "makes something else when it is applied after it was reverted");
    } else {
      after_[migration.version] = std::move(now);
    }
  }

  /// What was told once is not told of the scripts before it.
  void compare(const Migration& migration, const Schema& wanted, const Schema& now, const std::string& what) {
    std::string told;
    for (const std::string& difference : differences(wanted, now))
      if (told_.insert(difference).second) told += (told.empty() ? "" : "; ") + difference;
    if (!told.empty())
      problems_.push_back({problem_severity::warning, migration.file, 0, migration.version,
                           "the migration file '" + migration.file + "' " + what + ": " + told});
  }

  template <class Action>
  bool attempt(Action&& action) {
    try {
      action();
      return true;
    } catch (const MigrationError& error) {
      problems_.push_back(problem_of(error));
    } catch (const Error& error) {
      problems_.push_back({problem_severity::error, {}, 0, {}, error.what()});
    }
    return false;
  }

  MigrationProblem problem_of(const MigrationError& error) const {
    const std::string_view what = error.what();
    MigrationProblem problem{problem_severity::error, error.file(), error.line(), error.version(), error.what()};
    if (what.find("too many attached databases") != std::string_view::npos) {
      problem.severity = problem_severity::note;
      problem.message =
          "the migration file '" + problem.file + "' opens a file of its own: from it on, nothing is tried in memory";
    } else if (is_missing_extension(what)) {
      problem.severity = problem_severity::warning;
      problem.message +=
          ". Where the server registers it, all is well, but from here on nothing is tried in memory, unless "
          "--load-extension has it";
    } else if (again_) {
      problem.message = "applied again after it was reverted: " + problem.message;
    }
    return problem;
  }

  Connection connection_;
  const bool opens_file_;
  Progress& watch_;
  const Migrator migrations_;
  std::map<std::int64_t, Schema> after_;  // each version, when it was applied first
  std::set<std::string> told_;
  std::vector<MigrationProblem> problems_;
  std::int64_t done_ = 0;
  bool again_ = false;
};

}  // namespace

std::vector<MigrationProblem> rehearse(const Migrator& migrations, bool opens_file, Progress& watch) {
  return Rehearsal(migrations, opens_file, watch).run();
}

}  // namespace statehouse::cli
