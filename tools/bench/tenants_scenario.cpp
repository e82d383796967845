// A database per tenant, most of them closed: how long until one serves, and what one that does nothing costs.
#include <malloc.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <stdexcept>
#include <thread>

#include "application.hpp"
#include "c_api.hpp"
#include "child_process.hpp"
#include "engine/connection_access.hpp"
#include "process.hpp"
#include "scenario.hpp"
#include "sqlite/local_engine.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/migrations/context.hpp"
#include "statehouse/testing/manual_clock.hpp"

namespace statehouse::bench {
namespace {

using std::chrono::steady_clock;

constexpr int at_once = 64;

double microseconds_since(steady_clock::time_point began) {
  return milliseconds_since(began) * 1e3;
}

std::string tenant(int index) {
  return "tenant-" + std::to_string(index);
}

std::string file_of(int index) {
  return tenant(index) + ".db";
}

/// So many databases that are migrated and closed, each with one row.
void make_tenants(const ScratchDirectory& directory, int count) {
  {
    Connection first(directory / file_of(0));
    migrations::context().run(first);
    first.execute(write_sql, "document", "block", sample_value());
  }
  for (int i = 1; i < count; ++i) std::filesystem::copy_file(directory / file_of(0), directory / file_of(i));
}

void require_row(bool found) {
  if (!found) throw std::runtime_error("a tenant's row is not there");
}

/// The database of a tenant through the C API, with what statehouse sets, and looks at where it has migrations.
CDatabase open_by_hand(const std::filesystem::path& file, bool look_at_migrations) {
  CDatabase db = c_open({file});
  c_execute(db.get(), c_settings);
  if (look_at_migrations) c_execute(db.get(), "SELECT * FROM _sqlx_migrations ORDER BY version");
  return db;
}

void read_by_hand(sqlite3* db) {
  const CStatement statement = c_prepare(db, read_sql);
  sqlite3_bind_text(statement.get(), 1, "document", -1, SQLITE_STATIC);
  sqlite3_bind_text(statement.get(), 2, "block", -1, SQLITE_STATIC);
  require_row(sqlite3_step(statement.get()) == SQLITE_ROW);
}

/// Times of one database from its opening on.
struct Times {
  std::vector<double> first_read;
  std::vector<double> closed;

  Values values() && {
    return {{"first_read_us", median_of(std::move(first_read)).value_or(0)},
            {"closed_us", median_of(std::move(closed)).value_or(0)}};
  }
};

void use_by_hand(const std::filesystem::path& file, Times& times) {
  const auto began = steady_clock::now();
  CDatabase db = open_by_hand(file, false);
  read_by_hand(db.get());
  times.first_read.push_back(microseconds_since(began));
  db.reset();
  times.closed.push_back(microseconds_since(began));
}

/// Without a pool around it: the engine's writer, on this thread.
void use_engine(const std::filesystem::path& file, const std::shared_ptr<Clock>& clock, Times& times) {
  const auto began = steady_clock::now();
  const auto interrupter = std::make_shared<detail::Interrupter>(clock);
  detail::LocalEngine engine(
      {.path = file, .database = "tenant", .options = {}, .clock = clock, .logger = spdlog::default_logger()},
      interrupter);
  auto writer = detail::connect(engine.open(connection_role::writer, interrupter), {});
  engine.begin_service(detail::session_of(*writer));
  require_row(writer->query_optional<std::string>(read_sql, "document", "block").has_value());
  times.first_read.push_back(microseconds_since(began));
  engine.before_close(detail::session_of(*writer));
  writer.reset();
  engine.release();
  times.closed.push_back(microseconds_since(began));
}

void measure_one(const Bench& bench) {
  constexpr int repeats = 101;
  const ScratchDirectory directory(bench.settings.directory);
  make_tenants(directory, 1);
  const std::filesystem::path file = std::filesystem::canonical(directory / file_of(0));
  const std::shared_ptr<Clock> clock = make_steady_clock();
  Times by_hand;
  Times engine;
  for (int i = 0; i < repeats; ++i) {
    use_by_hand(file, by_hand);
    use_engine(file, clock, engine);
  }
  bench.results.add("tenants/existing", c_api_name, std::move(by_hand).values());
  bench.results.add("tenants/existing", statehouse_name, std::move(engine).values());
}

/// As many as an AppState has.
unsigned database_threads() {
  return std::max(4U, std::thread::hardware_concurrency());
}

/// Opens all of them and reads the row of each, on so many threads. All stay open until then.
Values open_all_by_hand(const ScratchDirectory& directory, int count) {
  std::vector<CDatabase> open(static_cast<std::size_t>(count));
  std::atomic<int> next{0};
  const auto began = steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < database_threads(); ++i)
      threads.emplace_back([&] {
        for (int index = next++; index < count; index = next++) {
          open[static_cast<std::size_t>(index)] = open_by_hand(directory / file_of(index), true);
          read_by_hand(open[static_cast<std::size_t>(index)].get());
        }
      });
  }
  return {{"opened_s", count / milliseconds_since(began) * 1e3}};
}

/// The same by `get_pool`, so many at once.
Values open_all(const ScratchDirectory& directory, int count) {
  Application app(directory.path());
  const auto init = [&]() -> asio::awaitable<void> { co_await app.state.init(); };
  run_to_end(app.io, init);
  const Migrator migrator = migrations::context();
  for (int i = 0; i < count; ++i) app.state.db_instances.add_migrator(tenant(i), migrator);

  int next = 0;
  std::exception_ptr failure;
  const auto open = [&]() -> asio::awaitable<void> {
    while (next < count) {
      const Pool pool = co_await app.state.db_instances.get_pool(tenant(next++));
      const auto row = co_await pool.query_optional<std::string>(read_sql, "document", "block");
      require_row(row.has_value());
    }
  };
  const auto began = steady_clock::now();
  for (int i = 0; i < at_once; ++i)
    asio::co_spawn(app.io, open, [&](std::exception_ptr error) {
      if (error != nullptr) failure = std::move(error);
    });
  app.io.restart();
  app.io.run();
  const double opened_s = count / milliseconds_since(began) * 1e3;
  if (failure != nullptr) std::rethrow_exception(failure);
  const auto close = [&]() -> asio::awaitable<void> { co_await app.state.shutdown(); };
  run_to_end(app.io, close);
  return {{"opened_s", opened_s}};
}

void measure_all(const Bench& bench, int count) {
  const std::string what = "tenants/" + std::to_string(count);
  const ScratchDirectory directory(bench.settings.directory);
  make_tenants(directory, count);
  raise_descriptor_limit();
  bench.results.add(what, c_api_name, open_all_by_hand(directory, count));
  bench.results.add(what, statehouse_name, open_all(directory, count));
}

/// An AppState whose databases sleep when the bench says so, by its clock, or as others need their connections.
struct Sleepers {
  explicit Sleepers(const ScratchDirectory& directory, std::size_t max_open_connections = 0)
      : app(directory.path(), options(max_open_connections)) {}

  asio::awaitable<Pool> open(int index) {
    app.state.db_instances.add_migrator(tenant(index), migrator);
    co_return co_await app.state.db_instances.get_pool(tenant(index));
  }
  /// The first look notes when each was used last, the second closes the readers, the third the writers.
  void put_to_sleep(const std::vector<Pool>& pools) {
    const auto awake = [](const Pool& pool) { return pool.stats().state != database_state::asleep; };
    for (int looks = 0; std::ranges::any_of(pools, awake); ++looks) {
      clock->advance(std::chrono::seconds(looks == 0 ? 1 : 2));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  const Migrator migrator = migrations::context();
  Application app;

 private:
  AppStateOptions options(std::size_t max_open_connections) const {
    AppStateOptions options;
    options.clock = clock;
    options.pool.idle_close = std::chrono::seconds(2);
    options.max_open_connections = max_open_connections;
    return options;
  }
};

asio::awaitable<void> read_row(const Pool& pool) {
  const auto row = co_await pool.query_optional<std::string>(read_sql, "document", "block");
  require_row(row.has_value());
}

/// A database that sleeps, to its first read, beside one that the C API opens for it.
void measure_wake(const Bench& bench) {
  const int repeats = bench.settings.brief ? 20 : 100;
  const ScratchDirectory directory(bench.settings.directory);
  make_tenants(directory, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // so that it can be told that nobody has written since
  Sleepers sleepers(directory);
  std::vector<Pool> pools;
  const auto open = [&]() -> asio::awaitable<void> {
    co_await sleepers.app.state.init();
    pools.push_back(co_await sleepers.open(0));
    co_await read_row(pools.front());
  };
  run_to_end(sleepers.app.io, open);
  Times by_hand;
  std::vector<double> woken;
  const auto wake = [&]() -> asio::awaitable<void> { co_await read_row(pools.front()); };
  for (int i = 0; i < repeats; ++i) {
    sleepers.put_to_sleep(pools);
    use_by_hand(directory / file_of(0), by_hand);
    const auto began = steady_clock::now();
    run_to_end(sleepers.app.io, wake);
    woken.push_back(microseconds_since(began));
  }
  bench.results.add("tenants/wake", c_api_name, std::move(by_hand).values());
  bench.results.add("tenants/wake", statehouse_name, {{"first_read_us", median_of(std::move(woken)).value_or(0)}});
}

/// Databases of which nearly all sleep, as the connections are for a few: what each takes beyond those, the way to one,
/// the end of all.
Values known(const ScratchDirectory& directory, int count) {
  const int awake = count / 10;
  Sleepers sleepers(directory, static_cast<std::size_t>(awake));
  const auto init = [&]() -> asio::awaitable<void> { co_await sleepers.app.state.init(); };
  run_to_end(sleepers.app.io, init);
  std::vector<Pool> pools;
  const auto open_until = [&](int many) {
    const auto open = [&]() -> asio::awaitable<void> {
      while (std::ssize(pools) < many) {
        pools.push_back(co_await sleepers.open(static_cast<int>(pools.size())));
        co_await read_row(pools.back());
      }
    };
    run_to_end(sleepers.app.io, open);
    ::malloc_trim(0);
    return resident_kb();
  };
  const std::int64_t before = open_until(awake);
  Values values{{"known_kb", static_cast<double>(open_until(count) - before) / (count - awake)}};
  const auto get = [&]() -> asio::awaitable<void> {
    constexpr int calls = 100'000;
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) names.push_back(tenant(i));
    const auto began = steady_clock::now();
    for (int i = 0; i < calls; ++i)
      co_await sleepers.app.state.db_instances.get_pool(names[static_cast<std::size_t>(i * 7919 % count)]);
    values["get_pool_ns"] = microseconds_since(began) * 1e3 / calls;
  };
  run_to_end(sleepers.app.io, get);
  const auto close = [&]() -> asio::awaitable<void> {
    const auto began = steady_clock::now();
    co_await sleepers.app.state.shutdown();
    values["shutdown_ms"] = microseconds_since(began) / 1e3;
  };
  run_to_end(sleepers.app.io, close);
  return values;
}

void measure_known(const Bench& bench, int count) {
  const ScratchDirectory directory(bench.settings.directory);
  make_tenants(directory, count);
  const std::string text = test::in_child([&] { return to_text(known(directory, count)); });
  bench.results.add("tenants/known", statehouse_name, from_text(text));
}

/// What the process grows by for each database that is open, has served a read and does nothing. With a writer alone.
Values memory_of(const ScratchDirectory& directory, int count) {
  Application app(directory.path());
  Values values;
  const auto work = [&]() -> asio::awaitable<void> {
    co_await app.state.init();
    const Migrator migrator = migrations::context();
    ::malloc_trim(0);
    const std::int64_t before = resident_kb();
    for (int i = 0; i < count; ++i) {
      app.state.db_instances.add_migrator(tenant(i), migrator);
      const Pool pool = co_await app.state.db_instances.get_pool(tenant(i));
      auto lease = co_await pool.acquire(writer);
      const auto row = co_await lease.query_optional<std::string>(read_sql, "document", "block");
      require_row(row.has_value());
    }
    values["idle_kb"] = static_cast<double>(resident_kb() - before) / count;
    co_await app.state.shutdown();
  };
  run_to_end(app.io, work);
  return values;
}

Values memory_by_hand(const ScratchDirectory& directory, int count) {
  ::malloc_trim(0);
  const std::int64_t before = resident_kb();
  std::vector<CDatabase> open;
  for (int i = 0; i < count; ++i) {
    open.push_back(open_by_hand(directory / file_of(i), true));
    read_by_hand(open.back().get());
  }
  return {{"idle_kb", static_cast<double>(resident_kb() - before) / count}};
}

/// Each in a process of its own: memory that others have used and freed before would hide what this takes.
void measure_memory(const Bench& bench, int count) {
  raise_descriptor_limit();
  const auto measure = [&](const char* system, Values (*memory)(const ScratchDirectory&, int)) {
    const ScratchDirectory directory(bench.settings.directory);
    make_tenants(directory, count);
    const std::string text = test::in_child([&] { return to_text(memory(directory, count)); });
    bench.results.add("tenants/memory", system, from_text(text));
  };
  measure(c_api_name, memory_by_hand);
  measure(statehouse_name, memory_of);
}

}  // namespace

void run_tenants(const Bench& bench, int round) {
  const int count = bench.settings.brief ? 200 : 1000;
  if (round == 0) {  // they do not vary
    measure_memory(bench, count);
    measure_known(bench, 5 * count);
  }
  measure_one(bench);
  measure_wake(bench);
  measure_all(bench, count);
}

}  // namespace statehouse::bench
