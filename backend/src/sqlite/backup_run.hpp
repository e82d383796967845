#pragma once

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "engine/scopes.hpp"
#include "file/partial_file.hpp"
#include "sqlite/local_session.hpp"

namespace statehouse::detail {

/// A backup in slices, so that whoever makes it can do something else in between. One committed state, that of the
/// beginning. Whatever ends it before `finish` leaves nothing behind. All throw what `statehouse::backup` does.
class BackupRun {
 public:
  /// `source` is used for this alone, and outlives it.
  BackupRun(Reader& source, const std::filesystem::path& target, bool overwrite);

  /// Copies some pages; false when those were the last.
  bool step();
  std::int64_t total() const { return copying_->getTotalPageCount(); }
  std::int64_t done() const { return total() - copying_->getRemainingPageCount(); }
  /// Checks what was copied and gives it its name. Gives its size.
  std::int64_t finish();

 private:
  /// Keeps the source at one snapshot, so that no write of others makes the copy start again.
  class Snapshot {
   public:
    explicit Snapshot(Reader& source);

   private:
    std::optional<TransactionScope> own_;
  };

  template <class Step>
  auto translated(Step step);
  void verify() const;

  LocalSession& session_;
  const std::filesystem::path target_;
  const bool overwrite_;
  int steps_ = 0;
  // In this order: each uses those before it.
  std::unique_ptr<PartialFile> partial_;
  std::unique_ptr<Snapshot> snapshot_;
  std::unique_ptr<SQLite::Database> copy_;
  std::unique_ptr<SQLite::Backup> copying_;
};

}  // namespace statehouse::detail
