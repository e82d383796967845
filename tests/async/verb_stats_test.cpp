#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <string>

#include "async_fixture.hpp"

namespace {

using namespace statehouse;
using namespace statehouse::test;

std::map<std::string, std::uint64_t> runs_of(const LaneStats& lane) {
  std::map<std::string, std::uint64_t> runs;
  for (std::size_t i = 0; i < lane.runs.size(); ++i)
    if (const auto count = lane.runs[i].count(); count > 0) runs[to_string(static_cast<operation_verb>(i))] = count;
  return runs;
}

asio::awaitable<void> call_each(Pool pool) {
  co_await pool.execute("CREATE TABLE t(a)");
  co_await pool.execute_returning<int>("INSERT INTO t VALUES (1) RETURNING a");
  const std::vector<int> none;
  co_await pool.execute_many("INSERT INTO t VALUES (?)", none);
  co_await pool.query_all<int>("SELECT a FROM t");
  co_await pool.query_optional<int>("SELECT a FROM t");
  co_await pool.query_one<int>("SELECT a FROM t");
  RowStream<int> rows = pool.stream<int>("SELECT a FROM t");
  while (co_await rows.next()) {
  }
  auto look = [](Reader&) {};
  co_await pool.read(look);
  auto change = [](Connection&) {};
  co_await pool.write(change);
  co_await pool.write_without_transaction(change);
  Transaction kept = co_await pool.begin();
  co_await kept.savepoint(change);
  co_await kept.query_one<int>("SELECT a FROM t");
  co_await std::move(kept).commit();
  Transaction undone = co_await pool.begin();
  co_await std::move(undone).rollback();
  WriterLease lease = co_await pool.acquire(writer);
  co_await lease.execute("INSERT INTO t VALUES (2)");
}

TEST_CASE("stats: how long each verb ran is counted under its own name, on the connection that it ran on") {
  SteppedApp app;
  const Pool pool = app.open();
  app.run(call_each(pool));
  app.settle();
  const DatabaseStats stats = pool.stats();
  CHECK(runs_of(stats.writer) == std::map<std::string, std::uint64_t>{{"execute", 2},
                                                                      {"execute_returning", 1},
                                                                      {"execute_many", 1},
                                                                      {"query_one", 1},
                                                                      {"write", 1},
                                                                      {"write_without_transaction", 1},
                                                                      {"begin", 2},
                                                                      {"savepoint", 1},
                                                                      {"commit", 1},
                                                                      {"rollback", 1}});
  CHECK(runs_of(stats.readers) ==
        std::map<std::string, std::uint64_t>{
            {"query_all", 1}, {"query_optional", 1}, {"query_one", 1}, {"stream", 1}, {"read", 1}});
  for (const LaneStats& lane : {stats.writer, stats.readers}) CHECK(lane.waits.count() == lane.completed);
}

}  // namespace
