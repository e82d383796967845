// How the engine keeps the write-ahead log short, with readers that do at each moment what the test wants.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <memory>
#include <vector>

#include "engine/connection_access.hpp"
#include "plain_database.hpp"
#include "sqlite/local_engine.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/testing/log_capture.hpp"
#include "statehouse/testing/manual_clock.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;

namespace {

constexpr std::uint64_t limit = 1 << 20;

/// Two readers, one of which has a snapshot at any moment: the next one begins before the one before ends.
class Turns final : public detail::ReaderGate {
 public:
  /// `give_way`: whether a reader ends while others are held back.
  Turns(const std::filesystem::path& file, bool give_way)
      : readers_{test::PlainDatabase(file), test::PlainDatabase(file)}, give_way_(give_way) {}

  void next() {
    const std::size_t before = current_;
    current_ = 1 - current_;
    begin();
    end(before);
  }
  void begin() const {
    readers_[current_].execute("BEGIN");
    readers_[current_].execute("SELECT count(*) FROM t WHERE rowid = 1");
  }
  void end(std::size_t reader) const { readers_[reader].execute("COMMIT"); }

  bool hold_back(TimeLimit) override {
    ++held_back;
    if (give_way_) end(current_);
    return give_way_;
  }
  void open_again() override {
    if (give_way_) begin();
  }
  std::vector<Holder> reading() const override { return {}; }

  int held_back = 0;

 private:
  const test::PlainDatabase readers_[2];
  const bool give_way_;
  std::size_t current_ = 0;
};

struct Growth {
  std::uint64_t longest = 0;
  int held_back = 0;
};

/// Of the log, while some 10 MB are written.
Growth write_beside_readers(bool give_way) {
  const testing::TempDir dir;
  const auto clock = std::make_shared<testing::ManualClock>();
  const testing::LogCapture log;
  const auto interrupter = std::make_shared<detail::Interrupter>(clock);
  PoolOptions options;
  options.wal_soft_limit = limit;
  detail::LocalEngine engine({dir / "x.db", "x", options, clock, log.logger()}, interrupter);
  Connection writer =
      detail::ConnectionAccess::open(engine.open(connection_role::writer, interrupter), options.connection);
  detail::Session& session = detail::session_of(writer);
  engine.begin_service(session);
  writer.execute("CREATE TABLE t(a)");
  Turns readers(dir / "x.db", give_way);
  readers.begin();
  Growth growth;
  for (int i = 0; i < 600; ++i) {
    writer.execute("INSERT INTO t VALUES (zeroblob(16384))");
    growth.longest = std::max(growth.longest, engine.facts().wal_bytes);
    if (engine.due(session)) engine.before_next(session, &readers);
    readers.next();
  }
  growth.held_back = readers.held_back;
  return growth;
}

}  // namespace

TEST_CASE("wal: a busy writer's log stays under twice the soft limit while readers take turns") {
  // reader 1         reader 2         writer
  // snapshot                          INSERT ... checkpoint: the log is in use
  //                  snapshot
  // ends                              INSERT ... checkpoint: over the limit, others are held back
  //                  ends             the gap: cuts the log
  // snapshot                          INSERT ...
  const Growth growth = write_beside_readers(true);
  CHECK(growth.held_back > 3);
  CHECK(growth.longest > limit);
  CHECK(growth.longest < 2 * limit);
}

TEST_CASE("wal: where no reader makes room for it, the log grows, and nobody waits") {
  const Growth growth = write_beside_readers(false);
  CHECK(growth.held_back > 3);
  CHECK(growth.longest > 8 * limit);
}
