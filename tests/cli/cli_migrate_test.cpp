#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <limits>

#include "error_of.hpp"
#include "left_log.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

/// Three migrations, two of which can be reverted.
struct ThreeMigrations : Workshop {
  ThreeMigrations() {
    migration("1_users.up.sql", "CREATE TABLE users(id INTEGER PRIMARY KEY)");
    migration("1_users.down.sql", "DROP TABLE users");
    migration("2_posts.up.sql", "CREATE TABLE posts(id INTEGER PRIMARY KEY)");
    migration("2_posts.down.sql", "DROP TABLE posts");
    migration("3_seed.sql", "INSERT INTO users VALUES (1)");
  }
};

std::string states(const ToolRun& info) {
  const json::object document = info.document();
  std::string text;
  for (const auto& migration : document.at("migrations").as_array())
    text += std::to_string(migration.at("version").as_int64()) + ' ' + text_of(migration.at("state")) + '\n';
  return text;
}

std::string versions(const ToolRun& run, std::string_view list) {
  const json::object document = run.document();
  std::string text;
  for (const auto& migration : document.at(list).as_array())
    text += std::to_string(migration.at("version").as_int64()) + ' ';
  return text;
}

}  // namespace

TEST_CASE("commands that only look create nothing and show a missing database as one with all pending") {
  const ThreeMigrations shop;
  const auto before = shop.files();
  CHECK(states(shop.migrate("info")) == "1 pending\n2 pending\n3 pending\n");
  CHECK(shop.migrate("info").document().at("exists") == false);
  CHECK(versions(shop.migrate("plan"), "planned") == "1 2 3 ");
  CHECK(versions(shop.migrate("run", {"--dry-run"}), "planned") == "1 2 3 ");
  CHECK(versions(shop.migrate("revert", {"--dry-run"}), "planned").empty());
  CHECK(shop.migrate("revert").kind() == "not_found");
  CHECK(shop.migrate("repair", {"1"}).kind() == "not_found");
  CHECK(shop.migrate("baseline", {"1"}).kind() == "not_found");
  CHECK(shop.db("check").kind() == "not_found");
  CHECK(shop.db("backup", {"--to", "y.db"}).kind() == "not_found");
  CHECK(shop.db("shell-info").kind() == "not_found");
  CHECK(shop.files() == before);

  PlainDatabase(shop / "x.db").execute("CREATE TABLE t(x)");
  const std::string bytes = read_file(shop / "x.db");
  CHECK(states(shop.migrate("info")) == "1 pending\n2 pending\n3 pending\n");
  CHECK(versions(shop.migrate("plan"), "planned") == "1 2 3 ");
  CHECK(shop.db("check").exit_code == 0);
  CHECK(read_file(shop / "x.db") == bytes);
  CHECK(shop.files() == std::vector<std::string>{"migrations", "x.db"});
}

TEST_CASE("a log that a killed process has left stays as it is when the tool only looks") {
  const ThreeMigrations shop;
  REQUIRE(shop.migrate("run").exit_code == 0);
  leave_log(shop / "x.db", "INSERT INTO users VALUES (7)");
  const std::string log = read_file(shop.path() / "x.db-wal");
  const std::string bytes = read_file(shop / "x.db");
  REQUIRE(log.size() > 0);
  CHECK(shop.migrate("info").exit_code == 0);
  CHECK(shop.migrate("plan").exit_code == 0);
  CHECK(shop.db("check").exit_code == 0);
  CHECK(shop.db("backup", {"--to", "y.db"}).exit_code == 0);
  CHECK(read_file(shop / "x.db-wal") == log);
  CHECK(read_file(shop / "x.db") == bytes);
  CHECK(PlainDatabase(shop / "y.db").scalar("SELECT count(*) FROM users WHERE id = 7") == 1);
}

TEST_CASE("run creates and migrates, revert goes back by one or to a target, info shows it") {
  const ThreeMigrations shop;
  const ToolRun first = shop.migrate("run", {"--target-version", "2"});
  CHECK(first.exit_code == 0);
  CHECK(first.document().at("created") == true);
  CHECK(first.document().at("command") == "migrate run");
  CHECK(versions(first, "applied") == "1 2 ");
  CHECK(states(shop.migrate("info")) == "1 applied\n2 applied\n3 pending\n");
  CHECK(versions(shop.migrate("plan"), "planned") == "3 ");
  CHECK(versions(shop.migrate("run"), "applied") == "3 ");
  const ToolRun again = shop.migrate("run");
  CHECK(again.exit_code == 0);
  CHECK(versions(again, "applied").empty());
  CHECK(again.document().at("created") == false);
  CHECK((std::filesystem::status(shop / "x.db").permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  CHECK(shop.files() == std::vector<std::string>{"migrations", "x.db"});  // no log is left

  // 3 has no down file, so the last that can be reverted is 2.
  CHECK(versions(shop.migrate("revert", {"--dry-run"}), "planned") == "2 ");
  CHECK(versions(shop.migrate("revert"), "reverted") == "2 ");
  CHECK(versions(shop.migrate("revert"), "reverted") == "1 ");
  CHECK(versions(shop.migrate("revert"), "reverted").empty());
  CHECK(states(shop.migrate("info")) == "1 pending\n2 pending\n3 applied\n");
  CHECK(versions(shop.migrate("run"), "applied") == "1 2 ");
  CHECK(versions(shop.migrate("revert", {"--target-version", "0"}), "reverted") == "2 1 ");
}

TEST_CASE("revert refuses a target that no migration has, so that a slip reverts nothing") {
  const ThreeMigrations shop;
  shop.migration("20250101120000_later.up.sql", "SELECT 1");
  shop.migration("20250101120000_later.down.sql", "SELECT 1");
  REQUIRE(shop.migrate("run").exit_code == 0);
  const ToolRun slip = shop.migrate("revert", {"--target-version", "2025"});
  CHECK(slip.exit_code == 1);
  CHECK(slip.kind() == "migration_target");
  CHECK(slip.document().at("error").at("version") == 2025);
  CHECK(shop.migrate("revert", {"--target-version", "20250101120001"}).kind() == "migration_target");
  CHECK(versions(shop.migrate("revert", {"--target-version", "2"}), "reverted") == "20250101120000 ");
}

TEST_CASE("info --check ends with 3 unless all is applied, unchanged and known") {
  const ThreeMigrations shop;
  CHECK(shop.migrate("info").exit_code == 0);
  CHECK(shop.migrate("info", {"--check"}).exit_code == 3);
  REQUIRE(shop.migrate("run").exit_code == 0);
  CHECK(shop.migrate("info", {"--check"}).exit_code == 0);

  shop.migration("3_seed.sql", "INSERT INTO users VALUES (2)");
  CHECK(contains(text_of(shop.migrate("plan").document().at("error").at("message")), "statehouse migrate repair 3"));
  const ToolRun changed = shop.migrate("info", {"--check"});
  CHECK(changed.exit_code == 3);
  CHECK(changed.document().at("ok") == true);
  CHECK(changed.document().at("summary").at("changed") == 1);

  std::filesystem::remove(shop / "migrations/3_seed.sql");
  CHECK(shop.migrate("info", {"--check"}).exit_code == 3);
  CHECK(shop.migrate("info", {"--check", "--ignore-missing"}).exit_code == 0);
  PlainDatabase(shop / "x.db").execute("UPDATE _sqlx_migrations SET success = 0 WHERE version = 2");
  CHECK(shop.migrate("info", {"--check", "--ignore-missing"}).exit_code == 3);
}

TEST_CASE("every failure is one document with kind, version, file, line and message, and exits with 1") {
  struct Case {
    std::string name, sql, kind;
    json::value version, line;
  };
  const std::vector<Case> cases = {{"x_bad.sql", "SELECT 1", "migration_source", nullptr, nullptr},
                                   {"03_seed.sql", "SELECT 1", "migration_source", 3, nullptr},
                                   {"4_nul.sql", std::string("SELECT 1;\0", 10), "migration_source", 4, 1},
                                   {"4_commit.sql", "SELECT 1;\nCOMMIT;", "migration_refused", 4, 2},
                                   {"4_bad.sql", "SELECT 1;\n\nSELECT nope;", "migration_failed", 4, 3},
                                   {"3_seed.sql", "SELECT 2", "migration_mismatch", 3, nullptr}};
  const Case& one = cases[GENERATE_COPY(range(std::size_t{0}, cases.size()))];
  CAPTURE(one.name);
  const ThreeMigrations shop;
  REQUIRE(shop.migrate("run").exit_code == 0);
  shop.migration(one.name, one.sql);
  const ToolRun run = shop.migrate("run");
  CHECK(run.exit_code == 1);
  const json::object document = run.document();
  CHECK(document.at("ok") == false);
  const json::object& error = document.at("error").as_object();
  CHECK(run.kind() == one.kind);
  CHECK(error.at("version") == one.version);
  CHECK(error.at("line") == one.line);
  CHECK(contains(text_of(error.at("file")), one.name.substr(one.name.find_first_not_of('0'))));
  CHECK_FALSE(error.at("message").as_string().empty());
  CHECK(run.err.empty());

  const ToolRun people = shop.run({"migrate", "run", "--database", "x.db"});
  CHECK(people.exit_code == 1);
  CHECK(people.err == "statehouse: " + text_of(error.at("message")) + '\n');
}

TEST_CASE("a folder that is refused creates no database") {
  const Workshop shop;
  shop.migration("1_a.sql", "CREATE TABLE a(x);");
  shop.migration("2_b.sql", "COMMIT;");
  CHECK(shop.migrate("run").kind() == "migration_refused");
  CHECK(shop.db("setup").kind() == "migration_refused");
  CHECK(shop.migrate("run", {"--target-version", "7"}).kind() == "migration_target");
  shop.migration("2_c.sql", "SELECT 1;");
  CHECK(shop.migrate("run").kind() == "migration_source");
  CHECK(shop.files() == std::vector<std::string>{"migrations"});
}

TEST_CASE("a file that is refused before there is a database is told of under the database's name") {
  const Workshop shop;
  shop.migration("1_a.sql", "COMMIT;");
  for (const char* const command : {"run", "plan"})
    CHECK(text_of(shop.migrate(command).document().at("error").at("message")).starts_with("database 'x':"));
}

TEST_CASE("what was applied before a failure is told, and stays") {
  const ThreeMigrations shop;
  shop.migration("4_bad.sql", "INSERT INTO nowhere VALUES (1)");
  const ToolRun run = shop.migrate("run");
  CHECK(run.exit_code == 1);
  CHECK(versions(run, "applied") == "1 2 3 ");
  CHECK(states(shop.migrate("info")) == "1 applied\n2 applied\n3 applied\n4 pending\n");
}

TEST_CASE("missing, out of order, an own table and ignored characters are as in the library") {
  const ThreeMigrations shop;
  shop.migration("5_e.sql", "SELECT 5;\r\n");
  REQUIRE(shop.migrate("run", {"--ignored-chars", "\\r", "--table", "own"}).exit_code == 0);
  CHECK(PlainDatabase(shop / "x.db").scalar("SELECT count(*) FROM own") == 4);
  CHECK(shop.migrate("run", {"--table", "own"}).kind() == "migration_mismatch");
  shop.migration("5_e.sql", "SELECT 5;\n");
  const ToolProcess::Words same{"--table", "own", "--ignored-chars", "\\u000D"};
  CHECK(shop.migrate("run", same).exit_code == 0);
  CHECK(shop.migrate("run", {"--table", "own", "--ignored-chars", "\\x"}).exit_code == 2);
  CHECK(shop.migrate("run", {"--table", "no table"}).exit_code == 2);

  shop.migration("4_d.sql", "SELECT 4");
  auto strict = same;
  strict.emplace_back("--strict");
  CHECK(shop.migrate("run", strict).kind() == "migration_order");
  CHECK(shop.migrate("plan", strict).kind() == "migration_order");
  CHECK(contains(text_of(shop.migrate("run", strict).document().at("error").at("message")), "leave --strict out"));
  std::filesystem::remove(shop / "migrations/5_e.sql");
  CHECK(shop.migrate("run", same).kind() == "migration_missing");
  CHECK(shop.migrate("plan", same).kind() == "migration_missing");
  auto ignoring = same;
  ignoring.emplace_back("--ignore-missing");
  CHECK(versions(shop.migrate("run", ignoring), "applied") == "4 ");
}

TEST_CASE("a .sql file that is passed over is told, on standard error and in the document") {
  const ThreeMigrations shop;
  shop.migration("schema.sql", "SELECT 1");
  const ToolRun run = shop.migrate("info");
  CHECK(run.exit_code == 0);
  CHECK(contains(run.err, "schema.sql"));
  CHECK(run.document().at("ignored_files").as_array().size() == 1);
}

TEST_CASE("a database by directory and name follows the library's rules") {
  const ThreeMigrations shop;
  const ToolProcess::Words at{"--data-dir", "data", "--name", "context.db", "--dev-prefix", "dev"};
  const auto with = [&](ToolProcess::Words words) {
    words.insert(words.end(), at.begin(), at.end());
    return shop.json(words);
  };
  CHECK(with({"migrate", "info"}).exit_code == 0);
  CHECK_FALSE(std::filesystem::exists(shop / "data"));
  CHECK(with({"migrate", "run"}).exit_code == 0);
  CHECK(shop.files("data") == std::vector<std::string>{"dev_context.db"});
  CHECK((std::filesystem::status(shop / "data").permissions() & std::filesystem::perms::all) ==
        std::filesystem::perms::owner_all);
  CHECK(shop.json({"migrate", "info", "--data-dir", "data", "--name", "../x"}).exit_code == 2);
  CHECK(shop.json({"migrate", "info", "--data-dir", "data", "--name", "x", "--dev-prefix", ".."}).exit_code == 2);
  CHECK(shop.json({"migrate", "info", "--data-dir", "data"}).exit_code == 2);
  CHECK(shop.json({"migrate", "info", "--data-dir", "data", "--name", "x", "--database", "x.db"}).exit_code == 2);
  CHECK(shop.json({"migrate", "info"}).exit_code == 2);
  CHECK(shop.json({"migrate", "info", "--database", "sqlite:x.db"}).exit_code == 2);
  CHECK(contains(shop.run({"migrate", "info", "--database", "sqlite:x.db"}).err, "without a scheme"));
}

TEST_CASE("a path means what the system makes of it, also through symbolic links") {
  const ThreeMigrations shop;
  std::filesystem::create_directories(shop / "far/away");
  std::filesystem::create_directory_symlink("far/away", shop / "link");
  const ToolRun run = shop.json({"migrate", "run", "--database", "link/../x.db"});
  CHECK(run.exit_code == 0);
  CHECK(std::filesystem::exists(shop / "far/x.db"));
  CHECK_FALSE(std::filesystem::exists(shop / "x.db"));
  std::filesystem::create_symlink("far/x.db", shop / "x.db");
  CHECK(shop.migrate("info").kind() == "not_a_regular_file");
  CHECK(shop.migrate("run").kind() == "not_a_regular_file");
}

TEST_CASE("negative versions can be given") {
  const Workshop shop;
  shop.migration("-5_a.up.sql", "CREATE TABLE a(x)");
  shop.migration("-5_a.down.sql", "DROP TABLE a");
  shop.migration("-4_b.sql", "CREATE TABLE b(x)");
  CHECK(versions(shop.migrate("run", {"--target-version", "-5"}), "applied") == "-5 ");
  CHECK(versions(shop.migrate("revert", {"--target-version=-6"}), "reverted") == "-5 ");
  CHECK(versions(shop.migrate("run"), "applied") == "-5 -4 ");
  CHECK(shop.migrate("repair", {"-5", "--yes"}).exit_code == 0);
}

TEST_CASE("a lock that another process holds is waited for, then told with what to do") {
  const ThreeMigrations shop;
  REQUIRE(shop.migrate("run", {"--target-version", "1"}).exit_code == 0);
  const PlainDatabase other(shop / "x.db");
  other.execute("BEGIN IMMEDIATE");
  const ToolRun run = shop.migrate("run", {"--busy-timeout", "0.05"});
  CHECK(run.exit_code == 1);
  CHECK(run.kind() == "busy");
  CHECK(contains(text_of(run.document().at("error").at("message")), "--busy-timeout"));
  CHECK(shop.migrate("info", {"--busy-timeout", "0.05"}).exit_code == 0);
  CHECK(shop.migrate("plan", {"--busy-timeout", "0.05"}).exit_code == 0);
}

// tool    waits for the lock ... says that it is still at it ...           applies
// test    has the lock                                           ROLLBACK
TEST_CASE("a long run says on a terminal that it is alive, and leaves no trace of that line") {
  const ThreeMigrations shop;
  REQUIRE(shop.migrate("run", {"--target-version", "1"}).exit_code == 0);
  const PlainDatabase other(shop / "x.db");
  other.execute("BEGIN IMMEDIATE");
  TerminalRun terminal(shop.path(), {"migrate", "run", "--database", "x.db", "--busy-timeout", "60"});
  REQUIRE(terminal.shows("applying migrations, 1.0 s"));
  other.execute("ROLLBACK");
  const ToolRun run = terminal.finish();
  CHECK(run.exit_code == 0);
  CHECK(contains(run.out, "\r\x1b[K\x1b[32mapplied 2 posts"));
}
