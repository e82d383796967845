#include <algorithm>
#include <boost/json/array.hpp>
#include <exception>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "errors.hpp"
#include "migrations.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "statehouse/database_files.hpp"
#include "statehouse/database_name.hpp"
#include "stop_signals.hpp"

// migrate run --all

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;

/// One of the databases, and what has become of it.
struct Done {
  std::string name;
  fs::path file;
  MigrationReport applied{};
  std::exception_ptr failure{};
};

/// Several threads take one database after the other, until there is none left or the user wants no more.
class Crew {
 public:
  Crew(const Arguments& arguments, const Migrator& migrations, const StopSignals& signals, std::vector<Done>& databases)
      : arguments_(arguments),
        migrations_(migrations),
        signals_(signals),
        databases_(databases),
        watch_("applying migrations", "databases") {}

  /// How many were begun.
  std::size_t work() {
    {
      std::vector<std::jthread> threads;
      const auto count = std::min(static_cast<std::size_t>(arguments_.concurrency), databases_.size());
      try {
        while (threads.size() + 1 < count) threads.emplace_back([this] { work_through(); });
      } catch (const std::system_error&) {  // with those that could be started
      }
      work_through();
    }
    return next_;
  }

 private:
  void work_through() {
    while (Done* const database = take()) {
      try {
        require_file(database->file);  // none is made anew that was deleted since it was found
        auto connection = open_to_write(arguments_, database->file);
        database->applied = migrations_.run(connection);
      } catch (...) {
        database->failure = std::current_exception();
      }
      std::lock_guard lock(mutex_);
      watch_.update(static_cast<std::int64_t>(++done_), static_cast<std::int64_t>(databases_.size()));
    }
  }
  Done* take() {
    std::lock_guard lock(mutex_);
    if (next_ == databases_.size() || signals_.token().stop_requested()) return nullptr;
    return &databases_[next_++];
  }

  const Arguments& arguments_;
  const Migrator& migrations_;
  const StopSignals& signals_;
  std::vector<Done>& databases_;
  Progress watch_;
  std::mutex mutex_;
  std::size_t next_ = 0;
  std::size_t done_ = 0;
};

std::vector<Done> find(const Arguments& arguments) {
  if (arguments.data_dir.empty()) throw UsageError("in which directory are the databases? Give --data-dir DIR");
  const fs::path data_dir = resolved(fs::path(arguments.data_dir) / "");
  require_there(data_dir, "data directory");
  std::vector<Done> databases;
  for (std::string& name : find_databases(data_dir, arguments.pattern, arguments.dev_prefix)) {
    const fs::path file = data_dir / DatabaseName::parse_or_throw(name).file_name(arguments.dev_prefix);
    databases.push_back({.name = std::move(name), .file = file});
  }
  return databases;
}

/// Whether it is up to date now.
bool tell(const Done& database, Output& output) {
  json::object told{{"name", database.name}, {"database", database.file.string()}};
  const auto& versions = database.applied.versions;
  told["applied"] = json::array(versions.begin(), versions.end());
  told["elapsed_ns"] = database.applied.elapsed.count();
  told["error"] = nullptr;
  if (database.failure != nullptr) {
    told["error"] = describe(database.failure).object;
    const auto& message = told["error"].as_object().at("message").as_string();
    output.line("failed " + database.name + ": " + std::string(message), style::bad);
  } else if (!versions.empty()) {
    output.line(database.name + ": " + count_text(versions.size(), "migration") + " applied (" +
                    to_text(database.applied.elapsed) + ')',
                style::good);
  }
  output.document()["databases"].as_array().push_back(std::move(told));
  return database.failure == nullptr;
}

}  // namespace

void migrate_run_all(const Arguments& arguments, Output& output) {
  std::vector<Done> databases = find(arguments);
  const auto migrations = read_folder(arguments, output, arguments.ignore_missing);
  output.document()["databases"].emplace_array();
  const StopSignals signals;
  const std::size_t begun = Crew(arguments, migrations, signals, databases).work();
  std::size_t failed = 0;
  std::size_t changed = 0;
  for (std::size_t i = 0; i < begun; ++i) {
    failed += !tell(databases[i], output);
    changed += !databases[i].applied.versions.empty();
  }
  output.document()["up_to_date"] = begun - failed;
  output.document()["failed"] = failed;
  const std::string left = std::to_string(databases.size() - begun) + " of " + count_text(databases.size(), "database");
  if (begun < databases.size())
    signals.throw_if_requested(("interrupted: " + left + " were left as they are, run it again").c_str());
  if (failed > 0)
    throw Finding("not_all", std::to_string(failed) + " of " + count_text(databases.size(), "database") +
                                 " could not be brought up to date, the others are: run it again when that is mended");
  output.line(databases.empty() ? "there is no such database"
                                : count_text(databases.size(), "database") + " up to date, " + std::to_string(changed) +
                                      " of them by this run");
}

}  // namespace statehouse::cli
