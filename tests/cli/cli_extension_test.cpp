#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

/// A folder whose first script needs the function doubled(x).
class ExtensionShop : public Workshop {
 public:
  ExtensionShop() {
    migration("1_a.up.sql", "CREATE TABLE a(x); INSERT INTO a VALUES (21); CREATE INDEX i ON a(doubled(x));");
    migration("1_a.down.sql", "DROP TABLE a;");
    write_file(*this / "seeds.sql", "INSERT INTO a VALUES (doubled(4));");
  }

  ToolRun with(ToolProcess::Words words) const {
    words.insert(words.end(), {"--load-extension", STATEHOUSE_SQL_EXTENSION});
    return json(words);
  }
};

}  // namespace

TEST_CASE("load-extension: scripts, seeds, checks and copies have what the extension brings") {
  const ExtensionShop shop;
  const ToolRun without = shop.json({"migrate", "verify", "--strict"});
  CHECK(without.exit_code == 1);
  CHECK(contains(without.out, "--load-extension"));
  CHECK(shop.with({"migrate", "verify", "--strict"}).exit_code == 0);

  const ToolRun run_without = shop.migrate("run");
  CHECK(run_without.exit_code == 1);
  CHECK(contains(run_without.out, "--load-extension"));
  for (const ToolProcess::Words& words : std::vector<ToolProcess::Words>{{"migrate", "plan"},
                                                                         {"migrate", "run"},
                                                                         {"migrate", "revert"},
                                                                         {"db", "setup"},
                                                                         {"db", "seed"},
                                                                         {"db", "check"},
                                                                         {"db", "vacuum"},
                                                                         {"db", "optimize"},
                                                                         {"db", "schema"},
                                                                         {"db", "backup", "--to", "copy.db"},
                                                                         {"db", "restore", "--from", "copy.db"},
                                                                         {"db", "reset", "--yes"}}) {
    ToolProcess::Words on_database = words;
    on_database.insert(on_database.end(), {"--database", "x.db"});
    const ToolRun run = shop.with(on_database);
    CAPTURE(words, run.out, run.err);
    CHECK(run.exit_code == 0);
  }
  const ToolRun seed = shop.db("seed");
  CHECK(seed.exit_code == 1);
  CHECK(contains(seed.out, "no such function: doubled. An extension"));
}

TEST_CASE("load-extension: what cannot be loaded is told before anything is done") {
  const ExtensionShop shop;
  const ToolRun none = shop.migrate("run", {"--load-extension", "./no-such"});
  CHECK(none.kind() == "extension");
  CHECK(contains(none.out, "'./no-such'"));
  CHECK_FALSE(std::filesystem::exists(shop / "x.db"));
  CHECK(shop.migrate("run", {"--load-extension", ""}).exit_code == 2);
  CHECK(shop.with({"migrate", "info", "--cluster", "127.0.0.1:1", "--name", "x"}).exit_code == 2);
  // SQL may not.
  write_file(shop / "seeds.sql", "SELECT load_extension('./no-such');");
  REQUIRE(shop.with({"db", "setup", "--database", "x.db"}).exit_code == 0);
  CHECK(contains(shop.with({"db", "seed", "--database", "x.db"}).out, "not authorized"));
}
