#include <sys/stat.h>

#include <cerrno>
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstring>
#include <ctime>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

#include "cluster/socket.hpp"
#include "command_line.hpp"
#include "directory_lock.hpp"
#include "directory_owner.hpp"
#include "membership.hpp"
#include "node.hpp"
#include "service_manager.hpp"
#include "statehouse/error.hpp"
#include "statehouse/version.hpp"

namespace statehouse::node {
namespace {

constexpr int usage_error = 2;  // which the unit does not try again
constexpr std::int64_t most_latency = 10'000;
constexpr timespec between_tries{0, 100'000'000};
constexpr timespec between_looks{1, 0};

/// Those that end the program, for this thread alone to wait for.
sigset_t block_ending_signals() {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return ending;
}

void make_directory(const std::filesystem::path& directory) {
  const mode_t outer = ::umask(077);  // what is in there is nobody else's
  std::filesystem::create_directories(directory);
  ::umask(outer);
}

/// What makes node 1 a cluster of one, whose data nobody else has.
bool founds(const Options& options) {
  return options.id == 1 && holds_no_data(options.data_dir);
}

/// One line for each thing that happens, and the service manager's status with it.
class Log {
 public:
  explicit Log(std::uint64_t id) : id_(id) {}

  void say(const std::string& what) const {
    std::cout << "statehouse-node " << id_ << ": " << what << std::endl;
    manager_.status(what);
  }
  const ServiceManager& manager() const noexcept { return manager_; }

 private:
  const std::uint64_t id_;
  const ServiceManager manager_;
};

/// Tells of each new leader until a signal comes; gives that.
int watch(const std::string& address, const sigset_t& ending, const Log& log) {
  std::string known;
  for (;;) {
    const std::string leader = leader_by(address);
    if (leader != known)
      log.say(leader.empty() ? "no leader is known" : leader == address ? "leads" : leader + " leads");
    known = leader;
    if (const int signal = sigtimedwait(&ending, nullptr, &between_looks); signal > 0) return signal;
  }
}

/// Until a signal ends it.
void serve(const Options& options, const std::string& contact, const sigset_t& ending, const Log& log) {
  const Node node(options);
  const Self self{options.id, options.address};
  log.say("listening on " + options.address);
  std::optional<int> signal;
  const auto go_on = [&] {
    const int came = sigtimedwait(&ending, nullptr, &between_tries);
    if (came > 0) signal = came;
    return !signal;
  };
  if (!contact.empty()) {
    log.say("joining the cluster by " + contact);
    // Itself as well: a member that comes back knows the leader, also when its first contact is gone.
    join(self, {contact, options.address}, go_on, [&](const std::string& news) { log.say(news); });
  }
  if (!signal) {
    log.say("ready");
    log.manager().ready();
    signal = watch(options.address, ending, log);
  }
  log.manager().stopping();
  log.say("stops on SIG" + std::string(sigabbrev_np(*signal)));
  const auto moment = [] { return nanosleep(&between_tries, nullptr) == 0; };
  if (const std::string next = hand_over(self, moment); !next.empty()) log.say("has handed over to " + next);
}

int run(const Options& options, const std::string& contact) {
  const sigset_t ending = block_ending_signals();
  const Log log(options.id);
  make_directory(options.data_dir);
  const DirectoryLock alone(options.data_dir);
  if (const std::string trouble = claim(options.data_dir, {options.id, options.address}); !trouble.empty()) {
    std::cerr << "statehouse-node: " << trouble << '\n';
    return usage_error;
  }
  serve(options, contact, ending, log);
  log.say("stopped");
  return 0;
}

int parse_and_run(int argc, char** argv) {
  Options options;
  options.latency_ms = 30;
  std::string contact;
  CLI::App app{"One node of a cluster that keeps databases for statehouse."};
  app.set_version_flag("--version", "statehouse-node " STATEHOUSE_VERSION);
  const auto address = [](const std::string& text) {
    try {
      static_cast<void>(detail::NodeAddress{text});
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  app.add_option("--id", options.id,
                 "Number of this node, for the life of its data: 1 for the one that founds. One that has lost its data "
                 "joins under a number that was never used, node 1 too: it would found a second cluster")
      ->required()
      ->transform(command_line::whole_number(1));
  app.add_option("--address", options.address, "HOST:PORT it listens on and the others reach it at: a numeric address")
      ->required()
      ->check(address);
  app.add_option("--data-dir", options.data_dir, "Directory of its own, made if it is missing")->required();
  app.add_option("--join", contact, "HOST:PORT of a node that is a member; all but the first node need it")
      ->check(address);
  app.add_option("--latency-ms", options.latency_ms,
                 "Between the nodes: 15 times as long without a leader's word begin an election")
      ->capture_default_str()
      ->transform(command_line::whole_number(1, most_latency));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : usage_error;
  }
  if (contact.empty() && options.id != 1) {
    std::cerr << "statehouse-node: only node 1 founds a cluster: give --join, the address of a member\n";
    return usage_error;
  }
  if (!contact.empty() && founds(options)) {
    std::cerr << "statehouse-node: node 1 founds a cluster of its own in an empty directory, and joins none: to join "
              << contact << ", or to come back after the loss of " << options.data_dir.string()
              << ", take an --id that was never used; to found one, leave --join out\n";
    return usage_error;
  }
  return run(options, contact);
}

}  // namespace
}  // namespace statehouse::node

int main(int argc, char** argv) {
  try {
    return statehouse::node::parse_and_run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "statehouse-node: " << error.what() << '\n';
    return 1;
  }
}
