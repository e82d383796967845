#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <map>
#include <sstream>

#include "error_of.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

using Options = std::vector<std::string>;
const Options everywhere = {"--help", "--format"};
const Options where = {"--database", "--data-dir", "--name", "--dev-prefix"};
const Options nodes = {"--cluster", "--dial-timeout", "--find-leader"};

/// What each command takes, besides `everywhere`.
const std::map<std::string, std::vector<Options>> commands = {
    {"migrate add", {{"--source", "--reversible", "--simple", "--sequential", "--timestamp", "--name", "NAME"}}},
    {"migrate run",
     {where,
      nodes,
      {"--source", "--target-version", "--dry-run", "--ignore-missing", "--strict", "--table", "--ignored-chars",
       "--busy-timeout"}}},
    {"migrate revert",
     {where,
      nodes,
      {"--source", "--target-version", "--dry-run", "--ignore-missing", "--table", "--ignored-chars",
       "--busy-timeout"}}},
    {"migrate info",
     {where, nodes, {"--source", "--check", "--ignore-missing", "--table", "--ignored-chars", "--busy-timeout"}}},
    {"migrate plan",
     {where,
      nodes,
      {"--source", "--target-version", "--ignore-missing", "--strict", "--table", "--ignored-chars",
       "--busy-timeout"}}},
    {"migrate verify", {{"--source", "--name", "--strict"}}},
    {"migrate repair",
     {where, nodes, {"--source", "--dry-run", "--yes", "--table", "--ignored-chars", "--busy-timeout", "VERSION"}}},
    {"migrate baseline",
     {where, nodes, {"--source", "--dry-run", "--yes", "--table", "--ignored-chars", "--busy-timeout", "VERSION"}}},
    {"db create", {where, {"--busy-timeout"}}},
    {"db drop", {where, {"--yes", "--force", "--busy-timeout"}}},
    {"db reset", {where, {"--source", "--yes", "--force", "--table", "--ignored-chars", "--busy-timeout"}}},
    {"db setup", {where, {"--source", "--ignore-missing", "--table", "--ignored-chars", "--busy-timeout"}}},
    {"db check", {where, {"--busy-timeout"}}},
    {"db backup", {where, {"--to", "--overwrite", "--busy-timeout"}}},
    {"db schema", {where, {"--check", "--table", "--busy-timeout"}}},
    {"db seed", {where, {"FILE", "--busy-timeout"}}},
    {"db vacuum", {where, {"--busy-timeout"}}},
    {"db optimize", {where, {"--busy-timeout"}}},
    {"db checkpoint", {where, {"--busy-timeout"}}},
    {"db shell-info", {where, {"--busy-timeout"}}},
    {"queries check", {{"--source", "--name", "FILE"}}},
    {"queries generate", {{"--source", "--name", "--to", "FILE"}}},
    {"queries explain", {{"--source", "--name", "--above", "--strict", "FILE"}}},
    {"cluster status", {nodes}},
    {"cluster add", {nodes, {"ID", "ADDRESS", "--role"}}},
    {"cluster remove", {nodes, {"ID", "--yes"}}},
    {"cluster transfer", {nodes, {"ID"}}},
    {"cluster dump", {nodes, {"--name", "--dev-prefix", "--to", "--overwrite"}}},
    {"cluster import", {nodes, {"--name", "--dev-prefix", "FILE"}}},
};

ToolProcess::Words words_of(const std::string& command) {
  std::istringstream in(command);
  ToolProcess::Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

bool is_installed(const char* program) {
  return std::system(("command -v " + std::string(program) + " > /dev/null").c_str()) == 0;
}

}  // namespace

TEST_CASE("help at every level names every option, has examples and the exit codes, and ends with 0") {
  const Workshop shop;
  for (const auto& [command, groups] : commands) {
    CAPTURE(command);
    auto words = words_of(command);
    words.emplace_back("--help");
    const ToolRun run = shop.run(words);
    CHECK(run.exit_code == 0);
    CHECK(run.err.empty());
    CHECK(contains(run.out, "Example"));
    CHECK(contains(run.out, "statehouse " + command + ' '));
    CHECK(contains(run.out, "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 would change something"));
    CHECK(run.out.find("Exit codes:") == run.out.rfind("Exit codes:"));
    for (const auto& option : everywhere) CHECK(contains(run.out, option));
    for (const auto& group : groups)
      for (const auto& option : group) {
        CAPTURE(option);
        CHECK(contains(run.out, option));
      }
  }
  for (const char* group : {"migrate", "db"}) {
    const ToolRun run = shop.run({group, "--help"});
    CHECK(run.exit_code == 0);
    for (const auto& [command, groups] : commands)
      if (command.starts_with(group)) CHECK(contains(run.out, "  " + words_of(command)[1] + ' '));
  }
  CHECK(contains(shop.run({"--help"}).out, "First steps"));
  CHECK(contains(shop.run({"--version"}).out, std::string("SQLite ") + sqlite3_libversion()));
}

TEST_CASE("no command takes an option that its help does not name") {
  const Workshop shop;
  Options all;
  for (const auto& [command, groups] : commands)
    for (const auto& group : groups)
      for (const auto& option : group)
        if (option.starts_with("--")) all.push_back(option);
  for (const auto& [command, groups] : commands) {
    auto words = words_of(command);
    words.emplace_back("--help");
    const std::string help = shop.run(words).out;
    for (const auto& option : all) {
      bool expected = false;
      for (const auto& group : groups)
        expected = expected || std::find(group.begin(), group.end(), option) != group.end();
      CAPTURE(command, option);
      CHECK(contains(help, "  " + option) == (expected && !contains(help, "," + option)));
    }
  }
}

TEST_CASE("wrong usage exits with 2, says what is wrong and where to look, also as one document") {
  const Workshop shop;
  const std::vector<std::pair<ToolProcess::Words, std::string>> usages = {
      {{}, "has migrate, db, cluster, queries, completion, man"},
      {{"migrate"}, "has add, run, revert"},
      {{"migrate", "rnu"}, "migrate --help"},
      {{"migrate", "run", "--tabel", "x"}, "--tabel"},
      {{"migrate", "run", "--target-version", "two", "--database", "x.db"}, "--target-version"},
      {{"migrate", "run", "--target-version", "1_0", "--database", "x.db"}, "--target-version"},
      {{"migrate", "run", "--target-version", "0x50", "--database", "x.db"}, "--target-version"},
      {{"migrate", "repair", "--database", "x.db", "1", "0x50"}, "'0x50' is no whole number"},
      {{"migrate", "baseline", "--database", "x.db", "1_0"}, "'1_0' is no whole number"},
      {{"migrate", "run", "--busy-timeout", "-1", "--database", "x.db"}, "--busy-timeout"},
      {{"migrate", "run", "--busy-timeout", "1_0", "--database", "x.db"}, "--busy-timeout"},
      {{"migrate", "info"}, "--database"},
      {{"migrate", "add"}, "NAME"},
      {{"db", "backup", "--database", "x.db"}, "--to"},
      {{"cluster"}, "has status, add, remove, transfer, dump, import"},
      {{"cluster", "remove", "--cluster", "127.0.0.1:9001", "x"}, "'x' is no whole number"},
      {{"db", "check", "--database", "x.db", "--format", "yaml"}, "--format"},
  };
  for (const auto& [words, part] : usages) {
    CAPTURE(words);
    const ToolRun people = shop.run(words);
    CHECK(people.exit_code == 2);
    CHECK(people.out.empty());
    CHECK(contains(people.err, part));
    if (words.size() > 1 && words.back() == "yaml") continue;
    const ToolRun machine = shop.json(words);
    CHECK(machine.exit_code == 2);
    CHECK(machine.kind() == "usage");
    CHECK(machine.err.empty());
  }
  CHECK(shop.files().empty());
}

TEST_CASE("colour is for terminals, and not where NO_COLOR asks for none") {
  const Workshop shop;
  shop.migration("1_a.sql", "SELECT 1");
  shop.migration("2_\x1b[2J.sql", "SELECT 1");
  const ToolProcess::Words info{"migrate", "info", "--database", "x.db"};
  CHECK_FALSE(contains(shop.run(info).out, "\x1b"));
  CHECK(contains(TerminalRun(shop.path(), info).finish().out, "\x1b[33mpending"));
  CHECK_FALSE(contains(TerminalRun(shop.path(), info, true).finish().out, "\x1b"));
  // A file's name never controls the terminal.
  CHECK_FALSE(contains(TerminalRun(shop.path(), info).finish().out, "\x1b[2J"));
  auto machine = info;
  machine.insert(machine.end(), {"--format", "json"});
  CHECK_FALSE(contains(TerminalRun(shop.path(), machine).finish().out, "\x1b"));
}

TEST_CASE("completion scripts parse, and know every command and option") {
  const Workshop shop;
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    CAPTURE(shell);
    const ToolRun run = shop.run({"completion", shell});
    REQUIRE(run.exit_code == 0);
    for (const auto& [command, groups] : commands) {
      CHECK(contains(run.out, "statehouse " + command));
      for (const auto& group : groups)
        for (const auto& option : group)
          if (option.starts_with("--")) CHECK(contains(run.out, shell == "fish" ? "-l " + option.substr(2) : option));
    }
    write_file(shop / shell, run.out);
    if (is_installed(shell.c_str()))
      CHECK(std::system((shell + " -n '" + (shop / shell).string() + '\'').c_str()) == 0);
  }
  CHECK(shop.run({"completion", "tcsh"}).exit_code == 2);
}

TEST_CASE("bash completes commands, options, choices and files") {
  if (!is_installed("bash")) SKIP("bash is not installed");
  const Workshop shop;
  write_file(shop / "script", shop.run({"completion", "bash"}).out);
  const auto complete = [&](const std::string& line) {
    const std::string test = "cd '" + shop.path().string() + "' && . ./script && COMP_WORDS=(" + line +
                             ") && COMP_CWORD=$((${#COMP_WORDS[@]}-1)) && compopt() { :; } && _statehouse && "
                             "printf '%s ' \"${COMPREPLY[@]}\" > reply";
    write_file(shop / "test", test);
    CHECK(std::system(("bash '" + (shop / "test").string() + '\'').c_str()) == 0);
    return read_file(shop / "reply");
  };
  CHECK(complete("statehouse mi") == "migrate ");
  CHECK(complete("statehouse man te") == " ");  // none: there is no directory
  CHECK(complete("statehouse db seed sc") == "script ");
  CHECK(complete("statehouse u") == "up ");
  CHECK(complete("statehouse migrate re") == "revert repair ");
  CHECK(complete("statehouse migrate st") == "status ");
  for (const std::string command : {"migrate run", "migrate up", "mig run", "up"})
    CHECK(complete("statehouse " + command + " --ta") == "--table --target-version ");
  CHECK(complete("statehouse migrate run --format j") == "json ");
  CHECK(complete("statehouse db backup --database sc") == "script ");
  CHECK(complete("statehouse db schema --check sc") == "script ");
  CHECK(complete("statehouse migrate info --check --ta") == "--table ");  // takes no file there
  CHECK(complete("statehouse completion z") == "zsh ");
}
