#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <string>

#include "cluster_tool.hpp"
#include "error_of.hpp"
#include "eventually.hpp"
#include "fake_node.hpp"
#include "files.hpp"
#include "plain_database.hpp"

namespace statehouse::test {
namespace {

/// A value of the environment that programs which are started meanwhile see.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* const name_;
};

/// So that nothing beside it has a name that a directory takes: as where its owner may not write, which root always
/// may.
const std::string longest_name = std::string(244, 'x');

TEST_CASE("statehouse cluster: import needs no room beside the file, and leaves nothing where it had some") {
  const ClusterWorkshop shop;
  PlainDatabase(shop / longest_name).execute("CREATE TABLE t(a INTEGER) STRICT; INSERT INTO t VALUES (1)");
  std::filesystem::create_directory(shop / "room");
  const auto import = [&](const char* place) {
    const Variable set("TMPDIR", (shop / place).string());
    return shop.on_cluster({"cluster", "import", "--name", "a", longest_name});
  };
  const ToolRun nowhere = import("missing");
  CHECK(nowhere.exit_code == 1);
  CHECK(contains(message_of(nowhere), (shop / "missing").string()));
  CHECK(contains(message_of(nowhere), "TMPDIR"));
  CHECK(shop.on_cluster({"cluster", "dump", "--name", "a", "--to", "a.db"}).kind() == "not_found");  // not begun
  const ToolRun run = import("room");
  CAPTURE(run.out);
  CHECK(run.exit_code == 0);
  CHECK(shop.files("room").empty());
}

TEST_CASE("statehouse cluster: the first signal ends a dump and an import that look for a leader") {
  const Workshop shop;
  FakeNode node;
  node.set_leader("");
  PlainDatabase(shop / "x.db").execute("CREATE TABLE t(a INTEGER) STRICT");
  for (const ToolProcess::Words& words :
       {ToolProcess::Words{"dump", "--to", "copy.db"}, ToolProcess::Words{"import", "x.db"}}) {
    for (const int signal : {SIGINT, SIGTERM}) {
      CAPTURE(words, signal);
      ToolProcess::Words all{"cluster",        words[0], "--name",        "a",   "--cluster", node.address(),
                             "--dial-timeout", "0",      "--find-leader", "120", "--format",  "json"};
      all.insert(all.end(), words.begin() + 1, words.end());
      const int asked = node.asked(detail::wire::request::leader);
      ToolProcess looking(shop.path(), all);
      REQUIRE(eventually([&] { return node.asked(detail::wire::request::leader) > asked; }));
      looking.signal(signal);
      CHECK(looking.wait() == 128 + signal);
      CHECK(contains(read_file(shop / "out"), R"("kind":"interrupted")"));
    }
  }
  CHECK(shop.files() == std::vector<std::string>{"err", "out", "x.db"});
}

TEST_CASE("statehouse migrate: a look at a database that the cluster does not have says so, and makes none") {
  const ClusterWorkshop shop;
  shop.migration("1_a.up.sql", "CREATE TABLE t(a INTEGER) STRICT");
  shop.migration("1_a.down.sql", "DROP TABLE t");
  const auto look = [&](ToolProcess::Words words) {
    words.insert(words.begin(), "migrate");
    words.insert(words.end(), {"--name", "a"});
    return shop.on_cluster(std::move(words));
  };
  for (const ToolProcess::Words& words :
       {ToolProcess::Words{"info"}, ToolProcess::Words{"info", "--check"}, ToolProcess::Words{"plan"},
        ToolProcess::Words{"run", "--dry-run"}, ToolProcess::Words{"revert", "--dry-run"}}) {
    CAPTURE(words);
    const ToolRun run = look(words);
    CHECK(run.exit_code == (words.back() == "--check" ? 3 : 0));
    CHECK_FALSE(run.document().at("exists").as_bool());
  }
  for (const ToolProcess::Words& words :
       {ToolProcess::Words{"revert"}, ToolProcess::Words{"repair", "1", "--yes"},
        ToolProcess::Words{"repair", "1", "--dry-run"}, ToolProcess::Words{"baseline", "1", "--yes"}}) {
    CAPTURE(words);
    const ToolRun run = look(words);
    CHECK(run.exit_code == 1);
    CHECK(run.kind() == "not_found");
  }
  CHECK(shop.on_cluster({"cluster", "dump", "--name", "a", "--to", "a.db"}).kind() == "not_found");
  CHECK(look({"run"}).exit_code == 0);
  const ToolRun info = look({"info", "--check"});
  CHECK(info.exit_code == 0);
  CHECK(info.document().at("exists").as_bool());
}

}  // namespace
}  // namespace statehouse::test
