#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "error_of.hpp"
#include "neighbour.hpp"
#include "plain_database.hpp"
#include "tool.hpp"

using namespace statehouse::test;

namespace {

/// A process with x.db open, which has committed a row.
struct LiveServer : Workshop {
  Pipe started;
  std::optional<Neighbour> server;

  LiveServer() {
    server.emplace([&] {
      const PlainDatabase database(*this / "x.db");
      database.execute("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)");
      started.tell();
      ::pause();
    });
    started.wait();
  }
};

}  // namespace

TEST_CASE(
    "beside a process whose log is not the one on disk every command fails, says whose it is, and makes nothing") {
  LiveServer live;
  const bool replaced = GENERATE(false, true);
  const ToolProcess::Words which =
      GENERATE(ToolProcess::Words{"-wal"}, ToolProcess::Words{"-shm"}, ToolProcess::Words{"-wal", "-shm"});
  for (const auto& suffix : which) {
    const auto file = live / ("x.db" + suffix);
    std::filesystem::remove(file);
    if (replaced) write_file(file, "");
  }
  live.migration("1_a.sql", "CREATE TABLE a(x)");
  const auto before = live.files();
  for (const ToolRun& run :
       {live.db("backup", {"--to", "copy.db"}), live.db("check"), live.migrate("run"), live.migrate("info")}) {
    CHECK(run.exit_code == 1);
    CHECK(run.kind() == "log_replaced");
    const std::string message = text_of(run.document().at("error").at("message"));
    CHECK(contains(message, "'x.db" + which.front() + "' that was moved, deleted or replaced"));
    CHECK(contains(message, "Stop that process with SIGTERM"));
  }
  CHECK(live.files() == before);
  CHECK(live.server->kill());
  if (!replaced) CHECK(live.db("check").exit_code == 0);
}

TEST_CASE("beside a process that has the log on disk, or another database of a similar name, commands work") {
  LiveServer live;
  const LiveServer other;
  for (const char* const suffix : {"-wal", "-shm"}) std::filesystem::remove(other / (std::string("x.db") + suffix));
  CHECK(live.db("check").exit_code == 0);
  CHECK(live.db("backup", {"--to", "copy.db"}).exit_code == 0);
  CHECK(PlainDatabase(live / "copy.db").scalar("SELECT count(*) FROM t") == 1);
  CHECK(live.server->kill());
}

TEST_CASE(
    "beside a process that has a database of the same name open elsewhere, that one's log is not taken for this") {
  const Workshop shop;
  const Workshop elsewhere;
  const bool is_there = GENERATE(true, false);
  CAPTURE(is_there);
  const Pipe started;
  Neighbour server([&] {
    const PlainDatabase other(elsewhere / "x.db");
    const PlainDatabase database(shop / "x.db");
    for (const PlainDatabase* const each : {&other, &database})
      each->execute("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)");
    started.tell();
    ::pause();
  });
  started.wait();
  if (!is_there)
    for (const char* const suffix : {"", "-wal", "-shm"})
      std::filesystem::remove(elsewhere / (std::string("x.db") + suffix));
  CHECK(shop.db("check").exit_code == 0);
  std::filesystem::remove(shop / "x.db-wal");
  CHECK(shop.db("check").kind() == "log_replaced");
  CHECK(server.kill());
}
