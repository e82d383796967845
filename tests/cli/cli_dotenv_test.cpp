#include <catch2/catch_test_macros.hpp>

#include "../../tools/cli/database_url.hpp"
#include "../../tools/cli/dotenv.hpp"
#include "../../tools/cli/output.hpp"
#include "error_of.hpp"

using namespace statehouse::cli;
using statehouse::test::contains;

namespace {

std::string refusal(const std::string& url) {
  try {
    parse_database_url(url);
    return {};
  } catch (const UsageError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a .env file: names, quotes and comments are read as programs that share it read them") {
  const auto entries = parse_dotenv(
      "\xEF\xBB\xBF# a comment\r\n"
      "\n"
      "PLAIN=a b # not this\n"
      "  export SPACED = c#d  \r\n"
      "SINGLE='$x \\n # '  # a comment\n"
      "DOUBLE=\"a\\tb\\\"\\$x\\\\\"\n"
      "MANY=\"one\n"
      "NOT=two\"\n"
      "EMPTY=\n"
      "COMMENT=# nothing\n"
      "no entry\n"
      "#OUT=1\n"
      "strange-name=1\n"
      "LAST=z");
  const std::vector<std::tuple<std::string, std::string, std::size_t>> expected{
      {"PLAIN", "a b", 3},         {"SPACED", "c#d", 4}, {"SINGLE", "$x \\n # ", 5}, {"DOUBLE", "a\tb\"$x\\", 6},
      {"MANY", "one\nNOT=two", 7}, {"EMPTY", "", 9},     {"COMMENT", "", 10},        {"LAST", "z", 14},
  };
  REQUIRE(entries.size() == expected.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CAPTURE(entries[i].name);
    CHECK(std::tuple(entries[i].name, entries[i].value, entries[i].line) == expected[i]);
    CHECK(entries[i].problem.empty());
  }
}

TEST_CASE("a .env file: what cannot be relied on is said of that entry alone") {
  const auto entries = parse_dotenv("A=$HOME/x\nB=\"${X}\"\nC='a' b\nD='never closed\nE=e\n");
  REQUIRE(entries.size() == 5);
  CHECK(contains(entries[0].problem, "not expanded"));
  CHECK(contains(entries[1].problem, "not expanded"));
  CHECK(contains(entries[2].problem, "follows the quote"));
  CHECK(contains(entries[3].problem, "close it"));
  CHECK(entries[4].value == "e");
  CHECK(entries[4].problem.empty());
  CHECK(parse_dotenv("").empty());
}

TEST_CASE("DATABASE_URL names the file that sqlx takes it for") {
  const std::vector<std::pair<std::string, std::string>> files{
      {"sqlite:x.db", "x.db"},
      {"sqlite://x.db", "x.db"},
      {"sqlite:./a/x.db?mode=rwc", "./a/x.db"},
      {"sqlite:/var/x.db", "/var/x.db"},
      {"sqlite:///var/x.db?cache=shared&mode=rwc", "/var/x.db"},
      {"sqlite:////var/x.db", "//var/x.db"},
      {"sqlite:a%3Fb%20c%2.db", "a?b c%2.db"},
      {"sqlite:../a b/x#y.db", "../a b/x#y.db"},
  };
  for (const auto& [url, file] : files) {
    CAPTURE(url);
    CHECK(parse_database_url(url).file == file);
    CHECK_FALSE(parse_database_url(url).must_exist);
  }
  CHECK(parse_database_url("sqlite:x.db?mode=rw").must_exist);
}

TEST_CASE("DATABASE_URL: what is no file here is refused, with what to write, and no password is shown") {
  for (const std::string url :
       {"postgres://me:secret@host/x", "mysql://me:secret@host/x", "sqlite3:secret.db", "file:./secret.db", "secret.db",
        "/var/secret.db", "sqlite:", "sqlite://", "sqlite::memory:", "sqlite://:memory:", "sqlite:?mode=memory",
        "sqlite:x.db?mode=ro", "sqlite:x.db?mode=memory", "sqlite:x.db?mode=secret", "sqlite:x.db?vfs=secret",
        "sqlite:x.db?immutable=1", "sqlite:x.db?cache=secret", "sqlite:x%00.db"}) {
    CAPTURE(url);
    const std::string what = refusal(url);
    CHECK(contains(what, "DATABASE_URL=sqlite:data/app.db"));
    CHECK_FALSE(contains(what, "secret"));
  }
}
