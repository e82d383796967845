#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <exception>
#include <filesystem>
#include <iostream>
#include <statehouse/migrations/notes.hpp>
#include <statehouse/queries/notes.hpp>
#include <statehouse/statehouse.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

boost::asio::awaitable<void> use(statehouse::AppState& state, statehouse::Pool pool) {
  co_await pool.execute("INSERT INTO note (text) VALUES (?)", "kept");
  const auto text = co_await statehouse::queries::notes::get_text(pool);
  auto transaction = co_await pool.begin();
  co_await statehouse::queries::notes::replace_text(transaction, "changed", {.run_timeout = std::chrono::seconds(1)});
  co_await std::move(transaction).commit();
  const auto report = co_await state.shutdown();
  if (text != "kept" || !report.clean()) throw std::runtime_error("wrong result");
}

}  // namespace

// By its plain name for who opens the plugin.
extern "C" int use_statehouse() {
  std::filesystem::remove_all("data");
  boost::asio::io_context io;
  statehouse::AppState state{io.get_executor(), {.data_dir = "data"}};
  state.db_instances.add_migrator("notes", statehouse::migrations::notes());

  auto ready = boost::asio::co_spawn(io, state.init(), boost::asio::use_future);
  io.run();
  ready.get();
  auto opened = boost::asio::co_spawn(io, state.db_instances.get_pool("notes"), boost::asio::use_future);
  io.restart();
  io.run();
  const statehouse::Pool pool = opened.get();

  std::exception_ptr failure;
  boost::asio::co_spawn(io, use(state, pool), [&](std::exception_ptr error) { failure = error; });
  io.restart();
  io.run();
  if (failure) std::rethrow_exception(failure);
  std::cout << "ok\n";
  return 0;
}
