#pragma once

#include <filesystem>
#include <stdexcept>

#include "left_log.hpp"
#include "statehouse/testing/temp_dir.hpp"

namespace statehouse::test {

/// What a process has left that was killed in the middle of a transaction, in a file `x.db` that has never seen WAL:
/// there is something to be played back, so that a table `old` has 100 rows that do not begin with an x.
class HotJournal {
 public:
  HotJournal() {
    leave_log(
        dir_ / "x.db",
        "PRAGMA cache_size = 2; CREATE TABLE old(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM "
        "n WHERE i < 100) INSERT INTO old SELECT i || hex(zeroblob(200)) FROM n; BEGIN; UPDATE old SET a = 'x' || a");
    if (std::filesystem::file_size(dir_ / "x.db-journal") < 4096) throw std::logic_error("there is no hot journal");
  }
  void copy_to(const std::filesystem::path& dir) const { std::filesystem::copy(dir_.path(), dir); }

 private:
  testing::TempDir dir_;
};

}  // namespace statehouse::test
