#pragma once

namespace statehouse::cli {

struct Arguments;
class Output;

// Each does what its name says, tells it to the output, and throws what goes wrong.
void migrate_add(const Arguments& arguments, Output& output);
void migrate_run(const Arguments& arguments, Output& output);
void migrate_run_all(const Arguments& arguments, Output& output);
void migrate_revert(const Arguments& arguments, Output& output);
void migrate_info(const Arguments& arguments, Output& output);
void migrate_plan(const Arguments& arguments, Output& output);
void migrate_verify(const Arguments& arguments, Output& output);
void migrate_repair(const Arguments& arguments, Output& output);
void migrate_baseline(const Arguments& arguments, Output& output);

void db_create(const Arguments& arguments, Output& output);
void db_drop(const Arguments& arguments, Output& output);
void db_reset(const Arguments& arguments, Output& output);
void db_setup(const Arguments& arguments, Output& output);
void db_check(const Arguments& arguments, Output& output);
void db_backup(const Arguments& arguments, Output& output);
void db_restore(const Arguments& arguments, Output& output);
void db_schema(const Arguments& arguments, Output& output);
void db_seed(const Arguments& arguments, Output& output);
void db_vacuum(const Arguments& arguments, Output& output);
void db_optimize(const Arguments& arguments, Output& output);
void db_checkpoint(const Arguments& arguments, Output& output);
void db_shell_info(const Arguments& arguments, Output& output);

void cluster_status(const Arguments& arguments, Output& output);
void cluster_add(const Arguments& arguments, Output& output);
void cluster_remove(const Arguments& arguments, Output& output);
void cluster_transfer(const Arguments& arguments, Output& output);
void cluster_dump(const Arguments& arguments, Output& output);
void cluster_import(const Arguments& arguments, Output& output);

void queries_check(const Arguments& arguments, Output& output);
void queries_generate(const Arguments& arguments, Output& output);
void queries_explain(const Arguments& arguments, Output& output);

/// Writes the manual pages into `arguments.target_directory`.
void manual(const Arguments& arguments, Output& output);
/// Prints the completion script for `arguments.shell`.
void completion(const Arguments& arguments, Output& output);

}  // namespace statehouse::cli
