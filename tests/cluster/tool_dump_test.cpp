#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <thread>

#include "cluster_tool.hpp"
#include "error_of.hpp"
#include "files.hpp"
#include "plain_database.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::test {
namespace {

struct DumpWorkshop : ClusterWorkshop {
  Connection open(const std::string& database) const {
    return Connection::in_cluster(
        {.nodes = cluster.addresses(), .database = database, .dial_timeout = patience, .find_leader = patience},
        connection_role::writer);
  }
  ToolRun dump(ToolProcess::Words more) const {
    more.insert(more.begin(), {"cluster", "dump", "--name", "a"});
    return on_cluster(std::move(more));
  }
};

TEST_CASE(
    "statehouse cluster: dump copies one committed state under load into a private file, which db check accepts") {
  const DumpWorkshop shop;
  auto db = shop.open("a.db");
  db.execute_script(
      "CREATE TABLE counters(id INTEGER PRIMARY KEY, n INTEGER) STRICT;"
      "INSERT INTO counters VALUES (1, 0), (2, 0);"
      "CREATE TABLE log(id INTEGER PRIMARY KEY, x BLOB) STRICT");
  std::atomic<int> written{0};
  std::jthread writer([&](const std::stop_token& over) {
    while (!over.stop_requested()) {
      auto own = shop.open("a.db");
      try {
        for (; !over.stop_requested(); ++written)
          own.savepoint([&] {
            own.execute("UPDATE counters SET n = n + 1 WHERE id = 1");
            own.execute("INSERT INTO log(x) VALUES (randomblob(2000))");
            own.execute("UPDATE counters SET n = n + 1 WHERE id = 2");
          });
      } catch (const Error&) {  // the cluster has voted
      }
    }
  });
  for (int round = 0; round < 3; ++round) {
    for (const int before = written; written < before + 20;) std::this_thread::yield();
    const ToolRun run = shop.dump({"--to", "copy.db", "--overwrite"});
    CHECK(run.exit_code == 0);
    const PlainDatabase copy(shop / "copy.db");
    CHECK(copy.text("PRAGMA integrity_check") == "ok");
    const auto count = copy.scalar("SELECT n FROM counters WHERE id = 1");
    CHECK(copy.scalar("SELECT n FROM counters WHERE id = 2") == count);
    CHECK(copy.scalar("SELECT count(*) FROM log") == count);
    CHECK(count >= 20 * (round + 1));
  }
  writer.request_stop();
  writer.join();
  CHECK((std::filesystem::status(shop / "copy.db").permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  CHECK(shop.json({"db", "check", "--database", "copy.db"}).exit_code == 0);
  CHECK(shop.files() == std::vector<std::string>{"copy.db"});
}

TEST_CASE(
    "statehouse cluster: dump replaces a file only when it is told to, and leaves nothing where there is no copy") {
  const DumpWorkshop shop;
  shop.open("a.db").execute("CREATE TABLE t(a INTEGER) STRICT");
  write_file(shop / "copy.db", "mine");
  const ToolRun exists = shop.dump({"--to", "copy.db"});
  CHECK(exists.exit_code == 1);
  CHECK(exists.kind() == "file_exists");
  CHECK(read_file(shop / "copy.db") == "mine");
  CHECK(shop.dump({"--to", "copy.db", "--overwrite"}).exit_code == 0);
  CHECK(PlainDatabase(shop / "copy.db").scalar("SELECT count(*) FROM t") == 0);
  const ToolRun unknown = shop.on_cluster({"cluster", "dump", "--name", "other", "--to", "other.db"});
  CHECK(unknown.exit_code == 1);
  CHECK(unknown.kind() == "not_found");
  CHECK(contains(message_of(unknown), "no database 'other.db'"));
  CHECK(shop.on_cluster({"cluster", "dump", "--name", "../a", "--to", "other.db"}).exit_code == 2);
  CHECK(shop.on_cluster({"cluster", "dump", "--name", "a", "--to", "missing/other.db"}).exit_code == 1);
  CHECK(shop.files() == std::vector<std::string>{"copy.db"});
}

TEST_CASE("statehouse cluster: dump finds a database under its development prefix, and many megabytes of it") {
  const DumpWorkshop shop;
  auto db = shop.open("dev_a.db");
  db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x BLOB NOT NULL) STRICT");
  // One at a time: a leader that is busy with all of them for long is taken for lost.
  for (int id = 1; id <= 30; ++id) db.execute("INSERT INTO t VALUES (?, randomblob(1000000))", id);
  CHECK(shop.dump({"--dev-prefix", "dev", "--to", "copy.db"}).exit_code == 0);
  CHECK(PlainDatabase(shop / "copy.db").scalar("SELECT sum(length(x)) FROM t") == 30'000'000);
}

}  // namespace
}  // namespace statehouse::test
