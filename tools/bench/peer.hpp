#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "results.hpp"

namespace statehouse::bench {

/// Another program that puts our load on our database: called as statehouse-load is, and prints the line that it
/// prints. peers/README.md has the protocol.
struct Peer {
  std::string name;
  std::vector<std::string> command;
};

/// Texts `NAME=COMMAND`, the command's words with blanks between them. Throws std::invalid_argument.
std::vector<Peer> peers_of(const std::vector<std::string>& texts);

struct PeerLoad {
  workload kind;
  const std::filesystem::path& database;  ///< Beside it, in `keys_file(database)`, are the keys.
  int in_flight;
  std::chrono::milliseconds duration;
};

/// A run of about `load.duration`: a peer counts operations, so that there are as many as it does in that time. `rate`
/// is what it did per second before; without it, that is found out first. Throws std::runtime_error with the peer's own
/// words when there is no number to be had from it, or not one to be trusted: it fails, reports errors, prints anything
/// else than the line, or does not end.
Values measure_peer(const Peer& peer, const PeerLoad& load, std::optional<double> rate);

}  // namespace statehouse::bench
