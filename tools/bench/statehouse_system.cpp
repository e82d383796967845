#include <boost/asio/io_context.hpp>

#include "pool_on_file.hpp"
#include "system.hpp"

namespace statehouse::bench {
namespace {

class Statehouse final : public System {
 public:
  Statehouse(const DatabaseFile& database, const PoolOptions& options) : store_(database.path, options) {}

  Measurement run(const Load& load) override { return run_closed_loop(io_, store_, load); }

 private:
  boost::asio::io_context io_{1};
  PoolOnFile store_;
};

PoolOptions options_for(const DatabaseFile& database) {
  PoolOptions options;
  options.connection.synchronous = database.synchronous;
  return options;
}

}  // namespace

std::unique_ptr<System> open_statehouse(const DatabaseFile& database) {
  return std::make_unique<Statehouse>(database, options_for(database));
}

std::unique_ptr<System> open_statehouse_inline(const DatabaseFile& database) {
  PoolOptions options = options_for(database);
  options.inline_reads = true;
  return std::make_unique<Statehouse>(database, options);
}

}  // namespace statehouse::bench
