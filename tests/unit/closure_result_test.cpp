// What the closures of `read`, `write`, `savepoint` and their kin may return. That the verbs refuse the rest is tested
// by tests/consumer/refused, which does not compile.

#include <sqlite3.h>
#include <SQLiteCpp/SQLiteCpp.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/core/span.hpp>
#include <boost/json/value.hpp>
#include <boost/utility/string_view.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

#include "statehouse/transaction.hpp"

using namespace statehouse;
using detail::fault_of;
using detail::result_fault;

namespace {

template <class... Results>
constexpr bool all(result_fault expected) {
  return ((fault_of<Results>() == expected) && ...);
}

/// Of nobody's library.
struct OwnTask {
  struct promise_type {};
};
struct OwnAwaiter {
  bool await_ready();
  void await_suspend(std::coroutine_handle<>);
  int await_resume();
};
struct WithMember {
  OwnAwaiter operator co_await();
};
struct WithFree {
  [[maybe_unused]] friend OwnAwaiter operator co_await(WithFree) { return {}; }
};
struct Incomplete;

/// A value that happens to be callable, as matrices are: by an index.
struct Matrix {
  double operator()(int) const;
  double operator()(int, int) const;
};
struct Person {
  std::int64_t id;
  std::string name;
};
struct Reading {
  Connection& db;
  auto operator()() const { return 1; }
};
struct Blobs {
  void operator()(sqlite3_blob* blob) const { sqlite3_blob_close(blob); }
};

[[maybe_unused]] auto lambda = [](Connection& db) { return db.query_one<int>("SELECT 1"); };
[[maybe_unused]] auto takes_id = [](int id) { return id; };
[[maybe_unused]] auto range = std::views::iota(0, 3) | std::views::transform([](int row) { return row; });

}  // namespace

TEST_CASE("closure result: whatever runs later is refused") {
  static_assert(all<boost::asio::awaitable<void>, boost::asio::awaitable<int>, OwnTask, OwnAwaiter, WithMember,
                    WithFree, std::suspend_always>(result_fault::deferred));
  static_assert(all<std::future<int>, std::shared_future<void>, std::packaged_task<int()>, std::jthread, std::thread>(
      result_fault::deferred));
  static_assert(all<std::function<void()>, std::function<int(Connection&)>, std::function<int(int)>, decltype(lambda),
                    decltype(takes_id), Reading, int (*)(Connection&)>(result_fault::deferred));
  static_assert(all<decltype(std::bind(std::declval<int (*)(int)>(), 1))>(result_fault::deferred));
  SUCCEED();
}

TEST_CASE("closure result: whatever refers to the connection, or to what is not its own, is refused") {
  static_assert(
      all<Connection&, const Reader&, Connection*, Connection&&, int&, const std::string&>(result_fault::borrowed));
  static_assert(all<SQLite::Statement, SQLite::Column, SQLite::Database, SQLite::Transaction, SQLite::Savepoint,
                    std::unique_ptr<SQLite::Statement>, std::shared_ptr<Connection>, detail::StatementPtr,
                    std::unique_ptr<sqlite3_blob, Blobs>, std::reference_wrapper<Connection>>(result_fault::borrowed));
  static_assert(
      all<std::string_view, std::span<const std::byte>, std::span<int, 3>, const char*, void*, sqlite3_stmt*,
          std::vector<int>::iterator, std::map<int, int>::const_iterator, std::ranges::subrange<int*>, decltype(range),
          boost::string_view, boost::core::string_view, boost::span<const int>, std::reference_wrapper<int>>(
          result_fault::borrowed));
  SUCCEED();
}

TEST_CASE("closure result: both are found inside of what holds them") {
  static_assert(
      all<std::optional<std::string_view>, std::vector<std::string_view>, std::tuple<int, const char*>,
          std::pair<int, std::span<int>>, std::map<std::string, std::string_view>, std::variant<int, std::string_view>,
          std::array<const char*, 2>, std::vector<std::optional<std::pair<int, Connection*>>>,
          std::unordered_map<const char*, int>>(result_fault::borrowed));
  static_assert(all<std::vector<std::future<int>>, std::optional<boost::asio::awaitable<void>>,
                    std::tuple<int, std::function<void()>>, std::map<int, decltype(lambda)>,
                    std::pair<std::string_view, std::future<int>>>(result_fault::deferred));
  SUCCEED();
}

TEST_CASE("closure result: values of every kind are not") {
  static_assert(
      all<void, int, double, bool, std::string, std::byte, Person, Matrix, std::vector<Person>, std::vector<std::byte>,
          std::optional<std::string>, std::tuple<int, std::optional<double>>, std::pair<std::string, int>,
          std::variant<std::monostate, Person>, std::array<char, 8>, std::set<std::string>,
          std::map<std::string, std::vector<int>>, std::list<Person>>(result_fault::none));
  static_assert(
      all<std::unique_ptr<int>, std::shared_ptr<Incomplete>, std::filesystem::path, boost::json::value,
          boost::json::object, boost::json::array, std::error_code, std::exception_ptr, std::chrono::sys_seconds,
          std::chrono::milliseconds, ExecuteResult, std::vector<bool>>(result_fault::none));
  static_assert(all<Transaction>(result_fault::none));
  SUCCEED();
}
