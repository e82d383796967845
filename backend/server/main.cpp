#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <statehouse/migrations/context.hpp>
#include <string_view>
#include <system_error>
#include <thread>
#include <variant>
#include <vector>

#include "http_server.hpp"
#include "open_files.hpp"
#include "routes.hpp"
#include "service_status.hpp"
#include "settings.hpp"
#include "statehouse/app_state.hpp"
#include "statehouse/signals.hpp"
#include "statehouse/sqlite_version.hpp"
#include "statehouse/version.hpp"

namespace {

namespace asio = boost::asio;
using namespace statehouse;
using namespace statehouse::server;

constexpr std::string_view tenants_databases = "tenants/*/context";

void announce_listening(const HttpServer& server) {
  spdlog::info("statehouse-server {} listens: address={} port={}", STATEHOUSE_VERSION,
               server.endpoint().address().to_string(), server.endpoint().port());
}

void announce(const HttpServer& server, const Settings& settings) {
  const SqliteVersion sqlite = sqlite_version();
  spdlog::info("statehouse-server {} is ready: address={} port={} data_dir={} sqlite={} vulnerable_sqlite={}",
               STATEHOUSE_VERSION, settings.address.to_string(), server.endpoint().port(), settings.data_dir.string(),
               sqlite.text, sqlite.wal_reset_bug);
  for (const std::string& node : settings.cluster) spdlog::info("the databases are in a cluster: node={}", node);
  std::cout << "statehouse-server: http://" << server.endpoint() << '\n' << std::flush;
}

/// Those that are there, so that none has its first request wait for a migration. One that fails is its tenant's
/// trouble.
asio::awaitable<void> bring_tenants_up_to_date(const DbInstances& databases) {
  const MigrateAllReport report = co_await databases.migrate_all(tenants_databases);
  for (const MigratedDatabase& database : report.databases)
    if (!database.failure.empty())
      spdlog::error("database '{}' is not up to date: {}", database.name, database.failure);
  spdlog::info("tenants: databases={}", report.databases.size());
}

/// Listens first, so that whoever probes the service sees that it lives and what it does; then opens the database, so
/// that one that cannot be opened or migrated stops the program here.
asio::awaitable<void> start(AppState& state, HttpServer& server, ServiceStatus& status, const Settings& settings) {
  std::exception_ptr failure;
  try {
    server.start();
    announce_listening(server);
    co_await state.init();
    if (settings.tenants) co_await bring_tenants_up_to_date(state.db_instances);
    co_await state.db_instances.get_pool("context");
    announce(server, settings);
    status.tell();
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure == nullptr) co_return;
  co_await server.drain(std::chrono::milliseconds(0));
  co_await state.shutdown();
  std::rethrow_exception(failure);
}

/// Logs what went wrong; a signal that came before the program was ready is nothing wrong.
bool failed(std::string_view what, const std::exception_ptr& failure) {
  if (failure == nullptr) return false;
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    if (error.code() == condition::closed) return false;
    spdlog::critical("{}: {}", what, error.what());
  } catch (const std::exception& error) {
    spdlog::critical("{}: {}", what, error.what());
  }
  return true;
}

void log_shutdown(const ShutdownReport& report) {
  for (const auto& database : report.databases) {
    if (database.closed) continue;
    spdlog::error("database '{}' could not be closed in time", database.name);
    for (const Holder& holder : database.holders)
      spdlog::error("  held by {} at {} for {} ms", holder.verb, holder.where, holder.held_for.count());
  }
  spdlog::info("statehouse-server stops, {}", report.clean() ? "all is closed" : "not all is closed as it should be");
}

/// On any machine, as searches leave one of them for other reads.
constexpr unsigned readers = 4;

PoolOptions pool_options(const Settings& settings) {
  return {.readers = readers, .checkpoint = settings.checkpoint, .cluster = {.nodes = settings.cluster}};
}

/// Each has a database of its own, of which none makes the service unready.
void serve_tenants(DbInstances& databases, const Settings& settings) {
  PoolOptions options = pool_options(settings);
  options.required = false;
  databases.add_migrator(tenants_databases, migrations::context());
  databases.configure(tenants_databases, options);
}

/// On so many threads, this one among them, or on as many as there can be.
void run(asio::io_context& io, unsigned count) {
  std::vector<std::jthread> threads;
  try {
    for (unsigned i = 1; i < count; ++i) threads.emplace_back([&] { io.run(); });
  } catch (const std::system_error& error) {
    spdlog::warn("{} of {} threads serve connections, no more can be started: {}", threads.size() + 1, count,
                 error.code().message());
  }
  io.run();
}

/// Runs until a signal or a failure; gives the exit code.
int serve(const Settings& settings) {
  asio::io_context io(static_cast<int>(settings.threads));
  AppState state(io.get_executor(),
                 {.data_dir = settings.data_dir, .dev_prefix = settings.dev_prefix, .pool = pool_options(settings)});
  state.db_instances.add_migrator("context", migrations::context());
  if (settings.tenants) serve_tenants(state.db_instances, settings);
  const Routes routes(state, settings.tenants);
  HttpServer server(io.get_executor(), {settings.address, settings.port}, settings.limits,
                    [&](HttpRequest& request) { return routes.handle(request); });
  int exit_code = 1;

  // Of the time allowed, requests that run get a half; some is left for ~AppState, which may have to wait once more.
  const auto allowed = settings.shutdown_timeout;
  const ShutdownOptions options{.grace = allowed * 6 / 10, .deadline = allowed * 7 / 10};
  ServiceStatus status(state.db_instances);
  auto drain = [&] {
    status.stopping(allowed);
    return server.drain(allowed / 2);
  };

  // One strand, so that signals are waited for before the program says that it is ready.
  const auto strand = asio::make_strand(io);
  asio::co_spawn(strand, shutdown_on_signal(state, drain, options),
                 [&](const std::exception_ptr& failure, const ShutdownReport& report) {
                   log_shutdown(report);
                   if (!failed("cannot stop", failure) && report.clean()) exit_code = 0;
                   io.stop();
                 });
  asio::co_spawn(strand, status.keep_telling(), asio::detached);
  asio::co_spawn(strand, start(state, server, status, settings), [&](const std::exception_ptr& failure) {
    if (failed("cannot start", failure)) io.stop();
  });

  run(io, settings.threads);
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = parse_settings(argc, argv);
  if (const int* exit_code = std::get_if<int>(&parsed)) return *exit_code;
  const auto& settings = std::get<Settings>(parsed);

  std::signal(SIGPIPE, SIG_IGN);  // a closed log or output must not end the program
  spdlog::set_default_logger(spdlog::stderr_color_mt("statehouse-server"));
  spdlog::set_level(spdlog::level::from_str(settings.log_level));
  raise_limit_of_open_files();
  try {
    return serve(settings);
  } catch (const std::exception& error) {
    spdlog::critical("statehouse-server: {}", error.what());
    return 1;
  }
}
