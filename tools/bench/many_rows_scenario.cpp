// 100,000 rows in, in one transaction; and out again, one by one.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include <boost/asio/io_context.hpp>

#include "application.hpp"
#include "c_api.hpp"
#include "pool_on_file.hpp"
#include "scenario.hpp"

namespace statehouse::bench {
namespace {

using std::chrono::steady_clock;

constexpr std::int64_t item_count = 100'000;
constexpr const char* create_items =
    "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL, weight REAL NOT NULL)";
constexpr const char* insert_item = "INSERT INTO item VALUES (?, ?, ?)";
constexpr const char* select_items = "SELECT id, name, weight FROM item ORDER BY id";

struct Item {
  std::int64_t id;
  std::string name;
  double weight;
};

std::vector<Item> some_items() {
  std::vector<Item> items;
  items.reserve(item_count);
  for (std::int64_t i = 1; i <= item_count; ++i)
    items.push_back({i, "a name of forty bytes, with number " + std::to_string(i), static_cast<double>(i) / 4});
  return items;
}

void require_done(int result, int wanted) {
  if (result != wanted) throw std::runtime_error(sqlite3_errstr(result));
}

void insert(sqlite3* db, const std::vector<Item>& items) {
  c_execute(db, "BEGIN IMMEDIATE");
  const CStatement statement = c_prepare(db, insert_item);
  for (const Item& item : items) {
    require_done(sqlite3_bind_int64(statement.get(), 1, item.id), SQLITE_OK);
    require_done(
        sqlite3_bind_text64(statement.get(), 2, item.name.data(), item.name.size(), SQLITE_STATIC, SQLITE_UTF8),
        SQLITE_OK);
    require_done(sqlite3_bind_double(statement.get(), 3, item.weight), SQLITE_OK);
    require_done(sqlite3_step(statement.get()), SQLITE_DONE);
    sqlite3_reset(statement.get());
  }
  c_execute(db, "COMMIT");
}

void insert(SQLite::Database& db, const std::vector<Item>& items) {
  SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
  SQLite::Statement statement(db, insert_item);
  for (const Item& item : items) {
    statement.bind(1, item.id);
    statement.bindNoCopy(2, item.name);
    statement.bind(3, item.weight);
    statement.exec();
    statement.reset();
  }
  transaction.commit();
}

/// Into a new file, of which `open` makes what `insert_into` is given.
template <class Open, class Insert>
void measure(const Bench& bench, const char* system, const Open& open, const Insert& insert_into) {
  const ScratchDirectory directory(bench.settings.directory);
  const std::filesystem::path file = directory / "items.db";
  c_execute(c_open({file}).get(), create_items);
  std::vector<Item> items = some_items();
  auto db = open(file);
  const auto began = steady_clock::now();
  insert_into(*db, items);
  bench.results.add("insert/100000 rows", system, {{"insert_ms", milliseconds_since(began)}});
}

/// What is done with each row, so that it must be read.
struct Sum {
  std::int64_t rows = 0;
  double weight = 0;
  std::size_t letters = 0;

  void add(const Item& item) {
    ++rows;
    weight += item.weight;
    letters += item.name.size();
  }
};

Sum read(sqlite3* db) {
  const CStatement statement = c_prepare(db, select_items);
  Sum sum;
  while (sqlite3_step(statement.get()) == SQLITE_ROW) {
    const auto* name = reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 1));
    sum.add({sqlite3_column_int64(statement.get(), 0),
             std::string(name, static_cast<std::size_t>(sqlite3_column_bytes(statement.get(), 1))),
             sqlite3_column_double(statement.get(), 2)});
  }
  return sum;
}

Sum read(SQLite::Database& db) {
  SQLite::Statement statement(db, select_items);
  Sum sum;
  while (statement.executeStep())
    sum.add(
        {statement.getColumn(0).getInt64(), statement.getColumn(1).getString(), statement.getColumn(2).getDouble()});
  return sum;
}

asio::awaitable<Sum> stream(Pool pool) {
  Sum sum;
  auto items = pool.stream<Item>(select_items);
  while (auto batch = co_await items.next())
    for (const Item& item : *batch) sum.add(item);
  co_return sum;
}

asio::awaitable<Sum> for_each(Pool pool) {
  auto read = [](Reader& db) {
    Sum sum;
    db.for_each<Item>(select_items, [&](const Item& item) { sum.add(item); });
    return sum;
  };
  co_return co_await pool.read(read);
}

asio::awaitable<Sum> query_all(Pool pool) {
  Sum sum;
  for (const Item& item : co_await pool.query_all<Item>(select_items)) sum.add(item);
  co_return sum;
}

/// The median of a few.
template <class Read>
void measure_reading(const Bench& bench, const char* system, const Read& read_all) {
  constexpr int times_read = 5;
  std::vector<double> times;
  for (int i = 0; i < times_read; ++i) {
    const auto began = steady_clock::now();
    const Sum sum = read_all();
    times.push_back(milliseconds_since(began));
    if (sum.rows != item_count || sum.letters == 0 || sum.weight <= 0) throw std::runtime_error("not all rows came");
  }
  bench.results.add("read/100000 rows", system, {{"read_ms", median_of(std::move(times)).value_or(0)}});
}

void measure_reading(const Bench& bench) {
  const ScratchDirectory directory(bench.settings.directory);
  const std::filesystem::path file = directory / "items.db";
  const CDatabase db = c_open({file});
  c_execute(db.get(), create_items);
  insert(db.get(), some_items());
  measure_reading(bench, c_api_name, [&] { return read(db.get()); });
  SQLite::Database cpp(file.string(), SQLite::OPEN_READWRITE);
  measure_reading(bench, "SQLiteCpp", [&] { return read(cpp); });
  PoolOnFile store(file);
  boost::asio::io_context io(1);
  const auto measure_verb = [&](const char* system, asio::awaitable<Sum> (*verb)(Pool)) {
    measure_reading(bench, system, [&] {
      Sum sum;
      const auto run = [&]() -> asio::awaitable<void> { sum = co_await verb(store.pool()); };
      run_to_end(io, run);
      return sum;
    });
  };
  measure_verb(statehouse_name, query_all);
  measure_verb("statehouse, stream", stream);
  measure_verb("statehouse, for_each", for_each);
}

}  // namespace

void run_many_rows(const Bench& bench, int) {
  measure(
      bench, c_api_name, [](const auto& file) { return c_open({file}); },
      [](sqlite3& db, const auto& items) { insert(&db, items); });
  const auto open = [](const auto& file) {
    auto db = std::make_unique<SQLite::Database>(file.string(), SQLite::OPEN_READWRITE);
    db->exec("PRAGMA synchronous = NORMAL");
    return db;
  };
  measure(bench, "SQLiteCpp", open, [](SQLite::Database& db, const auto& items) { insert(db, items); });
  measure(
      bench, statehouse_name, [](const auto& file) { return std::make_unique<PoolOnFile>(file); },
      [](PoolOnFile& store, auto& items) {
        boost::asio::io_context io(1);
        const auto run = [&]() -> asio::awaitable<void> {
          co_await store.pool().execute_many(insert_item, std::move(items));
        };
        run_to_end(io, run);
      });
  measure_reading(bench);
}

}  // namespace statehouse::bench
