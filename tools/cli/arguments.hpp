#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace statehouse::cli {

class Output;
struct Arguments;
using Command = void (*)(const Arguments&, Output&);

/// Everything that can be said on the command line.
struct Arguments {
  Command command = nullptr;
  bool as_json = false;

  // The database: a file, or a name as the library has it.
  std::string database;
  bool must_exist = false;  ///< `migrate run` does not make the file.
  std::string data_dir;
  std::string name;
  std::string dev_prefix;
  std::chrono::milliseconds busy_timeout{5000};
  std::vector<std::string> extensions;  ///< Of SQLite, in this order.

  // The cluster: addresses with commas between them.
  std::string cluster;
  std::chrono::milliseconds dial_timeout{1000};
  std::chrono::milliseconds find_leader{15'000};
  std::int64_t node_id = 0;
  std::string node_address;
  std::string node_role = "voter";

  // The migrations.
  std::string source = "migrations";
  std::string table = "_sqlx_migrations";
  std::string ignored_characters;
  std::optional<std::int64_t> target_version;
  std::vector<std::int64_t> versions;
  bool ignore_missing = false;
  bool strict = false;
  bool dry_run = false;
  bool check = false;

  // migrate run --all
  bool all = false;
  std::string pattern = "**";
  std::int64_t concurrency = 4;

  // migrate add
  std::string description;
  bool reversible = false;
  bool simple = false;
  bool sequential = false;
  bool timestamp = false;

  // db
  std::string source_file;
  std::string target_file;
  std::optional<std::int64_t> keep;  ///< target_file is a directory.
  bool overwrite = false;
  bool force = false;

  // queries
  std::int64_t most_rows = 1000;

  bool yes = false;

  // What belongs to the tool itself.
  std::string shell;
  std::string target_directory;
};

/// The whole command line of the tool. `arguments` must outlive `app`.
void define(CLI::App& app, Arguments& arguments);

}  // namespace statehouse::cli
