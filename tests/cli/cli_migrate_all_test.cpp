#include <catch2/catch_test_macros.hpp>
#include <exception>
#include <optional>

#include "error_of.hpp"
#include "eventually.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

// migrate run --all: every database of a data directory.

using namespace statehouse::test;

namespace {

/// Databases of three tenants, of which one is new and one cannot be read.
using Words = ToolProcess::Words;

struct Tenants : Workshop {
  Tenants() {
    migration("1_a.sql", "CREATE TABLE a(x)");
    migration("2_b.sql", "CREATE TABLE b(x)");
    for (const char* name : {"t/1", "t/2", "t/3", "other"}) make(name);
  }
  void make(const std::string& name) const {
    write_file(file(name), "");
    PlainDatabase(file(name)).execute("CREATE TABLE mine(x)");
  }
  std::filesystem::path file(const std::string& name) const { return *this / ("data/" + name + ".db"); }
  std::string tables(const std::string& name) const {
    return PlainDatabase(file(name))
        .text(
            "SELECT coalesce(group_concat(name), '') FROM (SELECT name FROM sqlite_schema WHERE name IN ('a', 'b') "
            "ORDER BY 1)");
  }
  ToolRun all(Words more = {}) const {
    more.insert(more.begin(), {"migrate", "run", "--all", "--data-dir", "data", "--format", "json"});
    return run(more);
  }
};

std::string outcomes(const ToolRun& run) {
  const json::object document = run.document();
  std::string text;
  for (const auto& database : document.at("databases").as_array()) {
    text += text_of(database.at("name")) + ':';
    for (const auto& version : database.at("applied").as_array()) text += ' ' + std::to_string(version.as_int64());
    text += database.at("error").is_null() ? "\n" : " " + text_of(database.at("error").at("kind")) + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("migrate run --all brings every database of a directory up to date, and makes none") {
  const Tenants shop;
  const auto run = shop.all({"--pattern", "t/*", "--concurrency", "2"});
  CHECK(run.exit_code == 0);
  CHECK(outcomes(run) == "t/1: 1 2\nt/2: 1 2\nt/3: 1 2\n");
  CHECK(run.document().at("up_to_date") == 3);
  CHECK(shop.tables("t/2") == "a,b");
  CHECK(shop.tables("other").empty());
  CHECK(names_in(shop / "data/t") == std::vector<std::string>{"1.db", "2.db", "3.db"});
  CHECK(outcomes(shop.all()) == "other: 1 2\nt/1:\nt/2:\nt/3:\n");
  CHECK(outcomes(shop.all({"--pattern", "u/*"})).empty());
}

TEST_CASE("migrate run --all: one that fails does not stop the others, is told, and fails the command") {
  const Tenants shop;
  write_file(shop.file("t/2"), std::string(5000, 'x'));
  const auto run = shop.all();
  CHECK(run.exit_code == 1);
  CHECK(run.kind() == "not_all");
  CHECK(shop.tables("t/1") == "a,b");
  CHECK(shop.tables("t/3") == "a,b");
  CHECK(run.document().at("failed") == 1);
  CHECK(contains(outcomes(run), "t/2: "));
  const auto told = shop.run({"migrate", "run", "--all", "--data-dir", "data"});
  CHECK(told.exit_code == 1);
  CHECK(contains(told.out, "failed t/2: "));
  CHECK(contains(told.err, "1 of 4 databases could not be brought up to date"));
}

// test                                   tool, one at a time
// has the write lock of t/1              other is brought up to date, waits for t/1
// deletes t/3, gives the lock back       t/1, t/2, and there is no t/3
TEST_CASE("migrate run --all makes no file anew that was deleted since it was found") {
  const Tenants shop;
  std::optional<PlainDatabase> holder(shop.file("t/1"));
  holder->execute("BEGIN IMMEDIATE");
  ToolProcess tool(shop.path(), {"migrate", "run", "--all", "--data-dir", "data", "--concurrency", "1"});
  REQUIRE(eventually([&] {
    try {
      return shop.tables("other") == "a,b";
    } catch (const std::exception&) {  // locked at this moment
      return false;
    }
  }));
  std::filesystem::remove(shop.file("t/3"));
  holder.reset();
  CHECK(tool.wait() == 1);
  CHECK(contains(read_file(shop / "out"), "failed t/3: there is no database file"));
  CHECK(shop.tables("t/2") == "a,b");
  CHECK_FALSE(std::filesystem::exists(shop.file("t/3")));
}

TEST_CASE("migrate run --all has the development prefix of names, and excludes what means one database") {
  const Tenants shop;
  shop.make("t/dev_1");
  CHECK(outcomes(shop.all({"--dev-prefix", "dev"})) == "t/1: 1 2\n");
  CHECK(shop.tables("t/dev_1") == "a,b");
  CHECK(shop.tables("t/1").empty());
  for (const Words& more : std::vector<Words>{{"--name", "x"}, {"--target-version", "1"}, {"--dry-run"}})
    CHECK(shop.all(more).exit_code == 2);
  CHECK(shop.run({"migrate", "run", "--pattern", "*", "--data-dir", "data", "--name", "x"}).exit_code == 2);
  CHECK(shop.run({"migrate", "run", "--all", "--database", "x.db"}).exit_code == 2);
  CHECK(shop.run({"migrate", "run", "--all"}).exit_code == 2);
  CHECK(shop.run({"migrate", "run", "--all", "--data-dir", "none"}).exit_code == 1);
  CHECK(shop.all({"--pattern", "../*"}).exit_code != 0);
}

TEST_CASE("the database of a name with / is made with its directories, and through no link") {
  const Tenants shop;
  const Words words{"migrate", "run", "--data-dir", "data", "--name", "u/7/state"};
  CHECK(shop.run(words).exit_code == 0);
  CHECK(shop.tables("u/7/state") == "a,b");
  CHECK(mode_of(shop / "data/u/7") == 0700);
  std::filesystem::create_directory(shop / "elsewhere");
  std::filesystem::create_directory_symlink(shop / "elsewhere", shop / "data/v");
  const auto linked = shop.run({"migrate", "run", "--data-dir", "data", "--name", "v/state"});
  CHECK(linked.exit_code == 1);
  CHECK(contains(linked.err, "symbolic link"));
  CHECK(std::filesystem::is_empty(shop / "elsewhere"));
}
