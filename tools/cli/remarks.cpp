#include "remarks.hpp"

namespace statehouse::cli {

std::string severity_text(problem_severity severity) {
  switch (severity) {
    case problem_severity::error: return "error";
    case problem_severity::warning: return "warning";
    case problem_severity::note: break;
  }
  return "note";
}

style severity_style(problem_severity severity) {
  switch (severity) {
    case problem_severity::error: return style::bad;
    case problem_severity::warning: return style::warning;
    case problem_severity::note: break;
  }
  return style::faint;
}

json::object remark_json(const MigrationProblem& problem) {
  json::object object{{"severity", severity_text(problem.severity)},
                      {"version", nullptr},
                      {"file", problem.file},
                      {"line", nullptr},
                      {"message", problem.message}};
  if (problem.version) object["version"] = *problem.version;
  if (problem.line != 0) object["line"] = problem.line;
  return object;
}

json::array remarks_json(std::span<const MigrationProblem> problems) {
  json::array array;
  for (const MigrationProblem& problem : problems) array.push_back(remark_json(problem));
  return array;
}

}  // namespace statehouse::cli
