// How long it takes until a database is there, and until it is gone.
#include <malloc.h>

#include <algorithm>
#include <thread>

#include "application.hpp"
#include "c_api.hpp"
#include "child_process.hpp"
#include "process.hpp"
#include "scenario.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/migrations/context.hpp"

namespace statehouse::bench {
namespace {

using std::chrono::steady_clock;

constexpr const char* bookkeeping =
    "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT "
    "NULL "
    "DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)";

/// The steps of `get_pool` on a new file, by hand.
double open_with_c_api(const std::filesystem::path& file, bool statistics_and_checkpoint) {
  const auto began = steady_clock::now();
  const DatabaseFile database{file};
  const CDatabase writer = c_open(database);
  c_execute(writer.get(), c_settings);
  c_execute(writer.get(), bookkeeping);
  const Migrator migrator = migrations::context();
  for (const Migration& migration : migrator.migrations()) {
    if (migration.kind == migration_kind::down) continue;
    c_execute(writer.get(), "BEGIN IMMEDIATE");
    c_execute(writer.get(), migration.sql.c_str());
    c_execute(writer.get(),
              "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) "
              "VALUES (20251201090000, 'create context', TRUE, zeroblob(48), -1)");
    c_execute(writer.get(), "UPDATE _sqlx_migrations SET execution_time = 1 WHERE version = 20251201090000");
    c_execute(writer.get(), "COMMIT");
  }
  if (statistics_and_checkpoint) {
    c_execute(writer.get(), "PRAGMA optimize");
    c_execute(writer.get(), "PRAGMA wal_checkpoint(TRUNCATE)");
  }
  std::vector<CDatabase> readers;
  for (unsigned i = 0; i < std::clamp(std::thread::hardware_concurrency(), 2U, 4U); ++i) {
    readers.push_back(c_open(database));
    c_execute(readers.back().get(), c_settings);
    c_execute(readers.back().get(), "PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0");
  }
  const double took = milliseconds_since(began);
  readers.clear();
  return took;
}

double open_with_statehouse(const std::filesystem::path& directory) {
  Application app(directory);
  app.state.db_instances.add_migrator("context", migrations::context());
  double took = 0;
  const auto open = [&]() -> asio::awaitable<void> {
    co_await app.state.init();
    const auto began = steady_clock::now();
    co_await app.state.db_instances.get_pool("context");
    took = milliseconds_since(began);
    co_await app.state.shutdown();
  };
  run_to_end(app.io, open);
  return took;
}

/// `count` migrations: of a small table each, or of a table with an index, a constraint and its first rows.
struct Scripts {
  Scripts(int count, bool small) {
    for (int i = 1; i <= count; ++i) {
      const std::string table = "step_" + std::to_string(i);
      names.push_back(std::to_string(i) + "_step.sql");
      texts.push_back("CREATE TABLE " + table + " (id INTEGER PRIMARY KEY, name TEXT NOT NULL);");
      if (small) continue;
      texts.back() = "CREATE TABLE " + table +
                     " (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL);\n"
                     "CREATE INDEX " +
                     table + "_by_time ON " + table +
                     " (created_at);\n"
                     "INSERT INTO " +
                     table +
                     " (name, created_at) VALUES ('first', '2026-01-01'), ('second', "
                     "'2026-01-02');";
    }
  }
  Migrator migrator() const {
    std::vector<EmbeddedFile> files;
    for (std::size_t i = 0; i < names.size(); ++i) files.push_back({names[i], texts[i]});
    return Migrator::from_files(files);
  }
  std::vector<std::string> names;
  std::vector<std::string> texts;
};

double migrate(const Migrator& migrator, const std::filesystem::path& file) {
  Connection connection(file);
  const auto began = steady_clock::now();
  migrator.run(connection);
  return milliseconds_since(began);
}

double execute_scripts(const Scripts& scripts, const std::filesystem::path& file, bool with_rows) {
  const CDatabase db = c_open({file});
  if (with_rows) c_execute(db.get(), bookkeeping);
  const auto began = steady_clock::now();
  for (std::size_t i = 0; i < scripts.texts.size(); ++i) {
    c_execute(db.get(), "BEGIN IMMEDIATE");
    c_execute(db.get(), scripts.texts[i].c_str());
    if (with_rows)
      c_execute(db.get(), ("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) "
                           "VALUES (" +
                           std::to_string(i + 1) + ", 'step', TRUE, zeroblob(48), -1)")
                              .c_str());
    c_execute(db.get(), "COMMIT");
  }
  return milliseconds_since(began);
}

std::string name_of_database(int index) {
  return "tenant-" + std::to_string(index);
}

/// Opens them, uses each once, closes them.
Values open_many(const std::filesystem::path& directory, int count) {
  ::malloc_trim(0);
  Application app(directory);
  const std::string value = sample_value();
  Values values;
  const auto work = [&]() -> asio::awaitable<void> {
    co_await app.state.init();
    const Migrator migrator = migrations::context();
    const std::int64_t before = resident_kb();
    const auto began = steady_clock::now();
    for (int i = 0; i < count; ++i) {
      app.state.db_instances.add_migrator(name_of_database(i), migrator);
      co_await app.state.db_instances.get_pool(name_of_database(i));
    }
    values["open_ms_per_database"] = milliseconds_since(began) / count;
    values["idle_kb_per_database"] = static_cast<double>(resident_kb() - before) / count;
    int served = 0;
    for (int i = 0; i < count; ++i) {
      const Pool pool = co_await app.state.db_instances.get_pool(name_of_database(i));
      co_await pool.execute(write_sql, "document", "block", value);
      const std::optional<std::string> found = co_await pool.query_optional<std::string>(read_sql, "document", "block");
      served += found == value ? 1 : 0;
    }
    values["served"] = served;
    values["used_kb_per_database"] = static_cast<double>(resident_kb() - before) / count;
    const auto closing = steady_clock::now();
    co_await app.state.shutdown({.grace = std::chrono::seconds(30), .deadline = std::chrono::seconds(60)});
    values["shutdown_ms_per_database"] = milliseconds_since(closing) / count;
  };
  run_to_end(app.io, work);
  return values;
}

}  // namespace

void run_opening(const Bench& bench, int) {
  // One takes a millisecond or two, so the median of several is one round.
  constexpr int repeats = 9;
  const auto median = [&](auto&& open) {
    std::vector<double> times;
    for (int i = 0; i < repeats; ++i) {
      const ScratchDirectory directory(bench.settings.directory);
      times.push_back(open(directory));
    }
    return Values{{"open_ms", median_of(std::move(times)).value_or(0)}};
  };
  const auto by_hand = [](bool all) {
    return [all](const ScratchDirectory& directory) { return open_with_c_api(directory / "context.db", all); };
  };
  bench.results.add("open/new file", c_api_name, median(by_hand(true)));
  bench.results.add("open/new file", statehouse_name,
                    median([](const ScratchDirectory& directory) { return open_with_statehouse(directory.path()); }));
  bench.results.add("open/new file", "C API, no statistics, no checkpoint", median(by_hand(false)));
}

void measure_migrations(const Bench& bench, bool small) {
  const auto count = bench.settings.brief ? 200 : 1000;
  const Scripts scripts(count, small);
  const Migrator migrator = scripts.migrator();
  const ScratchDirectory directory(bench.settings.directory);
  const std::string what = (small ? "small migrations/" : "migrations/") + std::to_string(count);
  bench.results.add(what, c_api_name, {{"fresh_ms", execute_scripts(scripts, directory / "scripts.db", false)}});
  bench.results.add(what, c_api_rows_name, {{"fresh_ms", execute_scripts(scripts, directory / "rows.db", true)}});
  const double fresh = migrate(migrator, directory / "migrated.db");
  const double again = migrate(migrator, directory / "migrated.db");
  bench.results.add(what, statehouse_name, {{"fresh_ms", fresh}, {"again_us_per_migration", again * 1e3 / count}});
}

void run_migrations(const Bench& bench, int) {
  measure_migrations(bench, false);
  measure_migrations(bench, true);
}

void run_shutdown(const Bench& bench, int) {
  constexpr int databases = 8;
  const ScratchDirectory directory(bench.settings.directory);
  Application app(directory.path());
  const std::string value = sample_value();
  double took = 0;
  const auto work = [&]() -> asio::awaitable<void> {
    co_await app.state.init();
    for (int i = 0; i < databases; ++i) {
      app.state.db_instances.add_migrator(name_of_database(i), migrations::context());
      const Pool pool = co_await app.state.db_instances.get_pool(name_of_database(i));
      for (int row = 0; row < 100; ++row) co_await pool.execute(write_sql, "document", row, value);
    }
    const auto began = steady_clock::now();
    co_await app.state.shutdown();
    took = milliseconds_since(began);
  };
  run_to_end(app.io, work);
  bench.results.add("shutdown/8 databases", statehouse_name, {{"shutdown_ms", took}});
}

void run_many_databases(const Bench& bench, int round) {
  if (round != 0) return;  // seconds each, and memory does not vary
  raise_descriptor_limit();
  const std::vector<int> counts = bench.settings.brief ? std::vector{50} : std::vector{1, 10, 100, 1000};
  for (const int count : counts) {
    const ScratchDirectory directory(bench.settings.directory);
    // A process of its own: memory that others have used and freed before would hide what this takes.
    const std::string text = test::in_child([&] { return to_text(open_many(directory.path(), count)); });
    bench.results.add("databases/" + std::to_string(count), statehouse_name, from_text(text));
  }
}

}  // namespace statehouse::bench
