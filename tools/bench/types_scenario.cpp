// Values of types of one's own: 10,000 rows with a uuid and a day each, and those that a list of 1,000 names.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <tuple>

#include "application.hpp"
#include "c_api.hpp"
#include "pool_on_file.hpp"
#include "scenario.hpp"
#include "statehouse/in.hpp"
#include "statehouse/uuid.hpp"

namespace statehouse::bench {
namespace {

using boost::uuids::uuid;
using std::chrono::steady_clock;
using std::chrono::year_month_day;
using Things = std::vector<std::tuple<uuid, year_month_day>>;
using Names = std::vector<std::int64_t>;

constexpr std::size_t thing_count = 10'000;
constexpr std::int64_t every = 10;
constexpr int repeats = 10;
constexpr const char* create_things =
    "CREATE TABLE thing (id INTEGER PRIMARY KEY, uuid BLOB NOT NULL, day TEXT NOT NULL);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
    "INSERT INTO thing SELECT i, randomblob(16), date('2000-01-01', i || ' days') FROM n";
constexpr const char* select_all = "SELECT uuid, day FROM thing";
constexpr const char* select_some = "SELECT uuid, day FROM thing WHERE id IN (SELECT value FROM json_each(?))";

/// As whoever has no library for it does it.
uuid uuid_of(const void* blob) {
  uuid id{};
  std::copy_n(static_cast<const unsigned char*>(blob), id.size(), id.begin());
  return id;
}
year_month_day day_of(const char* text) {
  const auto number = [text](int from, int to) {
    int value = 0;
    for (int i = from; i < to; ++i) value = value * 10 + (text[i] - '0');
    return value;
  };
  return std::chrono::year(number(0, 4)) / number(5, 7) / number(8, 10);
}
std::string list_of(const Names& names) {
  std::string list = "[";
  for (const std::int64_t name : names) list += std::to_string(name) + ',';
  list.back() = ']';
  return list;
}

Things query(sqlite3* db, const Names* names) {
  const CStatement statement = c_prepare(db, names != nullptr ? select_some : select_all);
  const std::string list = names != nullptr ? list_of(*names) : std::string();
  if (names != nullptr) sqlite3_bind_text64(statement.get(), 1, list.data(), list.size(), SQLITE_STATIC, SQLITE_UTF8);
  Things things;
  while (sqlite3_step(statement.get()) == SQLITE_ROW)
    things.emplace_back(uuid_of(sqlite3_column_blob(statement.get(), 0)),
                        day_of(reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 1))));
  return things;
}

Things query(SQLite::Database& db, const Names* names) {
  SQLite::Statement statement(db, names != nullptr ? select_some : select_all);
  if (names != nullptr) statement.bind(1, list_of(*names));
  Things things;
  while (statement.executeStep())
    things.emplace_back(uuid_of(statement.getColumn(0).getBlob()), day_of(statement.getColumn(1).getText()));
  return things;
}

Things query(PoolOnFile& store, const Names* names) {
  Things things;
  boost::asio::io_context io(1);
  const auto ask = [&]() -> asio::awaitable<void> {
    using Thing = Things::value_type;
    if (names == nullptr) {
      things = co_await store.pool().query_all<Thing>(select_all);
    } else {
      things = co_await store.pool().query_all<Thing>(select_some, in(*names));
    }
  };
  run_to_end(io, ask);
  return things;
}

template <class Store>
void measure(const Bench& bench, const char* system, Store&& store) {
  Names names;
  for (std::int64_t id = every; id <= std::int64_t(thing_count); id += every) names.push_back(id);
  const auto time = [&](const char* what, const Names* wanted, std::size_t count) {
    std::vector<double> times;
    for (int i = 0; i < repeats; ++i) {
      const auto began = steady_clock::now();
      if (query(store, wanted).size() != count) throw std::runtime_error("the result has the wrong size");
      times.push_back(milliseconds_since(began));
    }
    bench.results.add(what, system, {{"query_ms", median_of(std::move(times)).value_or(0)}});
  };
  time("types/10000 rows", nullptr, thing_count);
  time("list/1000 of 10000 rows", &names, names.size());
}

}  // namespace

void run_types(const Bench& bench, int) {
  const ScratchDirectory directory(bench.settings.directory);
  const std::filesystem::path file = directory / "things.db";
  c_execute(c_open({file}).get(), create_things);
  {
    const CDatabase db = c_open({file});
    measure(bench, c_api_name, db.get());
  }
  {
    SQLite::Database db(file.string(), SQLite::OPEN_READWRITE);
    measure(bench, "SQLiteCpp", db);
  }
  PoolOnFile store(file);
  measure(bench, statehouse_name, store);
}

}  // namespace statehouse::bench
