#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <filesystem>
#include <utility>

#include "statehouse/app_state.hpp"

namespace statehouse::bench {

/// Runs a coroutine to its end on the calling thread.
template <class Coroutine>
void run_to_end(boost::asio::io_context& io, Coroutine& coroutine) {
  std::exception_ptr failure;
  boost::asio::co_spawn(io, coroutine, [&](std::exception_ptr error) { failure = error; });
  io.restart();
  io.run();
  if (failure != nullptr) std::rethrow_exception(failure);
}

/// An AppState, and the io_context that its coroutines run on.
struct Application {
  explicit Application(const std::filesystem::path& data_dir, AppStateOptions options = {})
      : state(io.get_executor(), with(data_dir, std::move(options))) {}

  boost::asio::io_context io{1};
  AppState state;

 private:
  static AppStateOptions with(const std::filesystem::path& data_dir, AppStateOptions options) {
    options.data_dir = data_dir;
    return options;
  }
};

}  // namespace statehouse::bench
