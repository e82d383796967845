#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <ctime>

#include "error_of.hpp"
#include "tool.hpp"

// `migrate add` goes by sqlx-cli's rules for the kind and the version of the next migration.

using namespace statehouse::test;

namespace {

struct Inference {
  std::vector<std::string> existing;
  std::vector<std::string> options;
  std::string version;  ///< Empty: a timestamp.
  bool reversible;
};

const std::vector<Inference> inferences = {
    // kind: as the latest, simple at first
    {{}, {}, "", false},
    {{}, {"-r"}, "", true},
    {{"20250101120000_a.sql"}, {}, "", false},
    {{"20250101120000_a.up.sql", "20250101120000_a.down.sql"}, {}, "", true},
    {{"20250101120000_a.up.sql", "20250101120000_a.down.sql"}, {"--simple"}, "", false},
    {{"20250101120000_a.sql", "20250102120000_b.up.sql"}, {}, "", true},
    {{"20250101120000_a.up.sql", "20250102120000_b.sql"}, {}, "", false},
    {{"20250101120000_a.sql"}, {"--reversible"}, "", true},
    // version: counts on where the two latest differ by one, or the only one is 0 or 1
    {{}, {"--sequential"}, "0001", false},
    {{"0_a.sql"}, {}, "0001", false},
    {{"1_a.sql"}, {}, "0002", false},
    {{"2_a.sql"}, {}, "", false},
    {{"1_a.sql", "2_b.sql"}, {}, "0003", false},
    {{"1_a.sql", "3_b.sql"}, {}, "", false},
    {{"1_a.sql", "3_b.sql", "4_c.sql"}, {}, "0005", false},
    {{"1_a.up.sql", "1_a.down.sql", "2_b.up.sql", "2_b.down.sql"}, {}, "0003", true},
    {{"1_a.up.sql", "1_a.down.sql"}, {}, "0002", true},
    {{"9999_a.sql", "10000_b.sql"}, {}, "10001", false},
    {{"1_a.sql", "2_b.sql"}, {"--timestamp"}, "", false},
    {{"20250101120000_a.sql"}, {"-s"}, "20250101120001", false},
    {{"20250101120000_a.sql", "20250101120001_b.sql"}, {}, "20250101120002", false},
};

std::string now_in_utc() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d%H%M%S", std::gmtime(&now));
  return text;
}

}  // namespace

TEST_CASE("migrate add infers kind and version from the folder as sqlx-cli does") {
  const auto& [existing, options, version, reversible] = inferences[GENERATE(range(std::size_t{0}, inferences.size()))];
  CAPTURE(existing, options);
  const Workshop shop;
  for (const auto& file : existing) shop.migration(file, "SELECT 1;");
  const std::string before = now_in_utc();
  ToolProcess::Words words{"migrate", "add", "create users"};
  words.insert(words.end(), options.begin(), options.end());
  const ToolRun run = shop.json(words);
  CAPTURE(run.out);
  REQUIRE(run.exit_code == 0);
  const json::object document = run.document();
  const auto& created = document.at("created").as_array();
  REQUIRE(created.size() == (reversible ? 2 : 1));
  CHECK(document.at("reversible") == reversible);
  const std::string first = text_of(created[0]);
  const std::string stem = first.substr(0, first.find("_create_users"));
  if (version.empty()) {
    CHECK(stem >= "migrations/" + before);
    CHECK(stem <= "migrations/" + now_in_utc());
  } else {
    CHECK(stem == "migrations/" + version);
  }
  CHECK(first == stem + (reversible ? "_create_users.up.sql" : "_create_users.sql"));
  CHECK(read_file(shop / first) ==
        (reversible ? "-- Add up migration script here\n" : "-- Add migration script here\n"));
  if (reversible) {
    CHECK(text_of(created[1]) == stem + "_create_users.down.sql");
    CHECK(read_file(shop / (stem + "_create_users.down.sql")) == "-- Add down migration script here\n");
  }
  CHECK(shop.files("migrations").size() == existing.size() + created.size());
}

TEST_CASE("migrate add makes the folder, tells what it created and how to embed it") {
  const Workshop shop;
  const ToolRun run = shop.run({"migrate", "add", "--source", "db/user-data", "-r", "-s", "create_users"});
  CHECK(run.exit_code == 0);
  CHECK(contains(run.out, "created db/user-data/0001_create_users.up.sql"));
  CHECK(contains(run.out, "created db/user-data/0001_create_users.down.sql"));
  CHECK(contains(run.out, "statehouse_embed_migrations(<target> DATABASE user-data DIRECTORY db/user-data)"));
  CHECK(contains(run.out, "#include <statehouse/migrations/user_data.hpp>"));
  CHECK(contains(run.out, "add_migrator(\"user-data\", statehouse::migrations::user_data())"));
}

TEST_CASE("migrate add gives two migrations of one second different versions") {
  const Workshop shop;
  for (const char* name : {"a", "b", "c"}) REQUIRE(shop.run({"migrate", "add", "-t", name}).exit_code == 0);
  CHECK(shop.run({"migrate", "verify"}).exit_code == 0);
  CHECK(shop.files("migrations").size() == 3);
}

TEST_CASE("migrate add refuses what makes no file name, contradictions, and a folder that cannot be read") {
  const Workshop shop;
  for (const std::string name : {"a/b", "", "a\nb", "a.sql", "a\xff"}) {
    CAPTURE(name);
    const ToolRun run = shop.json({"migrate", "add", name});
    CHECK(run.exit_code == 2);
    CHECK(run.kind() == "usage");
  }
  CHECK(shop.json({"migrate", "add", "--simple", "-r", "a"}).exit_code == 2);
  CHECK(shop.json({"migrate", "add", "--sequential", "--timestamp", "a"}).exit_code == 2);
  CHECK(shop.files().empty());

  shop.migration("9223372036854775807_last.sql", "");
  CHECK(shop.json({"migrate", "add", "--sequential", "a"}).exit_code == 2);
  shop.migration("x_y.sql", "");
  const ToolRun run = shop.json({"migrate", "add", "a"});
  CHECK(run.exit_code == 1);
  CHECK(run.kind() == "migration_source");
  CHECK(shop.files("migrations").size() == 2);
}
