#include "pool/chores.hpp"

#include <boost/asio/bind_executor.hpp>
#include <utility>

#include "engine/connection_access.hpp"

namespace statehouse::detail {
namespace {

/// Belongs to the handler it completes with.
class Chore final : public Operation {
 public:
  Chore(operation_verb verb, std::function<void(Session&)> chore)
      : Operation({connection_role::writer,
                   kinds::lone_statement,
                   verb,
                   std::source_location::current(),
                   {.timeout = std::chrono::milliseconds(0)}}),
        chore_(std::move(chore)) {}

 private:
  void run(Connection& connection) override { chore_(session_of(connection)); }

  const std::function<void(Session&)> chore_;
};

}  // namespace

std::weak_ptr<void> queue_chore(Lane& lane, const DatabaseExecutor& executor, operation_verb verb,
                                std::function<void(Session&)> chore) {
  // In a block of its own: who asks whether it is over keeps no more than the count.
  const std::shared_ptr<Chore> operation(new Chore(verb, std::move(chore)));
  const auto target = executor.hold();
  if (target == nullptr) return {};  // the threads are over
  operation->hold(asio::bind_executor(*target, [operation] {}));
  lane.submit(*operation);
  return operation;
}

}  // namespace statehouse::detail
