#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

using Variables = std::vector<std::string>;

/// Two databases by name, each with a folder of migrations.
struct PlacesShop : Workshop {
  PlacesShop() {
    for (const std::string name : {"context", "other"}) {
      std::filesystem::create_directories(path() / "migrations" / name);
      write_file(path() / "migrations" / name / ("1_" + name + ".sql"), "CREATE TABLE " + name + "(x)");
    }
  }
  void dotenv(std::string_view text) const { write_file(path() / ".env", text); }
  void config(std::string_view text) const { write_file(path() / "statehouse.toml", text); }
  /// The table that the migrations have made there.
  std::string table(const std::filesystem::path& file) const {
    return PlainDatabase(path() / file)
        .text(
            "SELECT group_concat(name) FROM sqlite_schema WHERE name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE "
            "'sqlite%'");
  }
  std::string refusal(const ToolProcess::Words& words, const Variables& environment = {}) const {
    const ToolRun run = json(words, environment);
    CHECK(run.exit_code == 2);
    return run.exit_code == 0 ? std::string() : text_of(run.document().at("error").at("message"));
  }
};

}  // namespace

TEST_CASE("settings: the name of a database has its folder, also where a file stands for the database") {
  const PlacesShop shop;
  shop.config("name = \"context\"\ndata-dir = \"data\"\n");
  shop.dotenv("DATABASE_URL=sqlite:dev.db\n");
  CHECK(shop.json({"new", "add_users"}).exit_code == 0);
  CHECK(shop.files("migrations/context").size() == 2);
  CHECK(shop.files("migrations") == std::vector<std::string>{"context", "other"});
  std::filesystem::remove_all(shop / "migrations/context");
  std::filesystem::create_directories(shop / "migrations/context");
  write_file(shop / "migrations/context/1_context.sql", "CREATE TABLE context(x)");
  CHECK(shop.json({"migrate", "verify"}).exit_code == 0);
  const ToolRun up = shop.json({"up"});
  CHECK(up.exit_code == 0);
  CHECK(shop.table("dev.db") == "context");
  CHECK(text_of(up.document().at("settings").at("source")) == "name in statehouse.toml");
  CHECK(shop.json({"up", "--database", "scratch.db"}).exit_code == 0);
  CHECK(shop.table("scratch.db") == "context");
  CHECK(shop.json({"up", "--database", "third.db", "--source", "migrations/other"}).exit_code == 0);
  CHECK(shop.table("third.db") == "other");
  CHECK(shop.json({"new", "--name", "other", "more"}, {"STATEHOUSE_DATABASE=x.db", "STATEHOUSE_NAME=context"})
            .exit_code == 0);
  CHECK(shop.files("migrations/other").size() == 2);
}

TEST_CASE("settings: a folder that is set for one database is not applied to another that is named before it") {
  const PlacesShop shop;
  shop.config("source = \"migrations/context\"\nname = \"context\"\ndata-dir = \"data\"\n");
  CHECK(shop.json({"up"}).exit_code == 0);
  CHECK(shop.json({"up", "--name", "context"}).document().at("applied").as_array().empty());
  CHECK(shop.json({"up", "--name", "other"}).exit_code == 0);
  CHECK(shop.table("data/other.db") == "other");
  CHECK(shop.json({"status", "--check"}, {"STATEHOUSE_NAME=other"}).exit_code == 0);
  CHECK(contains(shop.refusal({"up", "--name", "third"}),
                 "source in statehouse.toml is of another database than 'third'"));
  CHECK(contains(shop.refusal({"new", "--name", "third", "first"}), "give --source DIR"));
  CHECK_FALSE(std::filesystem::exists(shop / "data/third.db"));
  CHECK(shop.json({"up", "--name", "third", "--source", "migrations/context"}).exit_code == 0);
  CHECK(shop.json({"up", "--database", "scratch.db"}).exit_code == 0);  // one more of the same
  CHECK(shop.table("scratch.db") == "context");

  shop.config("source = \"migrations/context\"\ndatabase = \"context.db\"\n");
  CHECK(contains(shop.refusal({"up", "--data-dir", "data", "--name", "fourth"}), "is of another database"));
  shop.config("source = \"migrations/context\"\ndata-dir = \"data\"\n");  // of all databases
  CHECK(shop.json({"up", "--name", "fifth"}).exit_code == 0);
  CHECK(shop.table("data/fifth.db") == "context");
}

TEST_CASE("settings: where a cluster is set, commands for files do not take a database by name for a local one") {
  const PlacesShop shop;
  shop.config("name = \"context\"\ndata-dir = \"data\"\n");
  shop.dotenv("STATEHOUSE_CLUSTER=127.0.0.1:1\nSTATEHOUSE_FIND_LEADER=0.01\n");
  REQUIRE(shop.json({"up"}).kind() == "unavailable");
  for (const char* command : {"setup", "create", "drop", "reset", "check", "vacuum", "seed"}) {
    CAPTURE(command);
    CHECK(contains(shop.refusal({"db", command}), "STATEHOUSE_CLUSTER in .env, line 1 says that it is in a cluster"));
  }
  CHECK_FALSE(std::filesystem::exists(shop / "data"));
  CHECK(shop.json({"db", "create", "--data-dir", "data"}).exit_code == 0);
  CHECK(shop.json({"db", "check"}, {"STATEHOUSE_DATA_DIR=data"}).exit_code == 0);  // said before it
  CHECK(shop.json({"db", "create", "--database", "x.db"}).exit_code == 0);
}

TEST_CASE("settings: a database that is typed with directory and name gets no prefix from elsewhere") {
  const PlacesShop shop;
  shop.dotenv("STATEHOUSE_DEV_PREFIX=dev\n");
  const ToolProcess::Words full{"db", "create", "--data-dir", "data", "--name", "context"};
  CHECK(shop.json(full).exit_code == 0);
  CHECK(shop.files("data") == std::vector<std::string>{"context.db"});
  CHECK(shop.json({"db", "create", "--data-dir", "data", "--name", "context", "--dev-prefix", "own"}).exit_code == 0);
  CHECK(shop.json({"db", "create", "--data-dir", "data"}, {"STATEHOUSE_NAME=context"}).exit_code == 0);
  CHECK(shop.files("data") == std::vector<std::string>{"context.db", "dev_context.db", "own_context.db"});
}

TEST_CASE("settings: a URL is no file of a database, and what may be a password in it is not told") {
  const PlacesShop shop;
  for (const std::string url :
       {"postgres://u:s3cret@h/db", "postgresql+psycopg://u:s3cret@h/db", "mysql://u:s3cret@h", "sqlite3:s3cret.db",
        "SQLite:s3cret.db", "sqlite+aiosqlite:///s3cret.db", "FILE:s3cret.db", "jdbc:postgresql://u:s3cret@h/db"}) {
    CAPTURE(url);
    for (const std::string& told :
         {shop.refusal({"up", "--source", "migrations/context"}, {"STATEHOUSE_DATABASE=" + url}),
          shop.refusal({"db", "create", "--database", url})}) {
      CHECK(contains(told, "without a scheme, not '" + url.substr(0, url.find(':')) + ":'"));
      CHECK_FALSE(contains(told, "s3cret"));
    }
  }
  CHECK(shop.files() == std::vector<std::string>{"migrations"});
  CHECK(shop.json({"db", "create", "--database", "with:colon.db"}).exit_code == 0);
}

TEST_CASE("settings: what another program has in .env stops no command that does not need it") {
  const PlacesShop shop;
  const ToolProcess::Words typed{"db", "create", "--database", "x.db"};
  for (const std::string text :
       {"DATABASE_URL=\"postgresql://${DB_USER}:x@h/db\"\n", "DATABASE_URL=postgres://a/b\nDATABASE_URL=mysql://c/d\n",
        "DATABASE_URL=\"postgres://unclosed\n"}) {
    CAPTURE(text);
    shop.dotenv(text);
    CHECK(shop.json(typed).exit_code == 0);
    CHECK(contains(shop.refusal({"db", "check"}), "DATABASE_URL in .env, line 1: "));
    shop.config("name = \"context\"\ndata-dir = \"data\"\n");
    CHECK(shop.json({"db", "create"}).exit_code == 0);
    std::filesystem::remove(shop / "statehouse.toml");
  }
  // What is ours is told, where it is needed.
  shop.dotenv("DATABASE_URL=sqlite:$HOME/x.db\nSTATEHOUSE_TABLE=$TABLE\n");
  CHECK(shop.json(typed).exit_code == 0);
  CHECK(contains(shop.refusal({"db", "create"}), "DATABASE_URL in .env, line 1: variables are not"));
  shop.config("name = \"context\"\ndata-dir = \"data\"\n");
  CHECK(contains(shop.refusal({"db", "create"}), "DATABASE_URL in .env, line 1: variables are not"));
  CHECK(contains(shop.refusal({"up", "--database", "x.db"}), "STATEHOUSE_TABLE in .env, line 2: variables are not"));
}
