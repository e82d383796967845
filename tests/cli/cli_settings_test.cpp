#include <catch2/catch_test_macros.hpp>
#include <cstdlib>

#include "error_of.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

using Lines = std::vector<std::string>;

/// A folder of migrations by the name of a database, and one without.
struct SettingsShop : Workshop {
  SettingsShop() {
    for (const char* folder : {"migrations/notes", "migrations/other"})
      std::filesystem::create_directories(path() / folder);
    write_file(path() / "migrations/notes/1_notes.sql", "CREATE TABLE notes(x)");
    write_file(path() / "migrations/other/1_other.sql", "CREATE TABLE other(x)");
  }
  void dotenv(std::string_view text) const { write_file(path() / ".env", text); }
  void config(std::string_view text) const { write_file(path() / "statehouse.toml", text); }
  /// The file that `db create` makes, relative.
  std::string made(const ToolProcess::Words& words = {}, const Lines& environment = {}) const {
    ToolProcess::Words all{"db", "create"};
    all.insert(all.end(), words.begin(), words.end());
    const ToolRun run = json(all, environment);
    if (run.exit_code != 0) return text_of(run.document().at("error").at("message"));
    return std::filesystem::path(text_of(run.document().at("database"))).lexically_relative(path()).string();
  }
};

}  // namespace

TEST_CASE("settings: the command line goes before the environment, that before .env, that before statehouse.toml") {
  const SettingsShop shop;
  shop.config("name = \"notes\"  # which\n\ndata-dir = 'toml'\n");
  CHECK(shop.made() == "toml/notes.db");
  shop.dotenv("STATEHOUSE_DATA_DIR=dotenv\n");
  CHECK(shop.made() == "dotenv/notes.db");
  CHECK(shop.made({}, {"STATEHOUSE_DATA_DIR=environment"}) == "environment/notes.db");
  CHECK(shop.made({}, {"STATEHOUSE_DATA_DIR="}) == "dotenv/notes.db");  // empty is not set
  CHECK(shop.made({"--data-dir", "typed"}, {"STATEHOUSE_DATA_DIR=environment"}) == "typed/notes.db");
  CHECK(shop.made({"--dev-prefix", "dev"}, {"STATEHOUSE_NAME=other"}) == "dotenv/dev_other.db");
}

TEST_CASE("settings: who says first which database is meant decides, by file, by name or in a cluster") {
  const SettingsShop shop;
  shop.config("name = \"notes\"\ndata-dir = \"data\"\n");
  CHECK(shop.made({"--database", "typed.db"}) == "typed.db");
  CHECK(shop.made({}, {"DATABASE_URL=sqlite:url.db"}) == "url.db");
  CHECK(shop.made({}, {"DATABASE_URL=sqlite:url.db", "STATEHOUSE_DATABASE=ours.db"}) == "ours.db");
  CHECK(shop.made({"--name", "other"}, {"DATABASE_URL=sqlite:url.db"}) == "data/other.db");
  CHECK(shop.made({"--data-dir", "d"}, {"DATABASE_URL=sqlite:url.db"}) == "d/notes.db");
  CHECK(shop.made({}, {"DATABASE_URL=sqlite:url.db", "STATEHOUSE_NAME=other"}) == "data/other.db");
  shop.dotenv("DATABASE_URL='sqlite://dotenv.db'\n");
  CHECK(shop.made() == "dotenv.db");
  CHECK(shop.made({}, {"STATEHOUSE_NAME=other"}) == "data/other.db");
  CHECK(shop.made({}, {"STATEHOUSE_DATA_DIR=environment"}) == "dotenv.db");  // names none

  // A cluster is for the commands that take one.
  const Lines cluster{"STATEHOUSE_CLUSTER=127.0.0.1:1", "STATEHOUSE_FIND_LEADER=0.01"};
  CHECK(shop.made({}, cluster) == "dotenv.db");
  CHECK(shop.json({"migrate", "info", "--name", "notes"}, cluster).kind() == "unavailable");
  CHECK(shop.json({"migrate", "info", "--data-dir", "data", "--name", "notes"}, cluster).exit_code == 0);
  CHECK(shop.json({"migrate", "info", "--database", "x.db", "--source", "migrations/notes"}, cluster).exit_code == 0);
  CHECK(shop.json({"cluster", "status"}, cluster).kind() == "unavailable");

  const ToolRun both = shop.json({"db", "create"}, {"STATEHOUSE_DATABASE=x.db", "STATEHOUSE_NAME=notes"});
  CHECK(both.exit_code == 2);
  CHECK(contains(text_of(both.document().at("error").at("message")), "keep one of them"));
}

TEST_CASE("settings: DATABASE_URL of another kind of database counts only where nothing else names one") {
  const SettingsShop shop;
  const Lines foreign{"DATABASE_URL=postgres://me:secret@host/x"};
  const ToolRun run = shop.run({"up"}, foreign);
  CHECK(run.exit_code == 2);
  CHECK(contains(run.err, "DATABASE_URL in the environment: 'postgres:' is no file of SQLite"));
  CHECK_FALSE(contains(run.err, "secret"));
  shop.config("name = \"notes\"\ndata-dir = \"data\"\n");
  CHECK(shop.made({}, foreign) == "data/notes.db");
  CHECK(shop.json({"db", "create"}, {"DATABASE_URL=sqlite:x.db?mode=ro"}).exit_code == 2);  // of ours it is told
}

TEST_CASE("settings: mode=rw of DATABASE_URL keeps run, as sqlx's, from making a file") {
  const SettingsShop shop;
  shop.dotenv("DATABASE_URL=sqlite:x.db?mode=rw\nSTATEHOUSE_SOURCE=migrations/notes\n");
  const ToolRun run = shop.json({"migrate", "run"});
  CHECK(run.exit_code == 1);
  CHECK(run.kind() == "not_found");
  CHECK_FALSE(std::filesystem::exists(shop / "x.db"));
  CHECK(shop.json({"db", "setup"}).exit_code == 0);
  CHECK(shop.json({"migrate", "run"}).exit_code == 0);
}

TEST_CASE("settings: a database by name has its migrations in the folder of that name") {
  const SettingsShop shop;
  const auto applied = [&](const ToolProcess::Words& words) {
    ToolProcess::Words all{"up", "--data-dir", "data"};
    all.insert(all.end(), words.begin(), words.end());
    const ToolRun run = shop.json(all);
    if (run.exit_code != 0) return run.kind();
    std::string text;
    const json::object document = run.document();
    for (const auto& one : document.at("applied").as_array()) text += text_of(one.at("file")) + ' ';
    return text;
  };
  CHECK(applied({"--name", "notes"}) == "migrations/notes/1_notes.sql ");
  CHECK(applied({"--name", "second", "--source", "migrations/notes"}) == "migrations/notes/1_notes.sql ");
  CHECK(applied({"--name", "none"}) == "migration_source");
  CHECK(shop.json({"new", "--name", "none", "first"}).exit_code == 0);
  CHECK(shop.files("migrations/none").size() == 1);
  CHECK(shop.json({"migrate", "verify", "--name", "notes"}).exit_code == 0);
  CHECK(shop.json({"migrate", "verify", "--name", "../notes"}).exit_code == 2);
  CHECK(shop.json({"migrate", "verify"}, {"STATEHOUSE_NAME=notes"}).exit_code == 0);

  // One folder that is all there is.
  const SettingsShop flat;
  flat.migration("1_all.sql", "CREATE TABLE a(x)");
  CHECK(flat.json({"up", "--data-dir", "data", "--name", "none"}).document().at("applied").as_array().size() == 1);
}

TEST_CASE("settings: an error says where a value comes from, and so does the document") {
  const SettingsShop shop;
  shop.dotenv("# first\nSTATEHOUSE_NAME=notes\nexport STATEHOUSE_BUSY_TIMEOUT=soon\n");
  shop.config("data-dir = \"data\"\n");
  const ToolRun wrong = shop.run({"db", "check"});
  CHECK(wrong.exit_code == 2);
  CHECK(contains(wrong.err, "STATEHOUSE_BUSY_TIMEOUT in .env, line 3: --busy-timeout: 'soon' is no number"));
  shop.dotenv("# first\nSTATEHOUSE_NAME=notes\n");
  const ToolRun missing = shop.run({"db", "check"});
  CHECK(missing.exit_code == 1);
  CHECK(contains(missing.err,
                 "--data-dir is from data-dir in statehouse.toml; --name is from STATEHOUSE_NAME in .env, line 2"));
  const json::object document = shop.json({"db", "create"}).document();
  CHECK(document.at("settings") ==
        json::value{{"data-dir", "data-dir in statehouse.toml"}, {"name", "STATEHOUSE_NAME in .env, line 2"}});
  CHECK_FALSE(shop.json({"db", "check", "--database", "data/notes.db"}).document().contains("settings"));
}

TEST_CASE("settings: what cannot be meant in .env or statehouse.toml is refused with what to do") {
  const SettingsShop shop;
  const auto told = [&](const char* part) {
    const ToolRun run = shop.run({"db", "check"});
    CHECK(run.exit_code == 2);
    CAPTURE(run.err);
    CHECK(contains(run.err, part));
  };
  shop.dotenv("STATEHOUSE_NAME=a\nSTATEHOUSE_NAME=b\n");
  told("STATEHOUSE_NAME in .env, line 1: it is there once more in line 2: keep one");
  shop.dotenv("STATEHOUSE_NAME=$USER\n");
  told("STATEHOUSE_NAME in .env, line 1: variables are not expanded");
  shop.dotenv("DATABASE_URL=sqlite:~/a.db\n");
  told("DATABASE_URL in .env, line 1: '~' stands for itself here: write out the path");
  shop.dotenv("STATEHOUSE_NAME=a\nSTATEHOUSE_DATA_DIR=~\n");
  told("STATEHOUSE_DATA_DIR in .env, line 2: '~' stands for itself");
  shop.dotenv("STATEHOUSE_PORT=80\nOTHER=\"unclosed\nwhatever\n");  // others' affairs
  told("which database?");
  std::filesystem::remove(shop / ".env");
  std::filesystem::create_directory(shop / ".env");
  told("cannot read '.env'");
  std::filesystem::remove(shop / ".env");
  shop.config("datadir = \"x\"\n");
  told("'datadir' in statehouse.toml is nothing that can be set there: did you mean 'data-dir'?");
  shop.config("yes = true\n");
  told("'yes' in statehouse.toml is nothing that can be set there");
  shop.config("[notes]\nname = \"notes\"\n");
  told("'notes' in statehouse.toml is a section");
  shop.config("name = notes and more\n");
  told("name in statehouse.toml: this is more than one value: put it in quotes");
}

TEST_CASE("settings: neither completion nor help looks at them") {
  const SettingsShop shop;
  shop.config("wrong = 1\n");
  CHECK(shop.run({"completion", "bash"}).exit_code == 0);
  CHECK(shop.run({"db", "check", "--help"}).exit_code == 0);
  CHECK(shop.run({"db", "check", "--database", "x.db"}).exit_code == 2);
}
