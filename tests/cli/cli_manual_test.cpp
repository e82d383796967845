#include <catch2/catch_test_macros.hpp>
#include <cstdlib>

#include "error_of.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

bool has_program(const char* program) {
  return std::system(("command -v " + std::string(program) + " > /dev/null").c_str()) == 0;
}

/// What a command of the shell prints, complaints among it.
std::string printed(const Workshop& shop, const std::string& command) {
  const int status = std::system(("cd '" + shop.path().string() + "' && (" + command + ") > printed 2>&1").c_str());
  CHECK(status == 0);
  return read_file(shop / "printed");
}

}  // namespace

TEST_CASE("manual: there is a page for every command, with its options, where they come from, and its examples") {
  const Workshop shop;
  CHECK(shop.run({"man"}).exit_code == 2);
  REQUIRE(shop.run({"man", "pages/man1"}).exit_code == 0);
  const auto pages = shop.files("pages/man1");
  CHECK(pages.size() > 30);
  const auto of = [&](const std::string& page) { return read_file(shop / ("pages/man1/" + page + ".1")); };
  CHECK(contains(of("statehouse"), "statehouse\\-migrate (1)"));
  const std::string run = of("statehouse-migrate-run");
  for (const char* part : {"\\fB\\-\\-target\\-version\\fR \\fIN\\fR", "STATEHOUSE_DATA_DIR", "statehouse.toml",
                           "also: up", "statehouse migrate run \\-\\-database data/context.db", "Exit codes: 0 done"})
    CHECK(contains(run, part));
  CHECK(contains(of("statehouse-db-seed"), "[\\fIFILE\\fR]"));
}

TEST_CASE("manual: roff has nothing against a page, and none is wider than 80 columns") {
  const Workshop shop;
  REQUIRE(shop.run({"man", "."}).exit_code == 0);
  if (has_program("groff")) CHECK(printed(shop, "for page in *.1; do groff -man -Tascii -ww -z $page; done").empty());
  if (has_program("mandoc")) CHECK(printed(shop, "mandoc -T lint -W error *.1").empty());
  if (!has_program("man")) SKIP("man is not installed");
  CHECK(printed(shop, "for page in *.1; do LC_ALL=C MANWIDTH=80 man -l --warnings $page > /dev/null; done").empty());
  const std::string run = printed(shop, "LC_ALL=C MANWIDTH=80 man -l statehouse-migrate-run.1 | col -bx");
  CHECK(contains(run, "--ignored-chars CHARS"));
  CHECK(contains(run, "\\r, \\n, \\t and \\uXXXX"));
  CHECK(contains(run, "       statehouse migrate run --database data/context.db\n"));
  const std::string wide =
      printed(shop, "for page in *.1; do LC_ALL=C MANWIDTH=80 man -l $page | col -bx; done | grep '.\\{81\\}' || true");
  CHECK(wide == "");
}
