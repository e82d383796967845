// The lane alone, on connections that cost nothing: the most that our own code lets through.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <thread>

#include "closed_loop.hpp"
#include "engine/connection_access.hpp"
#include "free_session.hpp"
#include "lane/lane.hpp"
#include "scenario.hpp"
#include "state/database_threads.hpp"

namespace statehouse::bench {
namespace {

/// A lane as a pool has it, and no pool around it. Lives until the last thread is done with it.
class LaneAlone : public std::enable_shared_from_this<LaneAlone> {
 public:
  explicit LaneAlone(connection_role role)
      : role_(role),
        context_(with(options_)),
        lane_(context_, role, connections(), [this](const auto& interrupter) { return open(interrupter); }) {}
  void begin(const detail::DatabaseThreads& threads) {
    context_.name = "free";
    context_.executor = threads.executor();
    context_.clock = make_steady_clock();
    context_.logger = spdlog::default_logger();
    context_.owner = weak_from_this();
    context_.generation = detail::fork_generation();
    for (unsigned i = 0; i < connections(); ++i) {
      const auto interrupter = std::make_shared<detail::Interrupter>(context_.clock);
      lane_.add(open(interrupter), interrupter);
    }
  }
  detail::Lane& lane() noexcept { return lane_; }

 private:
  static detail::LaneContext with(const PoolOptions& options) {
    detail::LaneContext context;
    context.options = &options;
    return context;
  }
  /// As many as a pool has.
  unsigned connections() const {
    return role_ == connection_role::reader ? std::clamp(std::thread::hardware_concurrency(), 2U, 4U) : 1;
  }
  std::unique_ptr<Connection> open(const std::shared_ptr<detail::Interrupter>& interrupter) {
    detail::SessionContext context{context_.name, role_, interrupter, context_.logger};
    return detail::ConnectionAccess::make(std::make_unique<FreeSession>(std::move(context)));
  }

  const connection_role role_;
  const PoolOptions options_;
  detail::LaneContext context_;
  detail::Lane lane_;
};

/// What a verb has in the place of a pool.
struct LaneRef {
  detail::Lane& lane;
};
bool run_inline(const LaneRef&, detail::Operation&) noexcept {
  return false;
}
void submit(const LaneRef& to, detail::Operation& operation) {
  to.lane.submit(operation);
}

template <class Verb>
auto ask(const LaneRef& lane, Verb, Sql sql) {
  const detail::Request request{Verb::role, detail::kinds::statement, Verb::verb, sql.where};
  return detail::perform(lane, request, detail::make_statement<Verb>(sql.text, 1, 2));
}

/// What is asked for is always the same: to fetch one of many keys from memory would cost a fifth of all.
class LaneStore final : public AsyncStore {
 public:
  explicit LaneStore(connection_role role) : threads_({}, pool_size()), alone_(std::make_shared<LaneAlone>(role)) {
    alone_->begin(threads_);
  }
  /// No operation may be under way.
  ~LaneStore() override { alone_->lane().close(std::make_exception_ptr(Error(errc::closed, "the benchmark is over"))); }
  LaneStore(const LaneStore&) = delete;
  LaneStore& operator=(const LaneStore&) = delete;

  boost::asio::awaitable<std::optional<std::string>> read(const Key&) override {
    return ask(LaneRef{alone_->lane()}, detail::QueryOptional<std::string>(), read_sql);
  }
  boost::asio::awaitable<void> write(const Key&, const std::string&) override {
    co_await ask(LaneRef{alone_->lane()}, detail::Execute(), write_sql);
  }

 private:
  detail::DatabaseThreads threads_;
  const std::shared_ptr<LaneAlone> alone_;
};

void measure(const Bench& bench, workload kind, int in_flight, int round) {
  boost::asio::io_context io(1);
  LaneStore store(kind == workload::read ? connection_role::reader : connection_role::writer);
  const Measurement measured = run_closed_loop(io, store, load_of(bench, kind, in_flight, round));
  bench.results.add("lane/" + (name_of(kind) + ("/" + std::to_string(in_flight))), statehouse_name,
                    values_of(measured, 0));
}

}  // namespace

void run_lane(const Bench& bench, int round) {
  const std::vector<int> depths = bench.settings.brief ? std::vector{64} : std::vector{1, 8, 64, 512};
  for (const workload kind : {workload::read, workload::write})
    for (const int in_flight : depths) measure(bench, kind, in_flight, round);
}

}  // namespace statehouse::bench
