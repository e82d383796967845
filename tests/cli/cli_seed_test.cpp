#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

struct SeedShop : Workshop {
  SeedShop() {
    migration("1_a.sql", "CREATE TABLE a(x INTEGER PRIMARY KEY, y REFERENCES a(x) DEFERRABLE INITIALLY DEFERRED)");
    if (migrate("run").exit_code != 0) throw std::runtime_error("not migrated");
  }
  /// What is told of seeds.sql with this content.
  std::string refusal(std::string_view sql) const {
    write_file(path() / "seeds.sql", sql);
    const ToolRun run = db("seed");
    CHECK(run.exit_code == 1);
    CHECK(rows() == 0);
    return text_of(run.document().at("error").at("message"));
  }
  std::int64_t rows() const { return PlainDatabase(path() / "x.db").scalar("SELECT count(*) FROM a"); }
};

}  // namespace

TEST_CASE("db seed runs the file that is given, else seeds.sql, or seeds/NAME.sql for a database by name") {
  const SeedShop shop;
  CHECK(shop.db("seed").kind() == "not_found");
  write_file(shop / "seeds.sql", "-- two\nINSERT INTO a(x) VALUES (1);\nINSERT INTO a(x) VALUES (2)\n");
  const ToolRun run = shop.db("seed");
  CHECK(run.exit_code == 0);
  CHECK(run.document().at("changes") == 2);
  CHECK(shop.rows() == 2);
  write_file(shop / "more.sql", "INSERT INTO a(x) VALUES (3);");
  CHECK(shop.db("seed", {"more.sql"}).exit_code == 0);
  CHECK(shop.rows() == 3);
  REQUIRE(shop.json({"up", "--data-dir", "data", "--name", "notes"}).exit_code == 0);
  const ToolProcess::Words by_name{"db", "seed", "--data-dir", "data", "--name", "notes"};
  CHECK(contains(shop.run(by_name).err, "there is no SQL file 'seeds/notes.sql'"));
  std::filesystem::create_directory(shop / "seeds");
  write_file(shop / "seeds/notes.sql", "INSERT INTO a(x) VALUES (7);");
  CHECK(shop.json(by_name).exit_code == 0);
  CHECK(shop.json({"db", "seed", "--database", "nosuch.db"}).kind() == "not_found");
  CHECK_FALSE(std::filesystem::exists(shop / "nosuch.db"));
}

TEST_CASE("db seed keeps all of a file or nothing, and tells file and line of what fails") {
  const SeedShop shop;
  CHECK(contains(shop.refusal("INSERT INTO a(x) VALUES (1);\n\nINSERT INTO a(x)\nVALUES (1);"),
                 "seeds.sql:3: UNIQUE constraint failed: a.x; nothing of the file is kept"));
  CHECK(contains(shop.refusal("INSERT INTO a(x) VALUES (1);\nINSERT INTO b(x) VALUES (1);"), "apply them first"));
  CHECK(contains(shop.refusal("INSERT INTO a(x) VALUES (1);\nINSRT INTO a(x) VALUES (2);"), "seeds.sql:2: near"));
  CHECK(contains(shop.refusal("INSERT INTO a(x, y) VALUES (1, 9);"), "COMMIT failed"));
  for (const std::string_view sql :
       {"BEGIN; INSERT INTO a(x) VALUES (1); COMMIT;", "INSERT INTO a(x) VALUES (1); COMMIT",
        "INSERT INTO a(x) VALUES (1); SAVEPOINT s; ROLLBACK"}) {
    CAPTURE(sql);
    CHECK(contains(shop.refusal(sql), "the file is one transaction: remove BEGIN"));
  }
  CHECK(contains(shop.refusal("INSERT INTO a(x) VALUES (1); ATTACH 'y.db' AS y;"), "remove ATTACH"));
  CHECK(contains(shop.refusal({"INSERT INTO a(x) VALUES (1);\0 INSERT", 36}), "NUL byte"));
  CHECK_FALSE(std::filesystem::exists(shop / "y.db"));
  const json::object document = shop.db("seed").document();
  CHECK(document.at("error").at("kind") == "refused");
}
