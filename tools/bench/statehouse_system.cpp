#include <boost/asio/io_context.hpp>

#include "pool_on_file.hpp"
#include "system.hpp"

namespace statehouse::bench {
namespace {

class Statehouse final : public System {
 public:
  explicit Statehouse(const DatabaseFile& database)
      : store_(database.path, {.connection = {.synchronous = database.synchronous}}) {}

  Measurement run(const Load& load) override { return run_closed_loop(io_, store_, load); }

 private:
  boost::asio::io_context io_{1};
  PoolOnFile store_;
};

}  // namespace

std::unique_ptr<System> open_statehouse(const DatabaseFile& database) {
  return std::make_unique<Statehouse>(database);
}

}  // namespace statehouse::bench
