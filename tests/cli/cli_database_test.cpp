#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "left_log.hpp"
#include "neighbour.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

/// Another process that has the database open and does nothing.
class IdleNeighbour {
 public:
  explicit IdleNeighbour(const std::filesystem::path& file)
      : pipe_(), process_([&] {
          const PlainDatabase database(file);
          static_cast<void>(database.scalar("SELECT count(*) FROM sqlite_master"));
          pipe_.tell();
          ::pause();
        }) {
    pipe_.wait();
  }

 private:
  Pipe pipe_;
  Neighbour process_;
};

}  // namespace

TEST_CASE("db create makes an empty private database in WAL mode, and leaves an existing one alone") {
  const Workshop shop;
  const ToolRun run = shop.db("create");
  CHECK(run.exit_code == 0);
  CHECK(run.document().at("created") == true);
  CHECK(shop.files() == std::vector<std::string>{"x.db"});
  CHECK(mode_of(shop / "x.db") == 0600);
  CHECK(PlainDatabase(shop / "x.db").text("PRAGMA journal_mode") == "wal");
  PlainDatabase(shop / "x.db").execute("CREATE TABLE t(x)");
  CHECK(shop.db("create").document().at("created") == false);
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM t") == 0);
  CHECK(shop.json({"db", "create", "--data-dir", "data", "--name", "y"}).exit_code == 0);
  CHECK(mode_of(shop / "data") == 0700);
  CHECK(shop.json({"db", "create", "--database", "deep/down/y.db"}).exit_code == 0);
  CHECK(mode_of(shop / "deep") == 0700);
  CHECK(shop.json({"db", "create", "--database", "x.db/y.db"}).exit_code == 1);
}

TEST_CASE("db drop removes all files of a database that nobody has open") {
  const Workshop shop;
  REQUIRE(shop.db("create").exit_code == 0);
  leave_log(shop / "x.db", "CREATE TABLE t(x)");
  REQUIRE(shop.files().size() == 3);
  const ToolRun run = shop.db("drop", {"--yes"});
  CHECK(run.exit_code == 0);
  CHECK(run.document().at("dropped") == true);
  CHECK(shop.files().empty());
  const ToolRun again = shop.db("drop", {"--yes"});
  CHECK(again.exit_code == 0);
  CHECK(again.document().at("dropped") == false);
}

TEST_CASE("db drop and reset refuse while another process has the database open, also when it is idle") {
  const Workshop shop;
  shop.migration("1_a.sql", "CREATE TABLE a(x)");
  REQUIRE(shop.migrate("run").exit_code == 0);
  {
    const IdleNeighbour neighbour(shop / "x.db");
    for (const char* command : {"drop", "reset"}) {
      const ToolRun run = shop.db(command, {"--yes", "--busy-timeout", "0.05"});
      CHECK(run.exit_code == 1);
      CHECK(run.kind() == "busy");
      CHECK(run.document().at("dropped") == false);
    }
  }
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM a") == 0);
  CHECK(shop.db("drop", {"--yes"}).exit_code == 0);
}

TEST_CASE("db drop leaves alone what is no database, unless forced, and what is no regular file always") {
  const Workshop shop;
  write_file(shop / "x.db", std::string(5000, 'x'));
  const ToolRun run = shop.db("drop", {"--yes"});
  CHECK(run.exit_code == 1);
  CHECK(contains(text_of(run.document().at("error").at("message")), "--force"));
  CHECK(read_file(shop / "x.db") == std::string(5000, 'x'));
  CHECK(contains(shop.run({"db", "check", "--database", "x.db"}).err, "Check the path"));
  CHECK(shop.db("drop", {"--yes", "--force"}).exit_code == 0);
  CHECK(shop.files().empty());
  std::filesystem::create_directory(shop / "x.db");
  CHECK(shop.db("drop", {"--yes", "--force"}).kind() == "not_a_regular_file");
  CHECK(shop.db("check").exit_code == 1);
}

TEST_CASE("db setup creates and migrates, reset starts over, and a broken folder costs nothing") {
  const Workshop shop;
  shop.migration("1_a.sql", "CREATE TABLE a(x)");
  const ToolRun setup = shop.db("setup");
  CHECK(setup.exit_code == 0);
  CHECK(setup.document().at("created") == true);
  CHECK(shop.db("setup").document().at("applied").as_array().empty());
  PlainDatabase(shop / "x.db").execute("INSERT INTO a VALUES (1)");
  const ToolRun reset = shop.db("reset", {"--yes"});
  CHECK(reset.exit_code == 0);
  CHECK(reset.document().at("dropped") == true);
  CHECK(reset.document().at("applied").as_array().size() == 1);
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM a") == 0);

  PlainDatabase(shop / "x.db").execute("INSERT INTO a VALUES (1)");
  shop.migration("2_b.sql", "COMMIT;");
  CHECK(shop.db("reset", {"--yes"}).kind() == "migration_refused");
  shop.migration("2_b.sql", std::string("\0", 1));
  CHECK(shop.db("reset", {"--yes"}).kind() == "migration_source");
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM a") == 1);
}

TEST_CASE("db check tells sizes, journal mode and SQLite's version of a healthy database") {
  const Workshop shop;
  shop.migration("1_a.sql",
                 "CREATE TABLE a(x CHECK (x REGEXP '^[a-z]+$')); INSERT INTO a VALUES ('abc');"
                 "CREATE TABLE k(a TEXT NOT NULL, b TEXT NOT NULL, PRIMARY KEY(b, a)) WITHOUT ROWID;"
                 "INSERT INTO k VALUES ('x', 'y');");
  REQUIRE(shop.migrate("run").exit_code == 0);
  const ToolRun run = shop.db("check");
  REQUIRE(run.exit_code == 0);
  const json::object document = run.document();
  CHECK(document.at("quick_check").as_array().empty());
  CHECK(document.at("foreign_key_check").as_array().empty());
  CHECK(text_of(document.at("journal_mode")) == "wal");
  CHECK(document.at("file_bytes") == document.at("pages").as_int64() * document.at("page_size").as_int64());
  CHECK(document.at("wal_bytes") == 0);
  CHECK(text_of(document.at("mode")) == "0600");
  CHECK(text_of(document.at("sqlite_version")) == sqlite3_libversion());
  CHECK(document.at("wal_reset_bug").is_bool());
  const ToolRun people = shop.run({"db", "check", "--database", "x.db"});
  CHECK(contains(people.out, "quick_check"));
  CHECK(contains(people.out, sqlite3_libversion()));
  CHECK_FALSE(contains(people.out, "\x1b["));
  std::filesystem::permissions(shop / "x.db", std::filesystem::perms{0644});
  const ToolRun open_to_others = shop.run({"db", "check", "--database", "x.db"});
  CHECK(open_to_others.exit_code == 0);
  CHECK(contains(open_to_others.out, "0644, others may read"));
  CHECK(open_to_others.err.empty());
}

TEST_CASE("db check finds rows without a parent and damaged pages, and exits with 1") {
  const Workshop shop;
  shop.migration("1_a.sql",
                 "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p);"
                 "CREATE TABLE big(x); WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<500)"
                 "INSERT INTO big SELECT hex(randomblob(100)) FROM n;");
  REQUIRE(shop.migrate("run").exit_code == 0);
  PlainDatabase(shop / "x.db").execute("PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (7)");
  const ToolRun orphan = shop.db("check");
  CHECK(orphan.exit_code == 1);
  CHECK(orphan.kind() == "foreign_keys");
  CHECK(text_of(orphan.document().at("foreign_key_check").at(0).at("table")) == "c");

  std::string bytes = read_file(shop / "x.db");
  for (std::size_t page = 8; page < 12; ++page) bytes.replace(page * 4096, 64, std::string(64, '\x55'));
  write_file(shop / "x.db", bytes);
  const ToolRun damaged = shop.db("check");
  CHECK(damaged.exit_code == 1);
  CHECK(damaged.kind() == "corrupt");
  CHECK_FALSE(damaged.document().at("quick_check").as_array().empty());
  CHECK(shop.db("backup", {"--to", "y.db"}).exit_code == 1);
  CHECK(read_file(shop / "x.db") == bytes);
  CHECK(shop.files() == std::vector<std::string>{"migrations", "x.db"});
}

TEST_CASE("db shell-info gives commands for the sqlite3 shell that work, whatever the path") {
  const Workshop shop;
  std::filesystem::create_directory(shop / "it's 100% ?#");
  const std::string file = "it's 100% ?#/x.db";
  REQUIRE(shop.json({"db", "create", "--database", file}).exit_code == 0);
  PlainDatabase(shop / file).execute("CREATE TABLE t(x); INSERT INTO t VALUES (41)");
  const json::object info = shop.json({"db", "shell-info", "--database", file}).document();
  const auto shell = [&](const char* command, const std::string& sql) {
    return std::system(
        (text_of(info.at(command)) + " '" + sql + "' > '" + (shop / "shell").string() + "' 2>&1").c_str());
  };
  CHECK(shell("read_command", "SELECT x + 1 FROM t") == 0);
  CHECK(read_file(shop / "shell") == "42\n");
  CHECK(shell("read_command", "DELETE FROM t") != 0);
  CHECK(shell("write_command", "PRAGMA wal_autocheckpoint; UPDATE t SET x = 1") == 0);
  CHECK(contains(read_file(shop / "shell"), "0\n"));
  CHECK(PlainDatabase(shop / file).scalar("SELECT x FROM t") == 1);
}
