#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "litestream.hpp"
#include "lock_audit.hpp"
#include "neighbour.hpp"
#include "state_support.hpp"
#include "statehouse/statehouse.hpp"

// A service beside a process that checkpoints in its place: Litestream, where it is installed, and a plain one always.

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

/// Waits in line with what a pipe says.
using Line = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

PoolOptions checkpointed_by_another() {
  PoolOptions options;
  options.readers = 1;
  options.acquire_timeout = patience;
  options.checkpoint = checkpoint_mode::external;
  return options;
}

/// A service in a process of its own that writes the rows 1, 2, 3 and so on, and tells each when it is committed.
class WritingService {
 public:
  explicit WritingService(const fs::path& dir) : told_(nullptr, &std::fclose) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    neighbour_.emplace([&] {
      ::close(ends[0]);
      write_rows(dir, ends[1]);
    });
    ::close(ends[1]);
    told_.reset(::fdopen(ends[0], "r"));
  }

  /// Reads until so many are committed.
  void follow(int row) {
    while (last_ < row)
      if (std::fscanf(told_.get(), "%d\n", &last_) != 1) FAIL("the service has ended after row " << last_);
  }
  /// Gives the last row that it has told of.
  int kill() {
    CHECK(neighbour_->kill());
    while (std::fscanf(told_.get(), "%d\n", &last_) == 1) {
    }
    return last_;
  }

 private:
  [[noreturn]] static void write_rows(const fs::path& dir, int out) {
    Spawner spawn;
    asio::io_context io;
    LogCapture log;
    AppStateOptions options;
    options.data_dir = dir;
    options.logger = log.logger();
    options.database_threads = 2;
    options.pool = checkpointed_by_another();
    AppState state(io.get_executor(), std::move(options));
    state.db_instances.add_migrator("x", migrations({"CREATE TABLE t(a INTEGER PRIMARY KEY, b)"}));
    const auto write = [&]() -> asio::awaitable<void> {
      co_await state.init();
      const Pool pool = co_await state.db_instances.get_pool("x");
      for (;;) {
        const auto done = co_await pool.execute("INSERT INTO t(b) VALUES (randomblob(500))");
        const std::string line = std::to_string(done.last_insert_rowid) + '\n';
        if (::write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(1);
      }
    };
    auto life = spawn(io.get_executor(), write);
    io.run();
    life.get();
    ::_exit(0);
  }

  std::optional<Neighbour> neighbour_;
  Line told_;
  int last_ = 0;
};

/// A database without a fault that has the rows 1 to what is given back, and no others.
int rows_in(const fs::path& file) {
  const PlainDatabase database(file);
  CHECK(database.text("PRAGMA quick_check") == "ok");
  const auto rows = static_cast<int>(database.scalar("SELECT count(*) FROM t"));
  CHECK(database.scalar("SELECT total(a) = count(*) * (count(*) + 1) / 2 FROM t") == 1);
  return rows;
}

bool missing() {
  if (!Litestream::program().empty()) return false;
  WARN("NOT TESTED with the real Litestream, since it is not installed: tools/setup --ci does so where npm is");
  return true;
}

TEST_CASE("litestream: a service is killed, and what it has acknowledged is in the replica, all of it") {
  if (missing()) SKIP("no litestream");
  const TempDir dir;
  fs::create_directory(dir / "data");
  WritingService service(dir / "data");
  service.follow(1);
  Litestream litestream(dir.path(), dir / "data" / "x.db");
  service.follow(3000);
  const int acknowledged = service.kill();
  litestream.stop();
  CAPTURE(litestream.said());
  REQUIRE(litestream.restore(dir / "restored"));
  CHECK(rows_in(dir / "restored") >= acknowledged);
  // It has checkpointed meanwhile, and nobody else.
  CHECK(fs::file_size(dir / "data" / "x.db") > 1'000'000);
}

}  // namespace
}  // namespace statehouse::test
