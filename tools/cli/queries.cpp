#include "queries/check.hpp"

#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "output.hpp"
#include "queries/header.hpp"
#include "queries/plan.hpp"
#include "script_file.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/migrator.hpp"

namespace statehouse::cli {
namespace {

using queries::CheckedQuery;
using queries::Diagnostic;
using queries::Diagnostics;
using queries::QueryFile;

/// A file of queries and a database in memory that the migrations have made.
class Desk {
 public:
  explicit Desk(const Arguments& arguments)
      : file_(arguments.source_file, read_script(arguments.source_file), found_),
        connection_(Connection::in_memory("in memory")) {
    queries::declare_functions(connection_.native().getHandle(), file_.settings());
    migrate(arguments.source);
  }

  const QueryFile& file() const { return file_; }
  Connection& connection() { return connection_; }
  Diagnostics& found() { return found_; }

  std::vector<CheckedQuery> check() {
    if (!migrated_) return {};
    return check_queries(connection_, file_, found_);
  }

 private:
  void migrate(const std::filesystem::path& source) {
    try {
      Migrator::from_directory(source).run(connection_);
      migrated_ = true;
    } catch (const MigrationError& error) {
      if (error.file().empty()) throw;
      found_.push_back({queries::severity::error, (source / error.file()).string(),
                        std::max<std::size_t>(error.line(), 1), 1, error.what()});
    }
  }

  Diagnostics found_;
  QueryFile file_;
  Connection connection_;
  bool migrated_ = false;
};

json::object json_of(const CheckedQuery& query, const QueryFile& file) {
  json::array parameters;
  for (const auto& one : query.parameters) {
    json::value type = nullptr;  // any that can be bound
    if (!one.cpp.empty()) type = json::string(one.cpp);
    parameters.push_back(json::object{{"name", one.name}, {"type", std::move(type)}, {"nullable", one.nullable}});
  }
  json::array columns;
  for (const auto& one : query.columns)
    columns.push_back(json::object{{"name", one.name}, {"type", one.cpp}, {"nullable", one.nullable}});
  return {{"name", query.query->name},
          {"kind", queries::name_of(query.query->kind)},
          {"line", file.at(query.query->name_offset, {}).line},
          {"sql", query.query->in_one_line()},
          {"parameters", std::move(parameters)},
          {"columns", std::move(columns)}};
}

json::object json_of(const Diagnostic& one) {
  return {{"severity", one.weight == queries::severity::error ? "error" : "warning"},
          {"file", one.file},
          {"line", one.line},
          {"column", one.column},
          {"message", one.message}};
}

/// As a whole, or not at all: a build that was ended midway begins with what was there.
void write_header(const std::filesystem::path& file, const std::string& text) {
  std::error_code error;
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), error);
  std::filesystem::path part = file;
  part += ".part";
  std::ofstream out(part, std::ios::binary);
  out << text;
  out.close();
  if (out) std::filesystem::rename(part, file, error);
  if (!out || error) throw Finding("system", "cannot write '" + file.string() + '\'', file.string());
}

/// Tells what was found; throws if a query does not fit, or with `strict` if there is anything.
void tell(const Diagnostics& found, const Arguments& arguments, Output& output, bool strict) {
  auto& problems = output.document()["problems"].emplace_array();
  for (const Diagnostic& one : found) {
    problems.push_back(json_of(one));
    output.diagnostic(one.text());
  }
  if (found.empty() || !(strict || has_errors(found))) return;
  throw Finding("queries", count_text(found.size(), "problem") + " in " + arguments.source_file, found.front().file,
                found.front().line);
}

std::vector<CheckedQuery> check_and_tell(Desk& desk, const Arguments& arguments, Output& output) {
  auto checked = desk.check();
  auto& list = output.document()["queries"].emplace_array();
  for (const CheckedQuery& query : checked) list.push_back(json_of(query, desk.file()));
  tell(desk.found(), arguments, output, false);
  return checked;
}

}  // namespace

void queries_check(const Arguments& arguments, Output& output) {
  Desk desk(arguments);
  const auto checked = check_and_tell(desk, arguments, output);
  output.line(std::to_string(checked.size()) + (checked.size() == 1 ? " query fits" : " queries fit"), style::good);
}

void queries_generate(const Arguments& arguments, Output& output) {
  if (arguments.name.empty()) throw UsageError("--name: give the name of the database, which is that of the namespace");
  Desk desk(arguments);
  const auto checked = check_and_tell(desk, arguments, output);
  const std::string header = queries::header_of(arguments.name, desk.file(), checked);
  if (arguments.target_file.empty()) return output.exactly(header);
  write_header(arguments.target_file, header);
  output.document()["header"] = arguments.target_file;  // nothing for people: builds are full of such files
}

void queries_explain(const Arguments& arguments, Output& output) {
  Desk desk(arguments);
  const auto checked = check_and_tell(desk, arguments, output);
  auto& plans = output.document()["plans"].emplace_array();
  Diagnostics warnings;
  for (const CheckedQuery& query : checked) {
    const queries::QueryPlan plan = queries::plan_of(desk.connection(), *query.query);
    json::array steps;
    output.line(query.query->name);
    for (const std::string& step : plan.steps) {
      steps.emplace_back(step);
      output.line("  " + step, style::faint);
    }
    plans.push_back(json::object{{"name", query.query->name}, {"steps", std::move(steps)}});
    const auto scans = scans_of_large_tables(plan, *query.query, desk.file(), arguments.most_rows);
    warnings.insert(warnings.end(), scans.begin(), scans.end());
  }
  tell(warnings, arguments, output, arguments.strict);
}

}  // namespace statehouse::cli
