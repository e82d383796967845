#include "arguments.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "command_groups.hpp"
#include "commands.hpp"
#include "definition.hpp"
#include "help_format.hpp"
#include "statehouse/sqlite_version.hpp"
#include "statehouse/version.hpp"

namespace statehouse::cli {
namespace {

/// What the tool has for itself, made from these definitions.
void define_own(CLI::App& app, Arguments& arguments) {
  auto* const shell = app.add_subcommand("completion", "Prints a completion script for your shell");
  shell->callback([&arguments] { arguments.command = completion; });
  shell->add_option("SHELL", arguments.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  shell->footer(
      "Examples:\n"
      "  cd ~/.local/share/bash-completion/completions\n"
      "  statehouse completion bash > statehouse\n"
      "  statehouse completion zsh > _statehouse, in a directory of $fpath\n"
      "  statehouse completion fish > ~/.config/fish/completions/statehouse.fish");
  auto* const pages = app.add_subcommand("man", "Writes manual pages of all commands into a directory");
  pages->formatter(std::make_shared<HelpFormat>());
  pages->callback([&arguments] { arguments.command = manual; });
  pages->add_option("DIR", arguments.target_directory, "The directory; it is made if it is missing")
      ->required()
      ->type_name("DIR");
  pages->footer(
      "Example:\n"
      "  statehouse man ~/.local/share/man/man1, and then: man statehouse-migrate-run");
}

}  // namespace

void define(CLI::App& app, Arguments& arguments) {
  app.name("statehouse");
  app.description("Migrates and looks after SQLite databases, beside the servers that use them.");
  app.set_version_flag("--version", "statehouse " STATEHOUSE_VERSION ", SQLite " + sqlite_version().text);
  app.require_subcommand(1);
  app.formatter(std::make_shared<HelpFormat>());
  app.footer(std::string("First steps:\n"
                         "  statehouse new --name context create_users\n"
                         "  statehouse up --data-dir data --name context\n"
                         "  statehouse status --data-dir data --name context\n"
                         "new, up, status and down: short for 'migrate add', 'run', 'info' and 'revert'.\n\n") +
             setting_rule + "\n\n" + exit_codes);
  define_migrate(app, arguments);
  define_db(app, arguments);
  define_cluster(app, arguments);
  define_queries(app, arguments);
  define_own(app, arguments);
}

}  // namespace statehouse::cli
