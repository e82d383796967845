#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "left_log.hpp"
#include "neighbour.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

/// Another process that has written to the database and has it open.
class WritingNeighbour {
 public:
  explicit WritingNeighbour(const std::filesystem::path& file)
      : process_([&] {
          PlainDatabase database(file);
          database.execute("PRAGMA journal_mode = WAL; INSERT INTO a VALUES (7)");
          pipe_.tell();
          ::pause();
        }) {
    pipe_.wait();
  }

 private:
  Pipe pipe_;
  Neighbour process_;
};

const std::string fill =
    "CREATE TABLE a(x); WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO a SELECT "
    "randomblob(200) FROM n; CREATE INDEX i ON a(x);";

}  // namespace

TEST_CASE("db vacuum gives free pages back, also beside a process that has the database open") {
  const Workshop shop;
  REQUIRE(shop.db("create").exit_code == 0);
  PlainDatabase(shop / "x.db").execute(fill + "DELETE FROM a WHERE rowid > 10;");
  const auto size = std::filesystem::file_size(shop / "x.db");
  const json::object done = shop.db("vacuum").document();
  CHECK(done.at("bytes").as_int64() < done.at("bytes_before").as_int64() / 4);
  CHECK(std::filesystem::file_size(shop / "x.db") < size / 4);
  CHECK(shop.files() == std::vector<std::string>{"x.db"});
  {
    const WritingNeighbour neighbour(shop / "x.db");
    CHECK(shop.db("vacuum").exit_code == 0);
  }
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM a") == 11);
  CHECK(shop.json({"db", "vacuum", "--database", "nosuch.db"}).kind() == "not_found");
  CHECK_FALSE(std::filesystem::exists(shop / "nosuch.db"));
}

TEST_CASE("db optimize gives the query planner statistics of every index") {
  const Workshop shop;
  REQUIRE(shop.db("create").exit_code == 0);
  CHECK(shop.db("optimize").document().at("statistics") == 0);
  PlainDatabase(shop / "x.db").execute(fill);
  CHECK(shop.db("optimize").document().at("statistics") == 1);
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM sqlite_stat1 WHERE idx = 'i'") == 1);
  CHECK(shop.json({"db", "optimize", "--database", "nosuch.db"}).kind() == "not_found");
}

TEST_CASE("db vacuum, optimize and seed wait for another process's transaction, and say so when it takes longer") {
  const Workshop shop;
  REQUIRE(shop.db("create").exit_code == 0);
  write_file(shop / "seeds.sql", "CREATE TABLE b(x)");
  const PlainDatabase other(shop / "x.db");
  other.execute("CREATE TABLE a(x); BEGIN IMMEDIATE");
  for (const char* command : {"vacuum", "optimize", "seed"}) {
    CAPTURE(command);
    const ToolRun run = shop.db(command, {"--busy-timeout", "0.05"});
    CHECK(run.exit_code == 1);
    CHECK(run.kind() == "busy");
    CHECK(contains(text_of(run.document().at("error").at("message")), "wait longer with --busy-timeout"));
  }
  other.execute("COMMIT");
  for (const char* command : {"vacuum", "optimize", "seed"}) CHECK(shop.db(command).exit_code == 0);
}

TEST_CASE("what takes long tells on a terminal that it is still at work") {
  const Workshop shop;
  REQUIRE(shop.db("create").exit_code == 0);
  const std::string endless =
      "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT "
      "count(*) FROM n;";
  write_file(shop / "seeds.sql", endless);
  shop.migration("1_a.sql", endless);
  CHECK(TerminalRun(shop.path(), {"db", "seed", "--database", "x.db"}).shows("running seeds.sql, 1.0 s"));
  CHECK(TerminalRun(shop.path(), {"migrate", "verify"}).shows("trying the scripts in memory, 1.0 s"));
}

TEST_CASE("db checkpoint moves the log into the database, and leaves it to another process that has that open") {
  const Workshop shop;
  REQUIRE(shop.db("create").exit_code == 0);
  leave_log(shop / "x.db", "CREATE TABLE a(x)");
  const json::object done = shop.db("checkpoint").document();
  CHECK(done.at("ok") == true);
  CHECK(done.at("wal_bytes_before").as_int64() > 0);
  CHECK(done.at("wal_bytes") == 0);
  CHECK(shop.files() == std::vector<std::string>{"x.db"});
  {
    const WritingNeighbour neighbour(shop / "x.db");
    const std::string before = read_file(shop / "x.db");
    const ToolRun run = shop.db("checkpoint");
    CHECK(run.exit_code == 1);
    CHECK(run.kind() == "busy");
    CHECK(contains(text_of(run.document().at("error").at("message")), "Stop that process for this"));
    CHECK(read_file(shop / "x.db") == before);
  }
  CHECK(shop.db("checkpoint").exit_code == 0);
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM a") == 1);
  CHECK(shop.json({"db", "checkpoint", "--database", "nosuch.db"}).kind() == "not_found");
}

TEST_CASE("db vacuum, optimize and checkpoint leave a database with a rollback journal what it is, and say so") {
  const Workshop shop;
  PlainDatabase(shop / "x.db").execute(fill);
  const std::string before = read_file(shop / "x.db");
  for (const char* command : {"vacuum", "optimize", "checkpoint"}) {
    CAPTURE(command);
    const ToolRun run = shop.db(command);
    CHECK(run.exit_code == 1);
    CHECK(run.kind() == "refused");
    CHECK(contains(text_of(run.document().at("error").at("message")), "has a rollback journal"));
    CHECK(read_file(shop / "x.db") == before);
  }
  REQUIRE(shop.db("create").exit_code == 0);
  for (const char* command : {"vacuum", "optimize", "checkpoint"}) CHECK(shop.db(command).exit_code == 0);
  CHECK(contains(shop.run({"db", "optimize", "--database", "x.db"}).out, "statistics of 1 index or table,"));
}
