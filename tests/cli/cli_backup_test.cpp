
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <thread>

#include "error_of.hpp"
#include "eventually.hpp"
#include "neighbour.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

/// Commits without a pause: in each transaction both counters go up by one and a row is added, and never anything else.
void write_for_ever(const std::filesystem::path& file, const Pipe& started) {
  const PlainDatabase database(file, patience);
  for (bool first = true;; first = false) {
    database.execute(
        "BEGIN IMMEDIATE; UPDATE counters SET n = n + 1 WHERE id = 1; INSERT INTO log VALUES (NULL, "
        "hex(randomblob(100)));"
        "UPDATE counters SET n = n + 1 WHERE id = 2; COMMIT");
    if (first) started.tell();
  }
}

/// A database of some megabytes with a writer.
struct UnderLoad : Workshop {
  UnderLoad() {
    migration("1_a.sql",
              "CREATE TABLE counters(id INTEGER PRIMARY KEY, n);INSERT INTO counters VALUES (1, 0), (2, 0);"
              "CREATE TABLE log(id INTEGER PRIMARY KEY, x);CREATE TABLE big(x);"
              "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 6000)"
              "INSERT INTO big SELECT randomblob(3000) FROM n;");
    REQUIRE(migrate("run").exit_code == 0);
  }
};

/// One committed state: counters equal to each other and to the rows.
std::int64_t check_consistent(const std::filesystem::path& file) {
  const PlainDatabase copy(file);
  CHECK(copy.text("PRAGMA integrity_check") == "ok");
  CHECK(copy.scalar("SELECT count(*) FROM big") == 6000);
  const auto count = copy.scalar("SELECT n FROM counters WHERE id = 1");
  CHECK(copy.scalar("SELECT n FROM counters WHERE id = 2") == count);
  CHECK(copy.scalar("SELECT count(*) FROM log") == count);
  return count;
}

bool has_partial(const Workshop& shop) {
  for (const auto& name : shop.files())
    if (name.ends_with(".partial")) return true;
  return false;
}

}  // namespace

// writer   BEGIN..COMMIT  BEGIN..COMMIT  BEGIN..COMMIT ...          (never waits for the tool)
// tool              backup: snapshot, copy in slices, check, rename
TEST_CASE("a backup under write load is one committed state, private, and the writer goes on") {
  const UnderLoad shop;
  const Pipe started;
  Neighbour writer([&] { write_for_ever(shop / "x.db", started); });
  started.wait();
  std::int64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    const std::string name = "copy" + std::to_string(round) + ".db";
    const ToolRun run = shop.db("backup", {"--to", name});
    CAPTURE(run.out, run.err);
    REQUIRE(run.exit_code == 0);
    CHECK(mode_of(shop / name) == 0600);
    CHECK(run.document().at("bytes") == std::filesystem::file_size(shop / name));
    const auto count = check_consistent(shop / name);
    CHECK(count > last);  // the writer was at work in between
    last = count;
    // And will have been before the next one.
    const PlainDatabase beside(shop / "x.db", patience);
    CHECK(eventually([&] { return beside.scalar("SELECT n FROM counters WHERE id = 1") > last; }));
  }
  CHECK_FALSE(has_partial(shop));
  CHECK(writer.kill());
  CHECK(check_consistent(shop / "x.db") >= last);
}

TEST_CASE("a backup that is killed midway leaves nothing under the final name, and the next one succeeds") {
  const UnderLoad shop;
  int midway = 0;
  for (int round = 0; round < 5 || (midway == 0 && round < 100); ++round) {
    ToolProcess backup(shop.path(), {"db", "backup", "--database", "x.db", "--to", "copy.db"});
    REQUIRE(eventually([&] { return has_partial(shop) || std::filesystem::exists(shop / "copy.db"); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(5 * (round % 5)));  // so that it is hit at different moments
    backup.kill();
    const bool published = std::filesystem::exists(shop / "copy.db");
    if (published) check_consistent(shop / "copy.db");
    midway += !published;
    for (const auto& name : shop.files())
      if (name.starts_with("copy")) std::filesystem::remove(shop / name);
  }
  CHECK(midway > 0);
  CHECK(shop.db("backup", {"--to", "copy.db"}).exit_code == 0);
  check_consistent(shop / "copy.db");
}

TEST_CASE("a backup that is interrupted removes what it has begun, and ends by the signal, as a shell's loop expects") {
  const UnderLoad shop;
  for (const int signal : {SIGINT, SIGTERM}) {
    ToolProcess backup(shop.path(), {"db", "backup", "--database", "x.db", "--to", "copy.db", "--format", "json"});
    REQUIRE(eventually([&] { return has_partial(shop) || std::filesystem::exists(shop / "copy.db"); }));
    backup.signal(signal);
    const int exit_code = backup.wait();
    // The signal may have come too late, or even when the program did not listen any more.
    const bool made = std::filesystem::exists(shop / "copy.db");
    CHECK((exit_code == 128 + signal || (made && exit_code == 0)));
    CHECK_FALSE(has_partial(shop));
    if (!made) CHECK(contains(read_file(shop / "out"), R"("kind":"interrupted")"));
    std::filesystem::remove(shop / "copy.db");
  }
}

TEST_CASE("a backup never replaces a file unless told to, nor the database, nor beside another's log") {
  const Workshop shop;
  REQUIRE(shop.db("create").exit_code == 0);
  PlainDatabase(shop / "x.db").execute("CREATE TABLE t(x)");
  write_file(shop / "precious", "mine");
  const ToolRun refused = shop.db("backup", {"--to", "precious"});
  CHECK(refused.exit_code == 1);
  CHECK(refused.kind() == "file_exists");
  CHECK(contains(text_of(refused.document().at("error").at("message")), "--overwrite"));
  CHECK(read_file(shop / "precious") == "mine");
  CHECK(shop.db("backup", {"--to", "x.db", "--overwrite"}).kind() == "file_in_use");
  std::filesystem::create_symlink("x.db", shop / "alias");
  CHECK(shop.db("backup", {"--to", "alias", "--overwrite"}).kind() == "file_in_use");
  write_file(shop / "old.db-wal", "left");
  CHECK(shop.db("backup", {"--to", "old.db"}).kind() == "file_exists");
  CHECK(shop.db("backup", {"--to", "nowhere/copy.db"}).kind() == "not_found");
  CHECK(shop.db("backup", {"--to", "precious", "--overwrite"}).exit_code == 0);
  CHECK(PlainDatabase(shop / "precious").scalar("SELECT count(*) FROM t") == 0);
  CHECK(shop.files() == std::vector<std::string>{"alias", "old.db-wal", "precious", "x.db"});
}

TEST_CASE("a run beside another process leaves checkpoints to it, alone it leaves no log") {
  const Workshop shop;
  shop.migration("1_a.sql", "CREATE TABLE big(x)");
  REQUIRE(shop.migrate("run").exit_code == 0);
  const auto size = std::filesystem::file_size(shop / "x.db");
  shop.migration("2_b.sql",
                 "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
                 "INSERT INTO big SELECT randomblob(3000) FROM n;");
  shop.migration("3_c.sql", "CREATE TABLE c(x)");
  const Pipe started;
  Neighbour other([&] {
    const PlainDatabase database(shop / "x.db");
    static_cast<void>(database.scalar("SELECT count(*) FROM big"));
    started.tell();
    ::pause();
  });
  started.wait();
  REQUIRE(shop.migrate("run").exit_code == 0);
  REQUIRE(shop.db("check").exit_code == 0);
  CHECK(std::filesystem::file_size(shop / "x.db") == size);
  CHECK(std::filesystem::file_size(shop / "x.db-wal") > 8'000'000);
  CHECK(other.kill());
  CHECK(shop.migrate("run").exit_code == 0);
  CHECK(std::filesystem::file_size(shop / "x.db") > 8'000'000);
  CHECK_FALSE(std::filesystem::exists(shop / "x.db-wal"));
}

TEST_CASE("check, info, plan and run work while another process commits without a pause") {
  const UnderLoad shop;
  const Pipe started;
  Neighbour writer([&] { write_for_ever(shop / "x.db", started); });
  started.wait();
  for (int i = 2; i < 6; ++i) {
    shop.migration(std::to_string(i) + "_m.sql", "CREATE TABLE t" + std::to_string(i) + "(x)");
    CHECK(shop.migrate("plan").exit_code == 0);
    CHECK(shop.migrate("info", {"--check"}).exit_code == 3);
    CHECK(shop.migrate("run", {"--busy-timeout", "120"}).exit_code == 0);
    CHECK(shop.migrate("info", {"--check"}).exit_code == 0);
    CHECK(shop.db("check").exit_code == 0);
  }
  CHECK(writer.kill());
  check_consistent(shop / "x.db");
}
