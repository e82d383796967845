#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <sstream>

#include "error_of.hpp"
#include "tool.hpp"

using namespace statehouse::test;

TEST_CASE("words: what others call run, revert, info and add does the same, with migrate before it and without") {
  const Workshop shop;
  CHECK(shop.json({"new", "first", "--reversible", "--sequential"}).document().at("command") == "migrate add");
  shop.migration("0001_first.up.sql", "CREATE TABLE a(x)");
  shop.migration("0001_first.down.sql", "DROP TABLE a");
  CHECK(shop.json({"up", "--database", "x.db"}).document().at("applied").as_array().size() == 1);
  CHECK(shop.json({"status", "--database", "x.db", "--check"}).exit_code == 0);
  CHECK(shop.json({"migrate", "status", "--database", "x.db"}).document().at("command") == "migrate info");
  CHECK(shop.json({"down", "--database", "x.db"}).document().at("reverted").as_array().size() == 1);
  CHECK(shop.json({"migrate", "up", "--database", "x.db"}).document().at("applied").as_array().size() == 1);
  CHECK(contains(shop.run({"up", "--help"}).out, "statehouse migrate run"));
  CHECK(contains(shop.run({"--help"}).out, "statehouse up "));
  CHECK(contains(shop.run({"migrate", "--help"}).out, "also: up"));
}

TEST_CASE("words: an unknown command or option is told with the nearest that there is") {
  const Workshop shop;
  const std::vector<std::pair<ToolProcess::Words, std::string>> slips = {
      {{"migrate", "rnu"}, "did you mean 'run'?"},
      {{"migrate", "rev"}, "did you mean 'revert'?"},
      {{"migrate", "stauts"}, "did you mean 'status'?"},
      {{"stauts"}, "did you mean 'status'?"},
      {{"migrat"}, "did you mean 'migrate'?"},
      {{"run"}, "did you mean 'migrate run'?"},
      {{"bakup", "--to", "x"}, "did you mean 'db backup'?"},
      {{"db", "chekc"}, "did you mean 'check'?"},
      {{"migrate", "run", "--tabel", "x"}, "'--tabel' is no option of run; did you mean '--table'?"},
      {{"up", "--databse=x.db"}, "'--databse' is no option of run; did you mean '--database'?"},
      {{"db", "backup", "--database", "x.db", "--overwite"}, "did you mean '--overwrite'?"},
  };
  for (const auto& [words, part] : slips) {
    CAPTURE(words);
    const ToolRun run = shop.run(words);
    CHECK(run.exit_code == 2);
    CAPTURE(run.err);
    CHECK(contains(run.err, part));
  }
  for (const ToolProcess::Words& words : {ToolProcess::Words{"xyzzy"}, {"migrate", "run", "--xyzzy"}})
    CHECK_FALSE(contains(shop.run(words).err, "did you mean"));
}

TEST_CASE("words: help fits in 80 columns") {
  const Workshop shop;
  const auto check = [&](const ToolProcess::Words& words) {
    std::istringstream help(shop.run(words).out);
    for (std::string line; std::getline(help, line);) {
      CAPTURE(words, line);
      CHECK(line.size() <= 80);
    }
  };
  check({"--help"});
  // As bash is told of them, which cannot fall behind.
  std::istringstream script(shop.run({"completion", "bash"}).out);
  int commands = 0;
  for (std::string line; std::getline(script, line);) {
    const std::string begin = "    'statehouse ";
    if (!line.starts_with(begin) || !contains(line, "words=")) continue;
    std::istringstream path(line.substr(begin.size(), line.find('\'', begin.size()) - begin.size()));
    ToolProcess::Words words;
    for (std::string word; path >> word;) words.push_back(word);
    words.emplace_back("--help");
    check(words);
    ++commands;
  }
  CHECK(commands > 20);
}

TEST_CASE("words: on a terminal no word is broken, and what is in a table stays in its column") {
  const Workshop shop;
  shop.migration("1_a.sql", "CREATE TABLE a(x);");
  shop.migration("2_b.sql", "ALTER TABLE a ADD b NOT NULL;");
  shop.migration("3_c.sql", "");
  const auto lines_of = [&](const ToolProcess::Words& words) {
    std::istringstream shown(TerminalRun(shop.path(), words, true, 80).finish().out);
    std::vector<std::string> lines;
    for (std::string line; std::getline(shown, line);) lines.push_back(line.substr(0, line.find('\r')));
    return lines;
  };
  const auto problems = lines_of({"migrate", "verify"});
  CHECK(problems.size() > 5);
  for (const auto& line : problems) {
    CAPTURE(line);
    CHECK(line.size() <= 80);
    CHECK((line.starts_with("warning  ") || line.starts_with("         ") || line.starts_with("0 errors")));
  }
  for (const auto& line : lines_of({"migrate", "verify", "--source", "a-folder-that-is-nowhere"})) {
    CAPTURE(line);
    CHECK(line.size() <= 80);
  }
  // What goes into a file or a pipe has a line for each.
  const std::string piped = shop.run({"migrate", "verify"}).out;
  CHECK(std::count(piped.begin(), piped.end(), '\n') == 3);
}

TEST_CASE("words: a target above the latest version is an error, also to revert") {
  const Workshop shop;
  shop.migration("1_a.up.sql", "CREATE TABLE a(x)");
  shop.migration("1_a.down.sql", "DROP TABLE a");
  CHECK(shop.migrate("run", {"--target-version", "2"}).kind() == "migration_target");
  CHECK(shop.migrate("plan", {"--target-version", "2"}).kind() == "migration_target");
  REQUIRE(shop.migrate("run").exit_code == 0);
  CHECK(shop.migrate("revert", {"--target-version", "2"}).kind() == "migration_target");
  CHECK(shop.migrate("revert", {"--target-version", "2", "--dry-run"}).kind() == "migration_target");
  CHECK(shop.migrate("revert", {"--target-version", "1"}).exit_code == 0);
  CHECK(shop.migrate("revert", {"--target-version", "0"}).exit_code == 0);
}
