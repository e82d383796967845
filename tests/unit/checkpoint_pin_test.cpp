// The connection that pins the log while the writer moves it.

#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "database_file.hpp"
#include "error_of.hpp"
#include "plain_database.hpp"
#include "recording_vfs.hpp"

namespace statehouse::test {
namespace {

/// A file system that opens no more files when it is told so.
struct FullTable final : testing::detail::ShimVfs {
  FullTable() : testing::detail::ShimVfs("full table") {}

  bool full = false;

 private:
  int open(const char* name, sqlite3_file* file, int flags, int* out_flags) override {
    file->pMethods = nullptr;
    return full ? SQLITE_CANTOPEN : open_real(name, file, flags, out_flags);
  }
};

/// One in which another process has the lock of each file that is opened while it is told so.
struct OthersLock final : testing::detail::ShimVfs {
  OthersLock() : testing::detail::ShimVfs("others' lock") { methods.xLock = &OthersLock::lock; }

  bool held = false;
  int asked = 0;

 private:
  int open(const char* name, sqlite3_file* file, int flags, int* out_flags) override {
    const int result = open_real(name, file, flags, out_flags);
    ours(file).handle = held ? 1 : 0;
    return result;
  }
  static int lock(sqlite3_file* file, int level) {
    if (ours(file).handle == 0) return real(file)->pMethods->xLock(real(file), level);
    ++of<OthersLock>(file).asked;
    return SQLITE_BUSY;
  }
};

TEST_CASE("checkpoint: where no pin can be had there is none, and it says why") {
  FullTable files;
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  files.full = true;
  const auto failed = file.session().log().checkpoint(true);
  CHECK(contains(failed.failure, "unable to open database file"));
  CHECK(failed.moved == 0);
  files.full = false;
  const auto done = file.session().log().checkpoint(true);
  CHECK(done.failure == "");
  CHECK(detail::file_size_or_zero(file.fixture.path.string() + "-wal") == 0);
}

TEST_CASE("checkpoint: its pin waits for no other process, and that there is none then is no failure") {
  OthersLock files;
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  files.held = true;
  const auto none = file.session().log().checkpoint(false);  // the clock stands still: a wait would not end
  CHECK(files.asked == 1);
  CHECK(none.failure == "");
  CHECK(none.moved == 0);
  files.held = false;
  CHECK(file.session().log().checkpoint(false).moved > 0);
}

TEST_CASE("checkpoint: with a reader in its way it does not keep other processes from writing meanwhile") {
  const RecordingVfs files;
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  const PlainDatabase stranger(file.fixture.path);
  stranger.execute("BEGIN; SELECT * FROM t");
  file.db().execute("INSERT INTO t VALUES (2)");
  const auto write_locks = [&] {
    return std::ranges::count_if(files.locks(), [](const auto& lock) { return lock.covers(RecordingVfs::write_slot); });
  };
  const auto before = write_locks();
  const auto kept = file.session().log().checkpoint(true);
  CHECK(kept.moved < kept.frames);
  CHECK(write_locks() == before);
  stranger.execute("COMMIT");
  const auto cut = file.session().log().checkpoint(true);
  CHECK(cut.moved == cut.frames);
  CHECK(write_locks() > before);
}

TEST_CASE("checkpoint: the writer is woken by a stop afterwards as before") {
  WrittenFile file;
  file.db().execute("INSERT INTO t VALUES (1)");
  file.session().log().checkpoint(false);
  auto* const handle = file.db().native().getHandle();
  sqlite3_progress_handler(handle, 0, nullptr, nullptr);  // which would see the stop, too
  sqlite3_create_function_v2(
      handle, "stop", 0, SQLITE_UTF8, &file.session().interrupter(),
      [](sqlite3_context* context, int, sqlite3_value**) {
        static_cast<detail::Interrupter*>(sqlite3_user_data(context))->request(detail::stop_reason::cancelled);
        sqlite3_result_int(context, 1);
      },
      nullptr, nullptr, nullptr);
  CHECK(code_of([&] {
          file.db().query_one<int>(
              "WITH RECURSIVE c(n) AS (SELECT stop() UNION ALL SELECT n + 1 FROM c WHERE n < 2000000) SELECT max(n) "
              "FROM c");
        }) == boost::system::errc::operation_canceled);
}

}  // namespace
}  // namespace statehouse::test
