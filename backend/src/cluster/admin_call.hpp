#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "cluster/administration.hpp"
#include "statehouse/error.hpp"
#include "statehouse/options.hpp"

namespace statehouse::detail {

using Members = std::vector<wire::Member>;

constexpr Clock::duration between_tries = std::chrono::milliseconds(100);

/// What cannot be done to this cluster.
[[noreturn]] void refuse(const std::string& message);
/// "node 3 at 10.0.0.3:9001"
std::string name_of(const wire::Member& member);

/// One call of ClusterAdmin: asks and changes with its options' patience, and says what came of it as Error.
class AdminCall {
 public:
  AdminCall(const ClusterOptions& options, const std::stop_token& stop)
      : options_(options),
        administration_(options.dial_timeout, [this] { return rest(); }),
        stopping_(stop, [this] { administration_.stop(); }) {}
  AdminCall(const AdminCall&) = delete;
  AdminCall& operator=(const AdminCall&) = delete;

  Administration& administration() noexcept { return administration_; }
  /// From now on; zero is no limit.
  Patience patience(TimeLimit limit) const;

  std::unique_ptr<Channel> leader();
  Members members(Channel& channel);
  const wire::Member& require(const Members& members, std::uint64_t id) const;
  /// Empty when it answers.
  std::string trouble_of_asking(const std::string& address);
  /// `leaving` is about to vote no more. Refuses where the others are no majority; gives the leader, which is another
  /// one.
  std::unique_ptr<Channel> leader_without(std::unique_ptr<Channel> leader, const Members& members,
                                          const wire::Member& leaving);
  void hand_over(Channel& leader, const wire::Member& next);
  /// Waits until the node itself knows what it is.
  void settle(const wire::Member& member);

 private:
  Clock::time_point now() const { return administration_.interrupter().clock().now(); }
  bool rest() const;

  const ClusterOptions& options_;
  Administration administration_;
  Clock::time_point begun_{};
  std::stop_callback<std::function<void()>> stopping_;  // last: it uses the rest
};

/// Whether what has failed may have been done all the same.
enum class request_kind { asks, changes };

/// What those hear who look after a cluster.
Error told(request_kind kind, const std::string& lost);
Error told(request_kind kind, const Refusal& refusal);

/// `action()`, whose errors are told.
template <class Action>
auto telling(request_kind kind, Action action) {
  try {
    return action();
  } catch (const NetworkError& error) {
    throw told(kind, error.what());
  } catch (const Refusal& refusal) {
    throw told(kind, refusal);
  }
}

}  // namespace statehouse::detail
