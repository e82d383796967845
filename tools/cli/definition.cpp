#include "definition.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "command_line.hpp"
#include "help_format.hpp"
#include "settings.hpp"

namespace statehouse::cli {

const char* const exit_codes =
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 would change something (--check);\n"
    "ended by Ctrl-C or SIGTERM: by that signal, 130 or 143 for a shell.\n"
    "With --format json, standard output is exactly one JSON document, also where the\n"
    "command fails: {\"ok\": false, \"command\": ...,\n"
    R"(  "error": {"kind", "version", "file", "line", "message"}})";

const char* const setting_rule =
    "What has a name in brackets may also come from that environment variable, else\n"
    "from a line NAME=value of the file .env, else from statehouse.toml, where it is\n"
    "called as here without the hyphens: data-dir = \"data\". Both files are looked for\n"
    "in the working directory. The command line goes before all of them.";

CLI::App& group(CLI::App& app, const std::string& name, const std::string& description) {
  auto* const added = app.add_subcommand(name, description);
  added->require_subcommand(1);
  added->formatter(std::make_shared<HelpFormat>());
  added->footer("'statehouse " + name + " COMMAND --help' tells more, with examples.\n\n" + exit_codes);
  return *added;
}

Definition& Definition::command(const std::string& name, const std::string& description, Command function,
                                std::initializer_list<std::string> examples) {
  app_ = group_->add_subcommand(name, description);
  app_->callback([&arguments = arguments_, function] { arguments.command = function; });
  std::string footer = examples.size() == 1 ? "Example:\n" : "Examples:\n";
  for (const auto& example : examples) footer += "  statehouse " + group_->get_name() + ' ' + example + '\n';
  app_->footer("");  // not the group's
  app_->footer([command = app_, footer] {
    const bool settings = !command->get_options([](const CLI::Option* option) { return is_setting(*option); }).empty();
    return footer + '\n' + (settings ? std::string(setting_rule) + "\n\n" : std::string()) + exit_codes;
  });
  app_->add_option_function<std::string>(
          "--format", [&arguments = arguments_](const std::string& format) { arguments.as_json = format == "json"; },
          "How to say what was done: table, or json for machines")
      ->check(CLI::IsMember({"table", "json"}))
      ->default_str("table");
  return *this;
}

Definition& Definition::alias(const std::string& name) {
  app_->alias(name);
  return *this;
}

Definition& Definition::source() {
  app_->add_option("--source", arguments_.source,
                   "Directory of the migrations; with a name of the database migrations/NAME, if that is there or "
                   "migrations has none itself")
      ->type_name("DIR")
      ->capture_default_str();
  return *this;
}

Definition& Definition::folder() {
  source();
  app_->add_option("--name", arguments_.name, "Name of the database that they are of")->type_name("NAME");
  return *this;
}

Definition& Definition::database() {
  auto* const file = app_->add_option("--database", arguments_.database, "File of the database")->type_name("FILE");
  auto* const directory =
      app_->add_option("--data-dir", arguments_.data_dir, "Directory of the databases that are meant by name")
          ->type_name("DIR");
  auto* const name =
      app_->add_option("--name", arguments_.name, "Name of the database: FILE is DIR/NAME.db")->type_name("NAME");
  auto* const prefix =
      app_->add_option("--dev-prefix", arguments_.dev_prefix, "FILE is DIR/PREFIX_NAME.db")->type_name("PREFIX");
  file->excludes(directory, name, prefix);
  limit("--busy-timeout", arguments_.busy_timeout, "Longest wait for another process's lock, in seconds", "5");
  return *this;
}

Definition& Definition::or_cluster() {
  auto* const nodes =
      nodes_option("A cluster that keeps the database of that name: HOST:PORT of its nodes, with commas");
  nodes->excludes(app_->get_option("--database"), app_->get_option("--data-dir"));
  return *this;
}

Definition& Definition::cluster() {
  nodes_option("Addresses HOST:PORT of one or more nodes, with commas between them");
  return *this;
}

Definition& Definition::clustered_database() {
  cluster();
  app_->add_option("--name", arguments_.name, "Name of the database: it is NAME.db in the cluster")->type_name("NAME");
  app_->add_option("--dev-prefix", arguments_.dev_prefix, "It is PREFIX_NAME.db in the cluster")->type_name("PREFIX");
  return *this;
}

Definition& Definition::node() {
  app_->add_option("ID", arguments_.node_id, "Number of the node, as 'statehouse cluster status' shows it")
      ->transform(command_line::whole_number(1))
      ->required();
  return *this;
}

Definition& Definition::folder_and_database() {
  source().database().table().extensions();
  app_->add_option("--ignored-chars", arguments_.ignored_characters,
                   R"(Characters left out of checksums; \r, \n, \t and \uXXXX stand for their characters)")
      ->type_name("CHARS");
  return *this;
}

Definition& Definition::table() {
  app_->add_option("--table", arguments_.table, "Table that records what is applied")
      ->type_name("NAME")
      ->capture_default_str();
  return *this;
}

Definition& Definition::extensions() {
  app_->add_option("--load-extension", arguments_.extensions,
                   "Extension of SQLite that the database needs, a file with a '/' in its path or what the system's "
                   "loader finds by that name; once for each")
      ->allow_extra_args(false)
      ->type_name("FILE");
  return *this;
}

Definition& Definition::copy_to_file() {
  app_->add_option("--to", arguments_.target_file, "The copy; it appears when it is complete")
      ->required()
      ->type_name("FILE");
  return flag("--overwrite", arguments_.overwrite, "Replace FILE if it exists");
}

Definition& Definition::tolerating() {
  return flag("--ignore-missing", arguments_.ignore_missing, "Accept applied versions that the folder does not have");
}

Definition& Definition::target(const std::string& description) {
  app_->add_option("--target-version", arguments_.target_version, description)
      ->transform(command_line::whole_number())
      ->type_name("N");
  return *this;
}

Definition& Definition::flag(const std::string& name, bool& value, const std::string& description) {
  app_->add_flag(name, value, description);
  return *this;
}

CLI::Option* Definition::nodes_option(const std::string& description) {
  limit("--dial-timeout", arguments_.dial_timeout, "Longest wait for one node's answer, in seconds", "1");
  limit("--find-leader", arguments_.find_leader, "Longest search for the node that leads, in seconds", "15");
  return app_->add_option("--cluster", arguments_.cluster, description)->type_name("NODES");
}

void Definition::limit(const std::string& name, std::chrono::milliseconds& value, const std::string& description,
                       const std::string& usual) {
  app_->add_option_function<double>(
          name,
          [&value](double seconds) { value = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)); },
          description)
      ->transform(command_line::seconds(0, 86400).description(""))
      ->type_name("SECONDS")
      ->default_str(usual);
}

}  // namespace statehouse::cli
