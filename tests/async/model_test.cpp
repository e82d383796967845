// Many coroutines, real threads, a real file: what the database says is at every moment what a model in memory says.

#include <sqlite3.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <random>

#include "async_fixture.hpp"
#include "long_form.hpp"
#include "sanitized.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

const int operations = sanitized ? 400 : long_form() ? 10'000 : 1'000;  // per coroutine
constexpr int coroutines = 64;

/// SQLite's own log, of every connection in the process: every statement that ends with an error is in it.
std::atomic<int> busy_results{0};
const int log_configured = sqlite3_config(
    SQLITE_CONFIG_LOG,
    +[](void*, int code, const char*) {
      if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED) ++busy_results;
    },
    nullptr);

/// What all coroutines share; they run on one thread, the closures on others.
struct World {
  explicit World(Pool opened) : pool(std::move(opened)) {}

  Pool pool;
  std::atomic<int> writers_inside{0};  // closures and transactions that have the writer at this moment
  std::atomic<int> overlaps{0};
  std::int64_t increments = 0;
  std::vector<std::string> wrong;
  int finished = 0;

  void expect(bool holds, const char* what) {
    if (!holds && wrong.size() < 10) wrong.emplace_back(what);
  }
};

class Exclusive {
 public:
  explicit Exclusive(World& world) : world_(world) {
    if (world_.writers_inside.fetch_add(1) != 0) ++world_.overlaps;
  }
  ~Exclusive() { --world_.writers_inside; }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  World& world_;
};

/// One user of the database, who alone writes the rows of its own and knows what must be in them. All share a counter.
class Actor {
 public:
  Actor(World& world, int id, unsigned seed) : world_(world), id_(id), random_(seed) {}

  asio::awaitable<void> run() {
    for (int i = 0; i < operations; ++i) {
      const auto dice = random_() % 100;
      if (dice < 50) {
        co_await read_one();
      } else if (dice < 75) {
        co_await upsert();
      } else if (dice < 80) {
        co_await remove();
      } else if (dice < 86) {
        co_await increment();
      } else if (dice < 90) {
        co_await fail_half_way();
      } else if (dice < 94) {
        co_await read_all();
      } else if (dice < 97) {
        co_await transact();
      } else if (dice < 98) {
        co_await drop_transaction();
      } else {
        co_await hold_reader();
      }
    }
    ++world_.finished;
  }

 private:
  int any_key() { return int(random_() % 20); }

  asio::awaitable<void> read_one() {
    const int key = any_key();
    const auto value =
        co_await world_.pool.query_optional<std::int64_t>("SELECT v FROM kv WHERE owner = ? AND k = ?", id_, key);
    const auto known = model_.find(key);
    world_.expect(known == model_.end() ? !value : value == known->second, "query_optional: not what was written last");
  }

  asio::awaitable<void> upsert() {
    const int key = any_key();
    const auto value = std::int64_t(random_());
    const auto result = co_await world_.pool.execute(
        "INSERT INTO kv VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET v = excluded.v", id_, key, value);
    world_.expect(result.changes == 1, "execute: not one change");
    model_[key] = value;
  }

  asio::awaitable<void> remove() {
    const int key = any_key();
    const auto gone =
        co_await world_.pool.execute_returning<int>("DELETE FROM kv WHERE owner = ? AND k = ? RETURNING k", id_, key);
    world_.expect(gone.size() == model_.erase(key), "execute_returning: another number of rows");
  }

  asio::awaitable<void> increment() {
    // Not one statement, so that lost updates would show.
    co_await world_.pool.write([&](Connection& db) {
      const Exclusive exclusive(world_);
      const auto now = db.query_one<std::int64_t>("SELECT n FROM counter");
      db.execute("UPDATE counter SET n = ?", now + 1);
    });
    ++world_.increments;
  }

  asio::awaitable<void> fail_half_way() {
    const int key = any_key();
    bool thrown = false;
    try {
      co_await world_.pool.write([&](Connection& db) {
        const Exclusive exclusive(world_);
        db.execute("DELETE FROM kv WHERE owner = ?", id_);
        db.execute("UPDATE counter SET n = n + 1");
        db.execute("INSERT INTO kv VALUES (?, ?, 0), (?, ?, 0)", id_, key, id_, key);
      });
    } catch (const Error& error) {
      thrown = error.code() == condition::unique;
    }
    world_.expect(thrown, "write: the violation was not reported");
  }

  asio::awaitable<void> read_all() {
    using Row = std::tuple<int, std::int64_t>;
    std::int64_t counter = 0;
    const std::int64_t acknowledged = world_.increments;
    const auto rows = co_await world_.pool.read([&](Reader& db) {
      counter = db.query_one<std::int64_t>("SELECT n FROM counter");
      return db.query_all<Row>("SELECT k, v FROM kv WHERE owner = ? ORDER BY k", id_);
    });
    world_.expect(
        std::ranges::equal(rows, model_, {}, {}, [](const auto& pair) { return Row(pair.first, pair.second); }),
        "read: the rows are not what was written");
    world_.expect(counter >= acknowledged, "read: an acknowledged write of somebody else is missing");
  }

  asio::awaitable<void> transact() {
    const int key = any_key();
    const auto value = std::int64_t(random_());
    auto transaction = co_await world_.pool.begin();
    {
      const Exclusive exclusive(world_);
      const auto now = co_await transaction.query_one<std::int64_t>("SELECT n FROM counter");
      co_await transaction.execute("INSERT OR REPLACE INTO kv VALUES (?, ?, ?)", id_, key, value);
      co_await transaction.execute("UPDATE counter SET n = ?", now + 1);
    }
    co_await std::move(transaction).commit();
    model_[key] = value;
    ++world_.increments;
  }

  asio::awaitable<void> drop_transaction() {
    auto transaction = co_await world_.pool.begin();
    const Exclusive exclusive(world_);
    co_await transaction.execute("DELETE FROM kv WHERE owner = ?", id_);
    co_await transaction.execute("UPDATE counter SET n = n + 1");
  }

  asio::awaitable<void> hold_reader() {
    auto lease = co_await world_.pool.acquire(reader);
    const auto rows = co_await lease.query_one<std::size_t>("SELECT count(*) FROM kv WHERE owner = ?", id_);
    world_.expect(rows == model_.size(), "lease: another number of rows");
  }

  World& world_;
  const int id_;
  std::mt19937 random_;
  std::map<int, std::int64_t> model_;
};

TEST_CASE("model: 64 coroutines, mixed operations: every value as written, one writer at a time, never SQLITE_BUSY") {
  REQUIRE(log_configured == SQLITE_OK);
  const int busy_before = busy_results;
  testing::TempDir dir;
  testing::LogCapture log;
  asio::io_context io;
  AppStateOptions options;
  options.data_dir = dir.path();
  options.logger = log.logger();
  options.database_threads = 4;
  options.pool.readers = 3;
  options.pool.acquire_timeout = std::chrono::minutes(1);
  AppState state(io.get_executor(), options);
  Spawner spawn;

  auto opening = spawn(io.get_executor(), [&]() -> asio::awaitable<Pool> {
    co_await state.init();
    const Pool pool = co_await state.db_instances.get_pool("test");
    co_await pool.write([](Connection& db) {
      db.execute_script(
          "CREATE TABLE kv(owner INTEGER, k INTEGER, v INTEGER, PRIMARY KEY(owner, k)) WITHOUT ROWID;"
          "CREATE TABLE counter(n INTEGER); INSERT INTO counter VALUES (0);");
    });
    co_return pool;
  });
  io.run();
  World world(opening.get());

  const unsigned seed = Catch::getSeed();  // printed; --rng-seed gives it again
  std::vector<std::unique_ptr<Actor>> actors;
  std::vector<Task<void>> tasks;
  for (int id = 0; id < coroutines; ++id) {
    actors.push_back(std::make_unique<Actor>(world, id, seed + unsigned(id)));
    tasks.push_back(spawn(io.get_executor(), actors.back()->run()));
  }
  io.restart();
  io.run();
  for (auto& task : tasks) CHECK(task.text().empty());

  CHECK(world.finished == coroutines);
  CHECK(world.wrong == std::vector<std::string>{});
  CHECK(world.overlaps == 0);
  CHECK(busy_results == busy_before);
  const DatabaseStats stats = world.pool.stats();
  CHECK(stats.writer.acquire_timeouts + stats.writer.rejected + stats.writer.replaced == 0);
  CHECK(stats.readers.acquire_timeouts + stats.readers.rejected + stats.readers.rolled_back == 0);
  CHECK(stats.writer.rolled_back > 0);  // the transactions that were dropped
  CHECK(stats.last_error.empty());
  CHECK(stats.holders.empty());

  auto ending = spawn(io.get_executor(), [&]() -> asio::awaitable<std::int64_t> {
    const auto counter = co_await world.pool.query_one<std::int64_t>("SELECT n FROM counter");
    co_await state.shutdown();
    co_return counter;
  });
  io.restart();
  io.run();
  CHECK(ending.get() == world.increments);
  CHECK(log.count("", spdlog::level::err) == 0);
}

}  // namespace
}  // namespace statehouse::test
