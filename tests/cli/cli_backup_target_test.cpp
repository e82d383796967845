#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "plain_database.hpp"
#include "special_files.hpp"
#include "tool.hpp"

using namespace statehouse::test;

TEST_CASE("db backup: a directory, device, FIFO, socket or link stays, with and without --overwrite") {
  const Workshop shop;
  REQUIRE(shop.db("create").exit_code == 0);
  for (const std::string& name : make_special_files(shop.path())) {
    CAPTURE(name);
    const auto before = thing_at(shop / name);
    for (const auto& more : {ToolProcess::Words{"--to", name}, {"--to", name, "--overwrite"}}) {
      const ToolRun run = shop.db("backup", more);
      CHECK(run.exit_code == 1);
      CHECK(run.kind() == "not_a_regular_file");
    }
    CHECK(thing_at(shop / name) == before);
  }
}
