#include "arguments.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "command_line.hpp"
#include "commands.hpp"
#include "definition.hpp"
#include "help_format.hpp"
#include "statehouse/sqlite_version.hpp"
#include "statehouse/version.hpp"

namespace statehouse::cli {
namespace {

void define_add(Definition define, Arguments& arguments) {
  auto& app = define
                  .command("add", "Creates the file or files of a new migration, to be filled in", migrate_add,
                           {"add --name context create_users", "add -r --sequential 'add email to users'"})
                  .alias("new")
                  .folder()
                  .app();
  app.add_option("NAME", arguments.description, "What it does; blanks become '_'")->required();
  auto* const reversible = app.add_flag("-r,--reversible", arguments.reversible,
                                        "An .up.sql and a .down.sql file (default: as the latest migration)");
  app.add_flag("--simple", arguments.simple, "One .sql file")->excludes(reversible);
  auto* const sequential = app.add_flag("-s,--sequential", arguments.sequential,
                                        "The latest version plus one (default where versions count up by one so far)");
  app.add_flag("-t,--timestamp", arguments.timestamp, "The present time, YYYYMMDDHHMMSS in UTC (default otherwise)")
      ->excludes(sequential);
}

void define_applying(Definition define, Arguments& arguments) {
  const char* const strict = "Refuse a pending version that is older than an applied one";
  define
      .command("run", "Applies what is pending; creates the database if it is missing", migrate_run,
               {"run --database data/context.db", "run --data-dir data --name context --target-version 3"})
      .alias("up")
      .folder_and_database()
      .or_cluster()
      .target("Apply up to and including this version")
      .dry_run()
      .tolerating()
      .flag("--strict", arguments.strict, strict);
  define
      .command("revert", "Reverts the latest applied migration that has a down file", migrate_revert,
               {"revert --database data/context.db", "revert --data-dir data --name context --target-version 0"})
      .alias("down")
      .folder_and_database()
      .or_cluster()
      .target("Revert all versions above this one; 0 reverts all")
      .dry_run()
      .tolerating();
  define
      .command("plan", "Shows what run would do, after all its checks; changes nothing", migrate_plan,
               {"plan --data-dir data --name context"})
      .folder_and_database()
      .or_cluster()
      .target("Plan up to and including this version")
      .tolerating()
      .flag("--strict", arguments.strict, strict);
}

void define_looking(Definition define, Arguments& arguments) {
  define
      .command("info", "Lists the migrations of the folder and of the database; changes nothing", migrate_info,
               {"info --data-dir data --name context", "info --check --database data/context.db"})
      .alias("status")
      .folder_and_database()
      .or_cluster()
      .flag("--check", arguments.check, "Exit with 3 unless all are applied, unchanged and known: for CI")
      .tolerating();
  define
      .command("verify",
               "Checks a folder without a database: reads the files, looks for loss of data, and applies, reverts and "
               "applies them again in memory",
               migrate_verify, {"verify --name context", "verify --source migrations/context --strict"})
      .folder()
      .flag("--strict", arguments.strict, "Warnings fail it, too: for pre-commit hooks and CI");
}

void define_recording(Definition define, Arguments& arguments) {
  define
      .command("repair", "Records what the files of these versions are now; runs nothing", migrate_repair,
               {"repair --data-dir data --name context 20250101120000"})
      .folder_and_database()
      .or_cluster()
      .dry_run()
      .yes()
      .app()
      .add_option("VERSION", arguments.versions, "Applied versions whose record is to be set right")
      ->transform(command_line::whole_number())
      ->required();
  define
      .command("baseline", "Records the versions up to this one as applied; runs nothing", migrate_baseline,
               {"baseline --data-dir data --name context 20250101120000"})
      .folder_and_database()
      .or_cluster()
      .dry_run()
      .yes()
      .app()
      .add_option("VERSION", arguments.target_version, "The version that the tables of the database are at")
      ->transform(command_line::whole_number())
      ->required();
}

void define_migrate(CLI::App& parent, Arguments& arguments) {
  CLI::App& app = group(parent, "migrate", "Writes, applies, reverts and checks migrations");
  app.alias("mig");
  const Definition define(app, arguments);
  define_add(define, arguments);
  define_applying(define, arguments);
  define_looking(define, arguments);
  define_recording(define, arguments);
}

void define_lifetime(Definition define, Arguments& arguments) {
  const char* const force = "Remove the files even where SQLite cannot tell whether somebody uses them";
  define
      .command("create", "Creates an empty database, mode 0600, in WAL mode", db_create,
               {"create --database data/context.db"})
      .database();
  define
      .command("drop", "Deletes a database that no other process has open", db_drop,
               {"drop --database data/context.db"})
      .database()
      .yes()
      .flag("--force", arguments.force, force);
  define
      .command("reset", "Drops a database, creates it again and applies all migrations", db_reset,
               {"reset --data-dir data --name context --yes"})
      .folder_and_database()
      .yes()
      .flag("--force", arguments.force, force);
  define
      .command("setup", "Creates a database if it is missing and applies what is pending", db_setup,
               {"setup --data-dir data --name context"})
      .folder_and_database()
      .tolerating();
}

void define_copies(Definition define, Arguments& arguments) {
  auto& backup =
      define
          .command("backup", "Copies a database, also while others write to it, into a file with mode 0600", db_backup,
                   {"backup --database data/context.db --to backup/context.db",
                    "backup --data-dir data --name context --to backup --keep 14"})
          .database()
          .copy_to_file()
          .app();
  backup
      .add_option("--keep", arguments.keep,
                  "FILE is a directory, made if it is missing: copy into it under a name that has the time, then "
                  "remove all but the latest N copies of this database there; 0 removes none")
      ->transform(command_line::whole_number(0, 1'000'000))
      ->type_name("N")
      ->excludes("--overwrite");
  define
      .command("restore",
               "Puts a backup in place of a database that nobody has open; checks it first, and keeps what was there "
               "under a name that it tells",
               db_restore,
               {"restore --database data/context.db --from backup/context.db",
                "restore --data-dir data --name context --from backup"})
      .database()
      .app()
      .add_option("--from", arguments.source_file,
                  "The backup; of a directory that --keep was given for, the latest one of this database")
      ->required()
      ->type_name("FILE");
}

void define_content(Definition define, Arguments& arguments) {
  define
      .command("schema", "Prints the schema as SQL, in an order that does not depend on its history", db_schema,
               {"schema --data-dir data --name context > schema.sql",
                "schema --data-dir data --name context --check schema.sql"})
      .database()
      .table()
      .app()
      .add_option("--check", arguments.source_file,
                  "Print how the schema differs from that of FILE, and exit with 3 if it does: for CI")
      ->type_name("FILE");
  define
      .command("seed", "Runs a file of SQL in one transaction, which is kept as a whole or not at all", db_seed,
               {"seed --data-dir data --name context", "seed --database data/context.db demo.sql"})
      .database()
      .app()
      .add_option("FILE", arguments.source_file, "The file; without it seeds/NAME.sql, or seeds.sql")
      ->type_name("FILE");
}

void define_upkeep(Definition define) {
  define
      .command(
          "vacuum",
          "Writes the database anew without free pages; whoever writes meanwhile waits, and fails where that takes "
          "longer than he waits; rowids of tables without INTEGER PRIMARY KEY may change",
          db_vacuum, {"vacuum --database data/context.db"})
      .database();
  define
      .command("optimize", "Has SQLite look at the indexes, so that it chooses among them better", db_optimize,
               {"optimize --database data/context.db"})
      .database();
  define
      .command("checkpoint", "Moves the write-ahead log into a database that no other process has open", db_checkpoint,
               {"checkpoint --database data/context.db"})
      .database();
}

void define_db(CLI::App& parent, Arguments& arguments) {
  CLI::App& app = group(parent, "db", "Creates, drops, checks, fills, backs up and restores databases");
  app.alias("database");
  Definition define(app, arguments);
  define_lifetime(define, arguments);
  define
      .command("check", "Looks for damage, and tells journal mode, sizes and the version of SQLite", db_check,
               {"check --database data/context.db"})
      .database();
  define_copies(define, arguments);
  define_content(define, arguments);
  define_upkeep(define);
  define
      .command("shell-info", "Tells how to open a database with the sqlite3 shell without harm", db_shell_info,
               {"shell-info --database data/context.db"})
      .database();
}

void define_membership(Definition define, Arguments& arguments) {
  const char* const nodes = "--cluster 10.0.0.1:9001,10.0.0.2:9001";
  define
      .command("status", "Asks every node: who belongs to the cluster, who leads, who does not answer", cluster_status,
               {std::string("status ") + nodes})
      .cluster();
  auto& add =
      define
          .command("add", "Makes a node that runs a member, or gives a member another role; --join does it by itself",
                   cluster_add,
                   {"add --cluster 10.0.0.1:9001 4 10.0.0.4:9001",
                    "add --cluster 10.0.0.1:9001 4 10.0.0.4:9001 --role spare"})
          .cluster()
          .node()
          .app();
  add.add_option("ADDRESS", arguments.node_address, "HOST:PORT it listens on, as the others reach it")->required();
  add.add_option("--role", arguments.node_role,
                 "What it does: voter; standby, has the data and no vote; spare, has neither")
      ->check(CLI::IsMember({"voter", "standby", "spare"}))
      ->capture_default_str();
  define
      .command("remove", "Takes a node out of the cluster; stop it before, or it joins again when it is restarted",
               cluster_remove, {"remove --cluster 10.0.0.1:9001,10.0.0.2:9001 3"})
      .cluster()
      .node()
      .yes();
  define
      .command("transfer", "Has this node lead, before the one that leads is stopped for long", cluster_transfer,
               {std::string("transfer ") + nodes + " 2"})
      .cluster()
      .node();
}

void define_cluster(CLI::App& parent, Arguments& arguments) {
  CLI::App& app = group(parent, "cluster", "Looks after the nodes of a cluster, and copies databases out of it");
  Definition define(app, arguments);
  define_membership(define, arguments);
  define
      .command("dump", "Copies a database of the cluster, also while others write to it, into a file with mode 0600",
               cluster_dump, {"dump --cluster 10.0.0.1:9001 --name context --to context.db"})
      .clustered_database()
      .copy_to_file();
  define
      .command("import", "Copies a database file into a database of the cluster that has no tables yet, and compares",
               cluster_import, {"import --cluster 10.0.0.1:9001 --name context context.db"})
      .clustered_database()
      .app()
      .add_option("FILE", arguments.source_file, "The database; nobody may write to it meanwhile")
      ->required()
      ->type_name("FILE");
}

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
  define_own(app, arguments);
}

}  // namespace statehouse::cli
