#include "settings.hpp"

#include <algorithm>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <map>
#include <thread>
#include <vector>

#include "command_line.hpp"
#include "statehouse/cluster_admin.hpp"
#include "statehouse/database_name.hpp"
#include "statehouse/error.hpp"
#include "statehouse/version.hpp"

namespace statehouse::server {

namespace {

/// Every option can also be given as its environment variable; the command line wins.
class Options {
 public:
  explicit Options(CLI::App& app) : app_(app) {}

  CLI::Option* add(const std::string& name, auto& value, const std::string& description) {
    auto* const option = app_.add_option("--" + name, value)->capture_default_str();
    option->description(description + " (" + command_line::variable_of(*option) + ")");
    return options_.emplace_back(option);
  }
  void parse(int argc, char** argv) {
    app_.parse(argc, argv);
    for (CLI::Option* const option : options_) command_line::take_from_environment(*option);
  }

 private:
  CLI::App& app_;
  std::vector<CLI::Option*> options_;
};

std::string check_directory(const std::string& text) {
  return text.empty() ? "give a directory" : "";
}

std::string check_address(const std::string& text) {
  boost::system::error_code failure;
  boost::asio::ip::make_address(text, failure);
  return failure ? "'" + text + "' is no IP address, give one like 127.0.0.1, 0.0.0.0 or ::1" : "";
}

std::string check_dev_prefix(const std::string& text) {
  try {
    check_prefix(text);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

std::string check_cluster(const std::string& text) {
  try {
    const ClusterAdmin cluster({.nodes = command_line::split_list(text)});
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

const std::map<std::string, checkpoint_mode>& checkpoint_modes() {
  static const std::map<std::string, checkpoint_mode> modes{
      {"own", checkpoint_mode::own},
      {"external", checkpoint_mode::external},
      {"external-up-to-limit", checkpoint_mode::external_up_to_limit}};
  return modes;
}

std::chrono::milliseconds to_ms(double seconds) {
  return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(seconds * 1000));
}

double to_seconds(std::chrono::milliseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

std::variant<Settings, int> parse_settings(int argc, char** argv) {
  Settings settings;
  settings.threads = std::max(1u, std::thread::hardware_concurrency());
  unsigned port = settings.port;
  std::string address = settings.address.to_string();
  std::string data_dir = settings.data_dir.string();
  std::string cluster;
  std::string checkpoint = "own";
  std::string tenants = "off";
  double shutdown_timeout = to_seconds(settings.shutdown_timeout);
  double request_timeout = to_seconds(settings.limits.request_timeout);
  double idle_timeout = to_seconds(settings.limits.idle_timeout);

  CLI::App app("Keeps the execution context of runbook blocks: the example backend of statehouse.",
               "statehouse-server");
  app.set_version_flag("--version", STATEHOUSE_VERSION);
  Options options(app);
  const auto seconds = command_line::seconds(0.001, 86400);
  options.add("address", address, "IP address to listen on")->check(check_address);
  options.add("port", port, "TCP port; 0 takes any free one, which is printed")
      ->transform(command_line::whole_number(0, 65535));
  options.add("data-dir", data_dir, "Directory of the databases, created if missing")->check(check_directory);
  options.add("dev-prefix", settings.dev_prefix, "Prefix of the database files, to keep development data apart")
      ->check(check_dev_prefix);
  options
      .add("cluster", cluster, "Nodes that keep the databases in place of files: HOST:PORT, with commas between them")
      ->check(check_cluster);
  options.add("tenants", tenants, "on: /tenants/NAME/... has the documents of that tenant, in a database of its own")
      ->check(CLI::IsMember({"on", "off"}));
  options
      .add("checkpoint", checkpoint,
           "Who moves the write-ahead log into the database: own, external (Litestream), external-up-to-limit")
      ->check(CLI::IsMember(checkpoint_modes()));
  options.add("threads", settings.threads, "Threads that serve connections")
      ->transform(command_line::whole_number(1, 1024));
  options.add("log-level", settings.log_level, "Least level to log")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "critical", "off"}));
  options.add("shutdown-timeout", shutdown_timeout, "Seconds from SIGTERM or SIGINT to the exit, at most")
      ->transform(seconds);
  options.add("request-timeout", request_timeout, "Seconds to receive a request, and to send a response")
      ->transform(seconds);
  options.add("idle-timeout", idle_timeout, "Seconds that a connection may wait for its next request")
      ->transform(seconds);

  try {
    options.parse(argc, argv);
    if (tenants == "on" && !cluster.empty())
      throw CLI::ValidationError("--tenants", "their databases are in directories, which a cluster has not");
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  settings.address = boost::asio::ip::make_address(address);
  settings.port = static_cast<std::uint16_t>(port);
  settings.data_dir = data_dir;
  if (!cluster.empty()) settings.cluster = command_line::split_list(cluster);
  settings.tenants = tenants == "on";
  settings.checkpoint = checkpoint_modes().at(checkpoint);
  settings.shutdown_timeout = to_ms(shutdown_timeout);
  settings.limits.request_timeout = to_ms(request_timeout);
  settings.limits.idle_timeout = to_ms(idle_timeout);
  return settings;
}

}  // namespace statehouse::server
