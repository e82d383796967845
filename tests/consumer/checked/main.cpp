#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <filesystem>
#include <iostream>
#include <statehouse/queries/my_shop.hpp>
#include <statehouse/statehouse.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace {

namespace sql = statehouse::queries::my_shop;
namespace asio = boost::asio;

static_assert(std::is_same_v<decltype(sql::PurchasesRow::name), std::string>);
static_assert(std::is_same_v<decltype(sql::PurchasesRow::state), std::optional<shop::order_state>>);
static_assert(std::is_same_v<decltype(sql::GetCustomerRow::note), std::optional<shop::Note>>);
static_assert(std::is_same_v<decltype(sql::TurnoverRow::total), double>);
static_assert(std::is_same_v<decltype(sql::PageRow::class_), std::int64_t>);

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

/// One function for all that can be awaited.
template <statehouse::Executor Db>
asio::awaitable<std::int64_t> rename_all(const Db& db) {
  co_await sql::rename(db, "zoe", 1);
  co_return co_await sql::count_customers(db);
}

asio::awaitable<void> use(statehouse::AppState& state) {
  co_await state.init();
  auto pool = co_await state.db_instances.get_pool("shop");
  const std::string name = "ada";
  const auto added = co_await sql::add_customer(pool, name, std::nullopt);
  require(added.size() == 1 && added[0].name == name && !added[0].note, "RETURNING");
  co_await sql::buy(pool, added[0].id, 2.5, std::nullopt, {.run_timeout = std::chrono::seconds(1)});
  co_await sql::set_state(pool, shop::order_state::paid, 1);
  auto transaction = co_await pool.begin();
  require(co_await rename_all(transaction) == 1, "in a transaction");
  co_await std::move(transaction).commit();
  require(co_await rename_all(pool) == 1, "of a pool");
  auto lease = co_await pool.acquire(statehouse::reader);
  const auto names = co_await sql::customers(lease, std::optional<std::string>());
  require(names.size() == 1 && names[0] == "zoe", "on a lease");
  lease.release();
  const auto turnover = co_await sql::turnover(pool, 1);
  require(turnover.size() == 1 && turnover[0].total == 2.5, "an aggregate");
  const bool all = co_await pool.write([&](statehouse::Connection& db) {
    sql::add_customer(db, "bob", shop::Note{"new"});
    const auto found = sql::get_customer(db, 2);
    return found && found->note == shop::Note{"new"} && sql::page(db, "ada", 0, 5).size() == 2 &&
           !sql::largest_open(db, 1);
  });
  require(all, "on a connection");
  const auto purchases = co_await pool.read([](statehouse::Reader& db) { return sql::purchases(db); });
  require(purchases.size() == 2 && purchases[0].state == shop::order_state::paid && !purchases[1].total, "a snapshot");
  co_await state.shutdown();
}

}  // namespace

int main() {
  std::filesystem::remove_all("data");
  asio::io_context io;
  statehouse::AppState state{io.get_executor(), {.data_dir = "data"}};
  state.db_instances.add_migrator("shop", statehouse::Migrator::from_directory(MIGRATIONS));
  std::exception_ptr failure;
  asio::co_spawn(io, use(state), [&](std::exception_ptr error) { failure = error; });
  io.run();
  if (failure) std::rethrow_exception(failure);
  std::cout << "ok\n";
}
