// The connection that pins the log while the writer moves it.

#include <SQLiteCpp/Database.h>

#include <catch2/catch_test_macros.hpp>

#include "database_file.hpp"
#include "error_of.hpp"
#include "shim_vfs.hpp"

namespace statehouse::test {
namespace {

/// A file system that opens no more files when it is told so.
struct FullTable final : ShimVfs {
  FullTable() : ShimVfs("full table") {}

  bool full = false;

 private:
  int open(const char* name, sqlite3_file* file, int flags, int* out_flags) override {
    file->pMethods = nullptr;
    return full ? SQLITE_CANTOPEN : open_real(name, file, flags, out_flags);
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
