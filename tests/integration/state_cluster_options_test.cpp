#include <catch2/catch_test_macros.hpp>
#include <string>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

TEST_CASE("state: options that cannot go with a cluster are refused with what is wrong") {
  ThreadedApp app;
  const auto refused = [&](auto change) {
    PoolOptions options;
    options.cluster.nodes = {"127.0.0.1:9001"};
    change(options);
    return code_of([&] { app.state->db_instances.configure("c", options); });
  };
  CHECK(refused([](PoolOptions& o) { o.cluster.nodes = {"127.0.0.1"}; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.cluster.nodes = {"::1:9001"}; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.cluster.nodes = {"a:0"}; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.cluster.nodes = {"a:65536"}; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.cluster.database = std::string(65, 'a'); }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.cluster.nodes.clear(), o.cluster.database = "a"; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.cluster.database = "a.db-wal"; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.cluster.dial_timeout = -1ms; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.in_memory = true; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.connection.exclusive = true; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.connection.on_connect = [](Connection&, connection_role) {}; }) ==
        errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.startup_check = integrity_check::always; }) == errc::invalid_option);
  CHECK(refused([](PoolOptions& o) { o.backup.every = std::chrono::hours(1); }) == errc::invalid_option);
}

TEST_CASE("state: one name in a cluster is not given to all databases") {
  asio::io_context io;
  AppStateOptions options;
  options.pool.cluster = {.nodes = {"127.0.0.1:9001"}, .database = "orders"};
  CHECK(code_of([&] { AppState state(io.get_executor(), options); }) == errc::invalid_option);
  options.pool.cluster.database.clear();
  CHECK_NOTHROW(AppState(io.get_executor(), options));
}

TEST_CASE("state: a database of a cluster has no path, and needs no directory to say so") {
  asio::io_context io;
  AppStateOptions options;
  options.pool.cluster.nodes = {"127.0.0.1:9001"};
  AppState state(io.get_executor(), options);
  CHECK(state.db_instances.db_path("orders").empty());
}

}  // namespace
}  // namespace statehouse::test
