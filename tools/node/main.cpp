#include <sys/stat.h>

#include <cerrno>
#include <CLI/CLI.hpp>
#include <csignal>
#include <ctime>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "cluster/socket.hpp"
#include "command_line.hpp"
#include "membership.hpp"
#include "node.hpp"
#include "statehouse/error.hpp"

namespace statehouse::node {
namespace {

constexpr std::int64_t most_latency = 10'000;
constexpr long between_tries = 100'000'000;  // ns

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
  return options.id == 1 && (!std::filesystem::exists(options.data_dir) || std::filesystem::is_empty(options.data_dir));
}

int run(const Options& options, const std::string& contact) {
  const sigset_t ending = block_ending_signals();
  make_directory(options.data_dir);
  const Node node(options);
  std::cout << "statehouse-node " << options.id << ": listening on " << options.address << std::endl;
  const auto go_on = [&] {
    const timespec moment{0, between_tries};
    return sigtimedwait(&ending, nullptr, &moment) < 0;
  };
  // Itself as well: a member that comes back knows the leader, also when its first contact is gone.
  if (!contact.empty() && !join(options.id, options.address, {contact, options.address}, go_on)) return 0;
  std::cout << "statehouse-node " << options.id << ": ready" << std::endl;
  int signal = 0;
  sigwait(&ending, &signal);
  return 0;
}

int parse_and_run(int argc, char** argv) {
  Options options;
  options.latency_ms = 30;
  std::string contact;
  CLI::App app{"One node of a cluster that keeps databases for statehouse."};
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
  CLI11_PARSE(app, argc, argv);
  if (contact.empty() && options.id != 1) {
    std::cerr << "statehouse-node: only node 1 founds a cluster: give --join, the address of a member\n";
    return 2;
  }
  if (!contact.empty() && founds(options)) {
    std::cerr << "statehouse-node: node 1 founds a cluster of its own in an empty directory, and joins none: to join "
              << contact << ", or to come back after the loss of " << options.data_dir.string()
              << ", take an --id that was never used; to found one, leave --join out\n";
    return 2;
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
