#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <filesystem>
#include <iostream>
#include <statehouse/migrations/notes.hpp>
#include <statehouse/statehouse.hpp>
#include <stdexcept>
#include <string>

namespace {

boost::asio::awaitable<void> use(statehouse::AppState& state) {
  co_await state.init();
  auto pool = co_await state.db_instances.get_pool("notes");
  co_await pool.execute("INSERT INTO note (text) VALUES (?)", "kept");
  const auto text = co_await pool.query_one<std::string>("SELECT text FROM note");
  const auto report = co_await state.shutdown();
  if (text != "kept" || !report.clean()) throw std::runtime_error("wrong result");
}

}  // namespace

int main() {
  std::filesystem::remove_all("data");
  boost::asio::io_context io;
  statehouse::AppState state{io.get_executor(), {.data_dir = "data"}};
  state.db_instances.add_migrator("notes", statehouse::migrations::notes());

  std::exception_ptr failure;
  boost::asio::co_spawn(io, use(state), [&](std::exception_ptr error) { failure = error; });
  io.run();
  if (failure) std::rethrow_exception(failure);
  std::cout << "ok\n";
}
