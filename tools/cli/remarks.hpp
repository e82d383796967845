#pragma once

#include <boost/json/array.hpp>
#include <span>
#include <string>

#include "output.hpp"
#include "statehouse/migration_folder.hpp"

/// What the library has to say of a migration, as the tool shows it.
namespace statehouse::cli {

std::string severity_text(problem_severity severity);
style severity_style(problem_severity severity);
json::object remark_json(const MigrationProblem& problem);
json::array remarks_json(std::span<const MigrationProblem> problems);

}  // namespace statehouse::cli
