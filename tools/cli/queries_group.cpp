#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "command_groups.hpp"
#include "command_line.hpp"
#include "commands.hpp"
#include "definition.hpp"

namespace statehouse::cli {
namespace {

/// What all of them look at.
CLI::App& define_common(Definition& command, Arguments& arguments) {
  CLI::App& app = command.folder().extensions().app();
  app.add_option("FILE", arguments.source_file, "The queries, each below a line like: -- name: get_block :optional")
      ->required()
      ->type_name("FILE");
  return app;
}

}  // namespace

void define_queries(CLI::App& parent, Arguments& arguments) {
  CLI::App& app = group(parent, "queries", "Checks SQL against migrations, and makes C++ functions of it");
  Definition define(app, arguments);
  define_common(define.command("check", "Checks a file of queries against a folder of migrations; writes nothing",
                               queries_check, {"check --source migrations/context queries/context.sql"}),
                arguments);
  CLI::App& generate = define_common(
      define.command("generate", "Checks a file of queries and writes the header with a C++ function for each",
                     queries_generate,
                     {"generate --name context --to context.hpp context.sql"}),
      arguments);
  generate.add_option("--to", arguments.target_file, "The header; without it, standard output")->type_name("FILE");
  CLI::App& explain = define_common(
      define.command("explain", "Shows how SQLite runs each query, and warns of those that go through a large table",
                     queries_explain, {"explain --name context --strict queries/context.sql"}),
      arguments);
  explain
      .add_option("--above", arguments.most_rows,
                  "Tables that have more rows, as the file says with -- rows: TABLE NUMBER, are large")
      ->transform(command_line::whole_number(0))
      ->type_name("N")
      ->capture_default_str();
  explain.add_flag("--strict", arguments.strict, "Warnings fail it, too: for CI");
}

}  // namespace statehouse::cli
