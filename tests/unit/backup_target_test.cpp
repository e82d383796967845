#include <catch2/catch_test_macros.hpp>
#include <filesystem>

#include "error_of.hpp"
#include "files.hpp"
#include "special_files.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/testing/temp_dir.hpp"

// What a backup may take the place of.

using namespace statehouse;
using namespace statehouse::test;
using statehouse::testing::TempDir;
namespace fs = std::filesystem;

TEST_CASE("backup: only regular files are replaced, whatever is asked") {
  const TempDir dir, targets;
  Connection source(dir / "x.db");
  source.execute("CREATE TABLE t(x)");
  for (const std::string& name : make_special_files(targets.path())) {
    CAPTURE(name);
    const auto before = thing_at(targets / name);
    for (const bool overwrite : {true, false}) {
      const Error error = error_of([&] { backup(source, targets / name, {.overwrite = overwrite}); });
      CHECK(error.code() == errc::not_a_regular_file);
      CHECK(contains(error.what(), (targets / name).string()));
      CHECK(contains(error.what(), "give the"));
    }
    CHECK(thing_at(targets / name) == before);
  }
  CHECK(read_file(targets / "file") == "mine");
  CHECK(read_file(targets / "full" / "file") == "mine");
  CHECK_NOTHROW(backup(source, targets / "file", {.overwrite = true}));
}

TEST_CASE("backup: what takes the target's name while it is copied is not replaced either") {
  const TempDir dir, targets;
  Connection source(dir / "x.db");
  source.execute("CREATE TABLE t(x)");
  BackupOptions options{.overwrite = true};
  options.on_progress = [&](std::int64_t, std::int64_t) { ::mkfifo((targets / "copy.db").c_str(), 0600); };
  CHECK(code_of([&] { backup(source, targets / "copy.db", options); }) == errc::not_a_regular_file);
  CHECK(fs::is_fifo(targets / "copy.db"));
  CHECK(names_in(targets.path()) == std::vector<std::string>{"copy.db"});
}

TEST_CASE("backup: a file that appears while it is copied is not replaced unasked") {
  const TempDir dir, targets;
  Connection source(dir / "x.db");
  source.execute("CREATE TABLE t(x)");
  BackupOptions options;
  options.on_progress = [&](std::int64_t, std::int64_t) { write_file(targets / "copy.db", "mine"); };
  CHECK(code_of([&] { backup(source, targets / "copy.db", options); }) == boost::system::errc::file_exists);
  CHECK(read_file(targets / "copy.db") == "mine");
  CHECK(names_in(targets.path()) == std::vector<std::string>{"copy.db"});
}
