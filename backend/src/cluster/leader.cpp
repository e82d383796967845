#include "cluster/leader.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/deadline.hpp"
#include "cluster/encoder.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {
namespace {

constexpr Clock::duration shortest_pause = std::chrono::milliseconds(20);
constexpr Clock::duration longest_pause = std::chrono::milliseconds(500);
/// A pause is that part of the time that has passed, so that looking adds little to what an election takes.
constexpr int part_of_search = 8;

}  // namespace

/// One call of `connect`.
class Leader::Search {
 public:
  Search(Leader& leader, const Interrupter& interrupter)
      : leader_(leader),
        interrupter_(interrupter),
        began_(interrupter.clock().now()),
        until_(deadline(began_, leader.options_.find_leader)) {}

  std::unique_ptr<Channel> run() {
    while (true) {
      if (auto channel = try_all()) {
        leader_.remember(channel->address());
        return channel;
      }
      const auto now = interrupter_.clock().now();
      if (!interrupter_.must_stop()) leader_.missed_at_.store(now, std::memory_order_relaxed);
      const Patience patience{interrupter_, until_};
      if (patience.over()) return nullptr;
      const auto passed = now - began_;
      pause(leader_.jittered(std::clamp<Clock::duration>(passed / part_of_search, shortest_pause, longest_pause)),
            patience);
    }
  }

  /// What each node has said last.
  std::string findings() const {
    std::string text;
    for (const auto& [node, finding] : findings_) text += (text.empty() ? "" : ", ") + node + ": " + finding;
    return text;
  }

 private:
  std::unique_ptr<Channel> try_all() {
    if (const std::string last = leader_.last_known(); !last.empty()) {
      if (auto channel = try_and_follow(last)) return channel;
    }
    for (const std::string& node : leader_.options_.nodes) {
      if (interrupter_.must_stop()) return nullptr;
      if (auto channel = try_and_follow(node)) return channel;
    }
    return nullptr;
  }

  /// The node, or the one that it names: that one has to confirm it, as it may be dead or deposed.
  std::unique_ptr<Channel> try_and_follow(const std::string& node) {
    std::string named;
    if (auto channel = try_one(node, named)) return channel;
    if (named.empty() || named == node) return nullptr;
    std::string ignored;
    return try_one(named, ignored);
  }

  std::unique_ptr<Channel> try_one(const std::string& node, std::string& named) {
    std::string& finding = findings_[node];
    try {
      const auto limit = deadline(interrupter_.clock().now(), leader_.options_.dial_timeout);
      const Patience patience{interrupter_, std::min(limit, until_)};
      auto channel = std::make_unique<Channel>(node, patience);
      named = channel->ask<wire::Server>(wire::leader_request(), patience).address;
      finding = named.empty() ? "knows no leader" : "names " + named;
      if (named != node) return nullptr;
      channel->ask<wire::Welcome>(wire::client_request(0), patience);
      channel->ask<wire::Database>(wire::open_request(leader_.options_.database), patience);
      // The answer to a query waits until the node has applied all that it leads with. PREPARE does not, and would know
      // nothing of tables that were made before it came to lead.
      channel->ask<wire::Rows>(wire::query_sql_request("SELECT 1"), patience);
      return channel;
    } catch (const Refusal& refusal) {
      finding = refusal.what();
    } catch (const NetworkError& error) {
      finding = error.what();
    } catch (const Error& error) {  // what listens there is no node, or an address of one is none
      finding = error.what();
    }
    return nullptr;
  }

  Leader& leader_;
  const Interrupter& interrupter_;
  const Clock::time_point began_;
  const Clock::time_point until_;
  std::map<std::string, std::string> findings_;
};

Leader::Leader(ClusterOptions options) : options_(std::move(options)), random_(std::random_device{}()) {}

std::string Leader::last_known() const {
  std::lock_guard lock(mutex_);
  return last_known_;
}

bool Leader::is_last_known(const std::string& address) const {
  std::lock_guard lock(mutex_);
  return last_known_ == address;
}

void Leader::remember(const std::string& address) {
  std::lock_guard lock(mutex_);
  last_known_ = address;
  missed_at_.store(Clock::time_point::min(), std::memory_order_relaxed);
}

/// Between half of the time and one and a half, so that those who lost the same leader do not come together.
Clock::duration Leader::jittered(Clock::duration time) {
  std::lock_guard lock(mutex_);
  return time / 2 + Clock::duration(std::uniform_int_distribution<Clock::duration::rep>(0, time.count())(random_));
}

std::unique_ptr<Channel> Leader::connect(const Interrupter& interrupter, const std::string& name) {
  Search search(*this, interrupter);
  if (auto channel = search.run()) return channel;
  if (const auto stopped = interrupter.reason(); stopped != stop_reason::none)
    throw Error(code_of(stopped), "stopped while the cluster's leader was looked for: " + search.findings(),
                {name, {}});
  throw Error(
      errc::unavailable,
      "no leader of the cluster was found within " + std::to_string(options_.find_leader.count()) +
          " ms; nothing was executed. See that most of the nodes run and reach each other: " + search.findings(),
      {name, {}});
}

bool Leader::confirms(const std::string& address, const Interrupter& interrupter) const {
  const Patience patience{interrupter, deadline(interrupter.clock().now(), options_.dial_timeout)};
  try {
    Channel channel(address, patience);
    return channel.ask<wire::Server>(wire::leader_request(), patience).address == address;
  } catch (const NetworkError&) {
    return false;
  } catch (const Refusal&) {
    return false;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace statehouse::detail
