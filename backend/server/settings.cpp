#include "settings.hpp"

#include <algorithm>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <thread>

#include "statehouse/database_name.hpp"
#include "statehouse/error.hpp"

namespace statehouse::server {

namespace {

/// Every option can also be given as STATEHOUSE_<NAME>; the command line wins.
CLI::Option* add(CLI::App& app, const std::string& name, auto& value, const std::string& description) {
  std::string variable = "STATEHOUSE_" + name;
  std::ranges::transform(variable, variable.begin(),
                         [](char c) { return c == '-' ? '_' : static_cast<char>(std::toupper(c)); });
  return app.add_option("--" + name, value, description)->envname(variable)->capture_default_str();
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
  double shutdown_timeout = to_seconds(settings.shutdown_timeout);
  double request_timeout = to_seconds(settings.limits.request_timeout);
  double idle_timeout = to_seconds(settings.limits.idle_timeout);

  CLI::App app("Keeps the execution context of runbook blocks: the example backend of statehouse.",
               "statehouse-server");
  app.set_version_flag("--version", STATEHOUSE_VERSION);
  const CLI::Range seconds(0.001, 86400.0);
  add(app, "address", address, "IP address to listen on")->check(check_address);
  add(app, "port", port, "TCP port; 0 takes any free one, which is printed")->check(CLI::Range(0, 65535));
  add(app, "data-dir", data_dir, "Directory of the databases, created if missing");
  add(app, "dev-prefix", settings.dev_prefix, "Prefix of the database files, to keep development data apart")
      ->check(check_dev_prefix);
  add(app, "threads", settings.threads, "Threads that serve connections")->check(CLI::Range(1, 1024));
  add(app, "log-level", settings.log_level, "Least level to log")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "critical", "off"}));
  add(app, "shutdown-timeout", shutdown_timeout, "Seconds from SIGTERM or SIGINT to the exit, at most")->check(seconds);
  add(app, "request-timeout", request_timeout, "Seconds to receive a request, and to send a response")->check(seconds);
  add(app, "idle-timeout", idle_timeout, "Seconds that a connection may wait for its next request")->check(seconds);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  settings.address = boost::asio::ip::make_address(address);
  settings.port = static_cast<std::uint16_t>(port);
  settings.data_dir = data_dir;
  settings.shutdown_timeout = to_ms(shutdown_timeout);
  settings.limits.request_timeout = to_ms(request_timeout);
  settings.limits.idle_timeout = to_ms(idle_timeout);
  return settings;
}

}  // namespace statehouse::server
