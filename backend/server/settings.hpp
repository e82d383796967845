#pragma once

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "http_limits.hpp"
#include "statehouse/options.hpp"

namespace statehouse::server {

/// What the program is told on its command line or by environment variables; `--help` describes it.
struct Settings {
  boost::asio::ip::address address = boost::asio::ip::address_v4::loopback();
  std::uint16_t port = 8080;
  std::filesystem::path data_dir = "data";
  std::string dev_prefix;
  std::vector<std::string> cluster;  ///< Nodes that keep the databases; none: they are files.
  bool tenants = false;
  checkpoint_mode checkpoint = checkpoint_mode::own;
  unsigned threads = 1;
  std::string log_level = "info";
  std::chrono::milliseconds shutdown_timeout{10'000};
  HttpLimits limits;
};

/// The settings, or the exit code after help, version or a complaint have been printed: 0, or 2 for wrong usage.
std::variant<Settings, int> parse_settings(int argc, char** argv);

}  // namespace statehouse::server
