#include <algorithm>
#include <boost/json/array.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "data_loss.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "rehearsal.hpp"
#include "remarks.hpp"
#include "statehouse/migration_folder.hpp"
#include "statehouse/migrator.hpp"

namespace statehouse::cli {
namespace {

using Problems = std::vector<MigrationProblem>;

std::size_t count(const Problems& problems, problem_severity severity) {
  return static_cast<std::size_t>(std::ranges::count(problems, severity, &MigrationProblem::severity));
}

/// What the files are; then what they do, which is of no use where they cannot be read.
Problems all_problems(const std::string& source) {
  Problems problems = verify_folder(source);
  if (count(problems, problem_severity::error) > 0) return problems;
  const Migrator migrations = Migrator::from_directory(source);
  Progress watch("trying the scripts in memory", "scripts");
  DataLossFindings loss = find_data_loss(migrations.migrations());
  Problems tried = rehearse(migrations, loss.opens_file, watch);
  problems.insert(problems.end(), loss.warnings.begin(), loss.warnings.end());
  problems.insert(problems.end(), tried.begin(), tried.end());
  std::ranges::sort(problems, {},
                    [](const MigrationProblem& one) { return std::tie(one.file, one.line, one.message); });
  return problems;
}

}  // namespace

void migrate_verify(const Arguments& arguments, Output& output) {
  const Problems problems = all_problems(arguments.source);
  auto& list = output.document()["problems"].emplace_array();
  Table table;
  for (const auto& problem : problems) {
    list.push_back(remark_json(problem));
    table.rows.push_back({{severity_text(problem.severity), severity_style(problem.severity)}, {problem.message}});
  }
  output.table(table);
  const std::size_t errors = count(problems, problem_severity::error);
  const std::size_t warnings = count(problems, problem_severity::warning);
  const std::string found = count_text(errors, "error") + ", " + count_text(warnings, "warning");
  if (errors > 0 || (arguments.strict && warnings > 0)) {
    const auto first = std::ranges::find(problems, errors > 0 ? problem_severity::error : problem_severity::warning,
                                         &MigrationProblem::severity);
    throw MigrationError(errc::migration_source,
                         "the folder '" + arguments.source + "' has " + found + ": put them right first",
                         {first->version, first->file, first->line});
  }
  output.line(warnings == 0 ? "no problems" : found, warnings == 0 ? style::good : style::warning);
}

}  // namespace statehouse::cli
