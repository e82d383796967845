#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <optional>

#include "error_of.hpp"
#include "neighbour.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

const std::string many_rows =
    "INSERT INTO a WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 24000) SELECT randomblob(200) FROM "
    "n;";

/// A database that another process has open, with more in its log than SQLite lets stand by itself: 1000 pages.
struct ServedShop : Workshop {
  ServedShop() {
    if (db("create").exit_code != 0) throw std::runtime_error("not created");
    neighbour.emplace([this] {
      PlainDatabase database(path() / "x.db");
      database.execute("PRAGMA wal_autocheckpoint = 0; CREATE TABLE a(x); CREATE INDEX i ON a(x);" + many_rows);
      pipe.tell();
      ::pause();
    });
    pipe.wait();
    before = read_file(path() / "x.db");
  }
  bool is_left_alone() const { return read_file(path() / "x.db") == before; }

  Pipe pipe;
  std::optional<Neighbour> neighbour;
  std::string before;
};

}  // namespace

TEST_CASE("what writes beside another process leaves all of it in the log, however much: the file is not touched") {
  const ServedShop shop;
  write_file(shop / "seeds.sql", many_rows);
  shop.migration("1_b.sql", many_rows);
  for (const ToolRun& run : {shop.db("seed"), shop.db("optimize"), shop.migrate("run"), shop.db("vacuum")}) {
    CHECK(run.exit_code == 0);
    CHECK(shop.is_left_alone());
  }
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM a") == 72000);
}

TEST_CASE("db seed refuses the PRAGMAs that checkpoint or are settings of the connection, with what to do") {
  const ServedShop shop;
  for (const std::string pragma :
       {"wal_autocheckpoint = 1", "WAL_AutoCheckpoint(1)", "wal_checkpoint", "wal_checkpoint(TRUNCATE)", "optimize",
        "main.journal_mode = DELETE", "locking_mode = EXCLUSIVE", "writable_schema = ON", "busy_timeout = 0"}) {
    CAPTURE(pragma);
    write_file(shop / "seeds.sql", "SELECT 1;\nPRAGMA " + pragma + "; INSERT INTO a VALUES (78);");
    const ToolRun run = shop.db("seed");
    CHECK(run.exit_code == 1);
    CHECK(run.kind() == "script_failed");
    CHECK(contains(text_of(run.document().at("error").at("message")), "seeds.sql:2: PRAGMA "));
    CHECK(contains(text_of(run.document().at("error").at("message")), "is a server's to set or to do: remove it"));
    CHECK(shop.is_left_alone());
  }
  write_file(shop / "seeds.sql", "PRAGMA foreign_keys = OFF; INSERT INTO a VALUES (78);");
  CHECK(contains(text_of(shop.db("seed").document().at("error").at("message")), "use PRAGMA defer_foreign_keys = ON"));
  write_file(shop / "seeds.sql",
             "PRAGMA foreign_keys = ON; PRAGMA journal_mode; PRAGMA defer_foreign_keys = ON; PRAGMA user_version = 7;");
  CHECK(shop.db("seed").exit_code == 0);
}
