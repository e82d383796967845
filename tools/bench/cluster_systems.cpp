#include "cluster_systems.hpp"

#include <array>
#include <exception>
#include <stdexcept>

#include "application.hpp"
#include "closed_loop.hpp"
#include "cluster/decoder.hpp"
#include "cluster/encoder.hpp"
#include "cluster/leader.hpp"
#include "threads.hpp"

namespace statehouse::bench {
namespace {

namespace wire = detail::wire;

class PoolInCluster final : public System, public AsyncStore {
 public:
  PoolInCluster(const ClusterOptions& cluster, unsigned readers)
      : state_(io_.get_executor(), options_for(cluster, readers)) {
    auto open = [this]() -> boost::asio::awaitable<void> {
      co_await state_.init();
      pool_ = co_await state_.db_instances.get_pool("statehouse-bench");
    };
    run_to_end(io_, open);
  }
  ~PoolInCluster() override {
    auto close = [this]() -> boost::asio::awaitable<void> { co_await state_.shutdown(); };
    run_to_end(io_, close);
  }
  PoolInCluster(const PoolInCluster&) = delete;
  PoolInCluster& operator=(const PoolInCluster&) = delete;

  Measurement run(const Load& load) override { return run_closed_loop(io_, *this, load); }
  boost::asio::awaitable<std::optional<std::string>> read(const Key& key) override {
    return pool_.query_optional<std::string>(read_sql, key.document, key.block);
  }
  boost::asio::awaitable<void> write(const Key& key, const std::string& value) override {
    co_await pool_.execute(write_sql, key.document, key.block, value);
  }

 private:
  static AppStateOptions options_for(const ClusterOptions& cluster, unsigned readers) {
    AppStateOptions options;
    options.pool.cluster = cluster;
    options.pool.cluster.database.clear();  // is as the pool is called
    options.pool.readers = readers;
    options.pool.acquire_timeout = TimeLimit(0);  // with 512 in flight a write waits for those before it
    return options;
  }

  boost::asio::io_context io_{1};
  AppState state_;
  Pool pool_;
};

class PlainConnection {
 public:
  explicit PlainConnection(detail::Leader& leader)
      : channel_(leader.connect(interrupter_, "bench")), read_(prepare(read_sql)), write_(prepare(write_sql)) {}

  void run(const Load& load, std::size_t worker, Window& window) {
    Requests requests(load.keys, load.kind, load.seed, worker);
    while (window.more()) {
      const Key& key = requests.key();
      const bool writes = requests.writes();
      const auto began = std::chrono::steady_clock::now();
      try {
        writes ? write(key, requests.value()) : read(key);
      } catch (const std::exception& failure) {
        tally.fail(failure.what());
      }
      window.record(tally, completed, writes, std::chrono::steady_clock::now() - began);
    }
  }

  Tally tally{};
  std::uint64_t completed = 0;

 private:
  std::uint32_t prepare(const char* sql) {
    return channel_->ask<wire::Prepared>(wire::prepare_request(sql), patience()).id;
  }
  void read(const Key& key) {
    const std::array<wire::Parameter, 2> parameters{key.document, key.block};
    const auto answer = channel_->ask<wire::Rows>(wire::query_request(read_, parameters), patience());
    wire::RowReader rows(answer.body);
    std::vector<wire::Value> row;
    if (!rows.next(row)) throw std::runtime_error("no row for a key");
    result_.assign(row.front().bytes);
  }
  void write(const Key& key, const std::string& value) {
    const std::array<wire::Parameter, 3> parameters{key.document, key.block, value};
    channel_->ask<wire::Result>(wire::exec_request(write_, parameters), patience());
  }
  detail::Patience patience() const { return {interrupter_, Clock::time_point::max()}; }

  const detail::Interrupter interrupter_{make_steady_clock()};
  const std::unique_ptr<detail::Channel> channel_;
  const std::uint32_t read_;
  const std::uint32_t write_;
  std::string result_;  // the caller's copy, as ours gives one
};

class PlainClient final : public System {
 public:
  explicit PlainClient(const ClusterOptions& cluster) : leader_(cluster) {}

  Measurement run(const Load& load) override {
    std::vector<std::unique_ptr<PlainConnection>> connections;
    for (int i = 0; i < load.in_flight; ++i) connections.push_back(std::make_unique<PlainConnection>(leader_));
    return run_on_threads(load, connections);
  }

 private:
  detail::Leader leader_;
};

}  // namespace

std::unique_ptr<System> open_pool_in_cluster(const ClusterOptions& cluster, unsigned readers) {
  return std::make_unique<PoolInCluster>(cluster, readers);
}

std::unique_ptr<System> open_plain_client(const ClusterOptions& cluster) {
  return std::make_unique<PlainClient>(cluster);
}

}  // namespace statehouse::bench
