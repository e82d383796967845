#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "command_groups.hpp"
#include "command_line.hpp"
#include "commands.hpp"
#include "definition.hpp"

namespace statehouse::cli {
namespace {

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
          .extensions()
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
      .extensions()
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
      .extensions()
      .table()
      .app()
      .add_option("--check", arguments.source_file,
                  "Print how the schema differs from that of FILE, and exit with 3 if it does: for CI")
      ->type_name("FILE");
  define
      .command("seed", "Runs a file of SQL in one transaction, which is kept as a whole or not at all", db_seed,
               {"seed --data-dir data --name context", "seed --database data/context.db demo.sql"})
      .database()
      .extensions()
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
      .database()
      .extensions();
  define
      .command("optimize", "Has SQLite look at the indexes, so that it chooses among them better", db_optimize,
               {"optimize --database data/context.db"})
      .database()
      .extensions();
  define
      .command("checkpoint", "Moves the write-ahead log into a database that no other process has open", db_checkpoint,
               {"checkpoint --database data/context.db"})
      .database();
}

}  // namespace

void define_db(CLI::App& parent, Arguments& arguments) {
  CLI::App& app = group(parent, "db", "Creates, drops, checks, fills, backs up and restores databases");
  app.alias("database");
  Definition define(app, arguments);
  define_lifetime(define, arguments);
  define
      .command("check", "Looks for damage, and tells journal mode, sizes and the version of SQLite", db_check,
               {"check --database data/context.db"})
      .database()
      .extensions();
  define_copies(define, arguments);
  define_content(define, arguments);
  define_upkeep(define);
  define
      .command("shell-info", "Tells how to open a database with the sqlite3 shell without harm", db_shell_info,
               {"shell-info --database data/context.db"})
      .database();
}

}  // namespace statehouse::cli
