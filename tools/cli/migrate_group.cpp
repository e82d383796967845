#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "command_groups.hpp"
#include "command_line.hpp"
#include "commands.hpp"
#include "definition.hpp"

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

/// In place of one database.
void define_all(CLI::App& app, Arguments& arguments) {
  auto* const all = app.add_flag("--all", arguments.all, "All databases whose files are in --data-dir; makes none");
  for (const char* const other : {"--database", "--name", "--cluster", "--target-version", "--dry-run"})
    all->excludes(app.get_option(other));
  app.add_option("--pattern", arguments.pattern,
                 "Of these the ones with such a name; * is any part of a segment, ** one segment or several")
      ->needs(all)
      ->type_name("PATTERN")
      ->capture_default_str();
  app.add_option("--concurrency", arguments.concurrency, "Most databases at once")
      ->needs(all)
      ->transform(command_line::whole_number(1, 1024))
      ->type_name("N")
      ->capture_default_str();
}

void define_applying(Definition define, Arguments& arguments) {
  const char* const strict = "Refuse a pending version that is older than an applied one";
  auto& run = define
                  .command("run", "Applies what is pending; creates the database if it is missing", migrate_run,
                           {"run --database data/context.db", "run --data-dir data --name context --target-version 3",
                            "run --all --data-dir data --pattern 'tenants/*/state'"})
                  .alias("up")
                  .folder_and_database()
                  .or_cluster()
                  .target("Apply up to and including this version")
                  .dry_run()
                  .tolerating()
                  .flag("--strict", arguments.strict, strict)
                  .app();
  define_all(run, arguments);
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
      .extensions()
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

}  // namespace

void define_migrate(CLI::App& parent, Arguments& arguments) {
  CLI::App& app = group(parent, "migrate", "Writes, applies, reverts and checks migrations");
  app.alias("mig");
  const Definition define(app, arguments);
  define_add(define, arguments);
  define_applying(define, arguments);
  define_looking(define, arguments);
  define_recording(define, arguments);
}

}  // namespace statehouse::cli
