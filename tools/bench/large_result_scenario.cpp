// One query with 10,000 rows of three columns.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <boost/asio/io_context.hpp>
#include <boost/describe/class.hpp>

#include "application.hpp"
#include "c_api.hpp"
#include "pool_on_file.hpp"
#include "scenario.hpp"
#include "statehouse/by_name.hpp"

namespace statehouse::bench {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t rows = 10'000;
constexpr int repeats = 10;
constexpr const char* sql = "SELECT document_id, block_id, context FROM context LIMIT 10000";

struct ContextRow {
  std::string document_id, block_id, context;
};
BOOST_DESCRIBE_STRUCT(ContextRow, (), (document_id, block_id, context))

std::vector<ContextRow> query(sqlite3* db) {
  const CStatement statement = c_prepare(db, sql);
  const auto text = [&](int column) {
    const auto* begin = reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), column));
    return std::string(begin, static_cast<std::size_t>(sqlite3_column_bytes(statement.get(), column)));
  };
  std::vector<ContextRow> result;
  while (sqlite3_step(statement.get()) == SQLITE_ROW) result.push_back({text(0), text(1), text(2)});
  return result;
}

std::vector<ContextRow> query(SQLite::Database& db) {
  SQLite::Statement statement(db, sql);
  std::vector<ContextRow> result;
  while (statement.executeStep())
    result.push_back(
        {statement.getColumn(0).getString(), statement.getColumn(1).getString(), statement.getColumn(2).getString()});
  return result;
}

template <class Query>
Values measure(Query&& run) {
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    const auto began = steady_clock::now();
    if (run().size() != rows) throw std::runtime_error("the large result has the wrong size");
    times.push_back(milliseconds_since(began));
  }
  return {{"query_ms", median_of(std::move(times)).value_or(0)}};
}

}  // namespace

void run_large_result(const Bench& bench, int) {
  constexpr const char* what = "result/10000 rows";
  {
    const CDatabase db = c_open({bench.database});
    bench.results.add(what, c_api_name, measure([&] { return query(db.get()); }));
  }
  {
    SQLite::Database db(bench.database.string(), SQLite::OPEN_READWRITE);
    bench.results.add(what, "SQLiteCpp", measure([&] { return query(db); }));
  }
  boost::asio::io_context io(1);
  PoolOnFile store(bench.database);
  const auto measure_as = [&]<class Row>(const char* system, std::type_identity<Row>) {
    bench.results.add(what, system, measure([&] {
                        std::vector<ContextRow> result;
                        const auto ask = [&]() -> asio::awaitable<void> {
                          result = co_await store.pool().query_all<Row>(sql);
                        };
                        run_to_end(io, ask);
                        return result;
                      }));
  };
  measure_as(statehouse_name, std::type_identity<ContextRow>());
  measure_as("statehouse, by name", std::type_identity<by_name<ContextRow>>());
}

}  // namespace statehouse::bench
