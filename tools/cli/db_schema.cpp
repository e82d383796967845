#include <boost/json/array.hpp>
#include <filesystem>
#include <string>

#include "arguments.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "output.hpp"
#include "schema.hpp"
#include "script_file.hpp"

namespace statehouse::cli {
namespace {

std::string script_of(const std::vector<SchemaObject>& schema) {
  std::string script;
  for (const SchemaObject& object : schema) script += terminated(object.sql) + '\n';
  return script;
}

std::vector<SchemaObject> schema_of_file(const std::filesystem::path& file, const std::string& bookkeeping) {
  Connection connection = Connection::in_memory("in memory");
  run_script(connection, file, read_script(file), ". The file is to be what 'db schema' prints", true);
  return schema_of(connection, bookkeeping);
}

/// Tells how the database differs from the file.
void check(const std::vector<SchemaObject>& schema, const Arguments& arguments, Output& output) {
  const auto found = differences(schema_of_file(arguments.source_file, arguments.table), schema);
  auto& list = output.document()["differences"].emplace_array();
  for (const std::string& difference : found) {
    list.emplace_back(difference);
    output.line(difference, style::warning);
  }
  output.line(found.empty() ? "the schema is that of " + arguments.source_file
                            : count_text(found.size(), "difference") + " to " + arguments.source_file,
              found.empty() ? style::good : style::plain);
  if (!found.empty()) output.set_exit_code(exit_would_change);
}

}  // namespace

void db_schema(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  output.document()["database"] = file.string();
  require_file(file);
  auto connection = open_to_read(arguments, file);
  const auto schema = schema_of(connection, arguments.table);
  auto& objects = output.document()["schema"].emplace_array();
  for (const SchemaObject& object : schema)
    objects.push_back({{"type", object.type}, {"name", object.name}, {"table", object.table}, {"sql", object.sql}});
  if (!arguments.source_file.empty()) return check(schema, arguments, output);
  output.exactly(script_of(schema));
}

}  // namespace statehouse::cli
