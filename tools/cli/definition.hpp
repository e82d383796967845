#pragma once

#include <chrono>
#include <initializer_list>
#include <string>

#include "arguments.hpp"

namespace CLI {
class Option;
}

namespace statehouse::cli {

/// Ends the help of every command.
extern const char* const exit_codes;

/// Ends the help of every command that has settings.
extern const char* const setting_rule;

/// A command of commands.
CLI::App& group(CLI::App& app, const std::string& name, const std::string& description);

/// Defines one command of a group after the other, out of the parts that several share.
class Definition {
 public:
  Definition(CLI::App& group, Arguments& arguments) : group_(&group), arguments_(arguments) {}

  /// A command with its examples, one per line without the program's name. What follows is added to it.
  Definition& command(const std::string& name, const std::string& description, Command function,
                      std::initializer_list<std::string> examples);

  /// How else it may be called.
  Definition& alias(const std::string& name);
  /// A directory of migrations, without a database.
  Definition& folder();
  /// A file, or a name as the library has it.
  Definition& database();
  /// Of SQLite, that scripts or the schema need.
  Definition& extensions();
  /// In place of a file.
  Definition& or_cluster();
  Definition& cluster();
  /// One of those that the cluster keeps.
  Definition& clustered_database();
  Definition& node();
  /// What compares a folder with a database.
  Definition& folder_and_database();
  /// The one that records what is applied.
  Definition& table();
  Definition& copy_to_file();
  Definition& tolerating();
  Definition& target(const std::string& description);
  Definition& flag(const std::string& name, bool& value, const std::string& description);
  Definition& yes() { return flag("-y,--yes", arguments_.yes, "Do not ask"); }
  Definition& dry_run() { return flag("--dry-run", arguments_.dry_run, "Show what would be done and do nothing"); }
  /// For what only this command has.
  CLI::App& app() { return *app_; }

 private:
  Definition& source();
  CLI::Option* nodes_option(const std::string& description);
  void limit(const std::string& name, std::chrono::milliseconds& value, const std::string& description,
             const std::string& usual);

  CLI::App* group_;
  CLI::App* app_ = nullptr;
  Arguments& arguments_;
};

}  // namespace statehouse::cli
