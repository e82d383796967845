#pragma once

#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "statehouse/error.hpp"

namespace statehouse::detail {

/// A thread that runs `function`. Throws Error that names it as `what` and says what to do, where the system lets no
/// more threads be started.
template <class Function>
std::thread start_thread(const std::string& what, Function&& function) {
  try {
    return std::thread(std::forward<Function>(function));
  } catch (const std::system_error& error) {
    const boost::system::error_code code(error.code().value(), boost::system::system_category());
    throw Error(code, "cannot start " + what + ": " + code.message() +
                          ": raise the limit of threads (pids of a container, ulimit -u, TasksMax of systemd), or set "
                          "AppStateOptions::database_threads to fewer");
  }
}

}  // namespace statehouse::detail
