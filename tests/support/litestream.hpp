#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "eventually.hpp"
#include "plain_database.hpp"
#include "program.hpp"

namespace statehouse::test {

/// The real program, which copies each commit of a database to a directory, within some 50 ms unless it is told
/// otherwise, and checkpoints as soon as it can.
class Litestream {
 public:
  /// Where tools/setup --ci has put it, or a package; empty where it is not installed.
  static std::string program() {
    for (const char* const place : {"/usr/local/bin/litestream", "/usr/bin/litestream"})
      if (::access(place, X_OK) == 0) return place;
    return {};
  }

  Litestream(const std::filesystem::path& dir, const std::filesystem::path& database,
             const std::string& interval = "50ms")
      : config_(dir / "litestream.yml"), database_(database), replica_(dir / "replica") {
    std::ofstream(config_) << "dbs:\n"
                           << "  - path: " << database.string() << '\n'
                           << "    monitor-interval: " << interval << '\n'
                           << "    min-checkpoint-page-count: 20\n"
                           << "    max-checkpoint-page-count: 200\n"
                           << "    replicas:\n"
                           << "      - type: file\n"
                           << "        path: " << replica_.string() << '\n'
                           << "        sync-interval: " << interval << '\n';
    start();
  }

  void start() {
    running_ = std::make_unique<Program>(std::vector<std::string>{program(), "replicate", "-config", config_.string()});
  }
  /// Stopped with SIGSTOP, but not where nobody could write until it goes on: it has the write lock while it
  /// checkpoints.
  void pause() const {
    const PlainDatabase other(database_);
    for (running_->pause(); other.try_execute("BEGIN IMMEDIATE; ROLLBACK") != SQLITE_OK; running_->pause()) resume();
  }
  void resume() const { running_->signal(SIGCONT); }
  void kill() { end(SIGKILL); }
  /// Lets it copy what is left.
  void stop() { end(SIGTERM); }

  /// What the replica has, as a database of that name; false while it has none.
  bool restore(const std::filesystem::path& to) const {
    std::filesystem::remove(to);
    Program restoring({program(), "restore", "-o", to.string(), "file://" + replica_.string()});
    restoring.finish();
    return std::filesystem::exists(to);
  }
  /// It has looked at the database for the first time: from here on `stop` copies all.
  bool follows() const {
    return eventually([&] { return std::filesystem::exists(replica_ / "generations") && generations() > 0; });
  }
  /// Each begins with a copy of the whole database: it has found a log that does not go on where it was.
  int generations() const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(replica_ / "generations"))
      count += entry.is_directory();
    return count;
  }
  std::string said() { return running_ != nullptr ? running_->said() : said_; }

 private:
  void end(int signal) {
    running_->signal(signal);
    running_->finish();
    said_ += running_->said();
    running_.reset();
  }

  const std::filesystem::path config_;
  const std::filesystem::path database_;
  const std::filesystem::path replica_;
  std::unique_ptr<Program> running_;
  std::string said_;
};

}  // namespace statehouse::test
