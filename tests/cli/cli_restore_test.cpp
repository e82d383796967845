#include <catch2/catch_test_macros.hpp>
#include <filesystem>

#include "error_of.hpp"
#include "eventually.hpp"
#include "files.hpp"
#include "neighbour.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

// `db backup --keep` and `db restore`, with the real program.

using namespace statehouse::test;
namespace fs = std::filesystem;

namespace {

/// x.db with a table, whose rows tell one state from another.
struct Filled : Workshop {
  Filled() {
    REQUIRE(db("create").exit_code == 0);
    set(1);
  }
  void set(int value) const {
    PlainDatabase(*this / "x.db", patience)
        .execute("CREATE TABLE IF NOT EXISTS t(x); DELETE FROM t; INSERT INTO t VALUES (" + std::to_string(value) +
                 ")");
  }
  std::int64_t value(const fs::path& file = "x.db") const {
    return PlainDatabase(*this / file).scalar("SELECT x FROM t");
  }
  std::string keep(int count) const {
    const ToolRun run = db("backup", {"--to", "backups", "--keep", std::to_string(count)});
    CAPTURE(run.out, run.err);
    REQUIRE(run.exit_code == 0);
    return text_of(run.document().at("backup"));
  }
};

}  // namespace

TEST_CASE(
    "db backup --keep: names that sort, so many of them, in a directory that is made; what is there of others stays") {
  const Filled shop;
  std::vector<std::string> made;
  for (int i = 1; i < 6; ++i) {
    shop.set(i);
    made.push_back(shop.keep(3));
    if (i == 1) write_file(shop / "backups" / "notes.txt", "mine");
  }
  CHECK(std::ranges::is_sorted(made));
  CHECK(mode_of(shop / "backups") == 0700);
  const auto names = shop.files("backups");
  REQUIRE(names.size() == 4);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK((shop / "backups" / names[1 + i]).string() == made[2 + i]);
    CHECK(shop.value(fs::path("backups") / names[1 + i]) == static_cast<std::int64_t>(3 + i));
  }
  CHECK(names[0] == "notes.txt");
  const ToolRun all = shop.db("backup", {"--to", "backups", "--keep", "0"});
  CHECK(all.document().at("removed").as_array().empty());
  CHECK(shop.db("backup", {"--to", "backups", "--keep", "1"}).document().at("removed").as_array().size() == 4);
}

TEST_CASE("db backup --keep: goes with no --overwrite, takes no negative number, and no file for a directory") {
  const Filled shop;
  CHECK(shop.db("backup", {"--to", "backups", "--keep", "1", "--overwrite"}).exit_code == 2);
  CHECK(shop.db("backup", {"--to", "backups", "--keep", "-1"}).exit_code == 2);
  CHECK(shop.files() == std::vector<std::string>{"x.db"});
  write_file(shop / "file", "mine");
  CHECK(shop.db("backup", {"--to", "file", "--keep", "1"}).exit_code == 1);
  CHECK(read_file(shop / "file") == "mine");
}

TEST_CASE("db restore: a file, or the latest backup of a directory; what was there is told and opens as it was") {
  const Filled shop;
  for (int i = 1; i < 4; ++i) {
    shop.set(i);
    shop.keep(2);
  }
  shop.set(9);
  const ToolRun run = shop.db("restore", {"--from", "backups"});
  CAPTURE(run.out, run.err);
  REQUIRE(run.exit_code == 0);
  CHECK(shop.value() == 3);
  const std::string kept = text_of(run.document().at("kept"));
  CHECK(PlainDatabase(kept).scalar("SELECT x FROM t") == 9);
  const std::string older = "backups/" + shop.files("backups").front();
  const ToolRun told = shop.run({"db", "restore", "--database", "x.db", "--from", older});
  CHECK(told.exit_code == 0);
  CHECK(shop.value() == 2);
  CHECK(contains(told.out, "restored "));
  CHECK(contains(told.out, ", checked)"));
  CHECK(contains(told.out, "what was there is kept as "));
  // And back.
  fs::rename(kept, shop / "kept.db");
  CHECK(shop.db("restore", {"--from", "kept.db"}).exit_code == 0);
  CHECK(shop.value() == 9);
}

TEST_CASE("db restore: where there is no database yet, its directory is made and nothing is kept") {
  const Filled shop;
  REQUIRE(shop.db("backup", {"--to", "copy.db"}).exit_code == 0);
  const ToolRun run = shop.json({"db", "restore", "--data-dir", "data", "--name", "x", "--from", "copy.db"});
  CHECK(run.exit_code == 0);
  CHECK(run.document().at("kept").is_null());
  CHECK(shop.value("data/x.db") == 1);
  CHECK(shop.files("data") == std::vector<std::string>{"x.db"});
  CHECK(mode_of(shop / "data") == 0700);
}

TEST_CASE("db restore: a backup that is none, damaged or not there, and a directory without one of this database") {
  const Filled shop;
  const auto kind = [&](const std::string& from) {
    const ToolRun run = shop.db("restore", {"--from", from});
    CHECK(run.exit_code == 1);
    return run.kind();
  };
  write_file(shop / "script.sql", "SELECT 1");
  CHECK(kind("script.sql") == "corrupt");
  CHECK(kind("nowhere") == "not_found");
  CHECK(kind("x.db") == "file_in_use");
  fs::create_directory(shop / "backups");
  CHECK(kind("backups") == "not_found");
  REQUIRE(shop.db("backup", {"--to", "backups/copy.db"}).exit_code == 0);
  CHECK(kind("backups") == "not_found");
  CHECK(shop.value() == 1);
  CHECK(shop.files() == std::vector<std::string>{"backups", "script.sql", "x.db"});
}

TEST_CASE("db restore: beside a process that has the database open it refuses, and changes nothing") {
  const Filled shop;
  REQUIRE(shop.db("backup", {"--to", "copy.db"}).exit_code == 0);
  shop.set(2);
  const Pipe opened;
  Neighbour other([&] {
    const PlainDatabase database(shop / "x.db");
    static_cast<void>(database.scalar("SELECT x FROM t"));
    opened.tell();
    ::pause();
  });
  opened.wait();
  const ToolRun run = shop.db("restore", {"--from", "copy.db", "--busy-timeout", "0.1"});
  CHECK(run.exit_code == 1);
  CHECK(run.kind() == "file_in_use");
  CHECK(contains(text_of(run.document().at("error").at("message")), "stop who uses it first"));
  CHECK(shop.files() == std::vector<std::string>{"copy.db", "x.db", "x.db-shm", "x.db-wal"});
  ToolProcess waiting(shop.path(),
                      {"db", "restore", "--database", "x.db", "--from", "copy.db", "--busy-timeout", "120"});
  CHECK(other.kill());
  CHECK(waiting.wait() == 0);
  CHECK(shop.value() == 1);
}

// tool     copies beside the database ...        links, renames
// test             -- KILL, at different moments -->           looks, and restores again
TEST_CASE("db restore: killed at any moment, the database is the old one or the backup, and the next restore ends it") {
  const Filled shop;
  PlainDatabase(shop / "x.db")
      .execute(
          "CREATE TABLE big(x); WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
          "INSERT INTO big SELECT randomblob(3000) FROM n;");
  REQUIRE(shop.db("backup", {"--to", "copy.db"}).exit_code == 0);
  shop.set(2);
  int killed = 0;
  for (int round = 0; round < 20; ++round) {
    ToolProcess restoring(shop.path(), {"db", "restore", "--database", "x.db", "--from", "copy.db"});
    // Not by a look into the database: that would be in its way.
    REQUIRE(eventually(
        [&] { return std::ranges::any_of(shop.files(), [](const auto& name) { return name.starts_with("x.db."); }); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(3 * round));  // so that it is hit at different moments
    killed += restoring.kill() == 128 + SIGKILL ? 1 : 0;
    const auto value = shop.value();
    CHECK((value == 1 || value == 2));
    REQUIRE(shop.db("restore", {"--from", "copy.db"}).exit_code == 0);
    CHECK(shop.value() == 1);
    CHECK(PlainDatabase(shop / "x.db").text("PRAGMA integrity_check") == "ok");
    for (const auto& name : shop.files())
      if (name.starts_with("x.db.")) fs::remove(shop / name);
    shop.set(2);
  }
  CHECK(killed > 0);
}
