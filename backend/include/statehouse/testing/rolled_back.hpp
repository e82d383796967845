#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <type_traits>
#include <utility>

#include "statehouse/connection.hpp"
#include "statehouse/pool.hpp"
#include "statehouse/transaction.hpp"

namespace statehouse::testing {

/// Calls `work()` in a savepoint of `connection` and undoes all that it has done there. Gives what it returns, a value;
/// throws what it throws. Nests.
template <class Work>
std::invoke_result_t<Work&> rolled_back(Connection& connection, Work work) {
  struct Undo {};
  using Result = std::invoke_result_t<Work&>;
  std::optional<std::conditional_t<std::is_void_v<Result>, bool, Result>> result;
  try {
    connection.savepoint([&] {
      if constexpr (std::is_void_v<Result>) {
        work();
      } else {
        result.emplace(work());
      }
      throw Undo();
    });
  } catch (const Undo&) {
  }
  if constexpr (!std::is_void_v<Result>) return std::move(*result);
}

/// Awaits `work(Transaction&)` and undoes all that it has done, so that several tests may share a pool. `work` is kept
/// until then. Gives what it returns, throws what it throws. For code that takes an `Executor`: who writes on the pool
/// itself meanwhile waits for this transaction, until his `acquire_timeout`.
template <class Work>
std::invoke_result_t<Work&, Transaction&> rolled_back(Pool pool, Work work) {
  using Result = typename std::invoke_result_t<Work&, Transaction&>::value_type;
  Transaction transaction = co_await pool.begin();
  if constexpr (std::is_void_v<Result>) {
    co_await work(transaction);
    co_await std::move(transaction).rollback();
  } else {
    Result result = co_await work(transaction);
    co_await std::move(transaction).rollback();
    co_return result;
  }
}

}  // namespace statehouse::testing
