// statehouse-load: how fast is a pool on this file, on this machine? One line of JSON on stdout.
#include <sqlite3.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <iostream>
#include <map>

#include "command_line.hpp"
#include "logging.hpp"
#include "pool_on_file.hpp"
#include "process.hpp"

namespace {

using namespace statehouse::bench;

constexpr int usage_error = 2;

constexpr const char* description =
    "Runs CONCURRENCY coroutines on one io_context thread, each with one operation at a time, over one statehouse pool "
    "on an existing database with the table context(document_id, block_id, context), OPERATIONS in total, and prints "
    "one line of JSON. write replaces contexts; mixed is 90 % reads, 10 % writes. The keys are taken, at random, from "
    "the "
    "file that the environment variable STATEHOUSE_KEYS names: lines 'document block'.";

struct Arguments {
  workload kind = workload::read;
  std::filesystem::path database;
  int concurrency = 0;
  std::uint64_t operations = 0;
};

std::vector<Key> keys_from_environment() {
  const char* const file = std::getenv("STATEHOUSE_KEYS");
  if (file == nullptr || *file == '\0')
    throw std::runtime_error("set STATEHOUSE_KEYS to the file with the keys: lines 'document block'");
  return read_keys(file);
}

/// One read before the measurement: a database without the table should be one error, not one per operation.
void probe(boost::asio::io_context& io, PoolOnFile& store, const Key& key) {
  auto probed = boost::asio::co_spawn(io, store.read(key), boost::asio::use_future);
  io.run();
  static_cast<void>(probed.get());
}

void print(const Measurement& result, std::uint64_t operations, std::size_t connections) {
  Histogram all = result.tally.reads;
  all.add(result.tally.writes);
  std::printf(
      "{\"ops_s\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"errors\":%llu,\"n\":%llu,"
      "\"secs\":%.4f,\"conns\":%zu,\"cpu_s\":%.4f,\"voluntary_switches\":%lld,\"involuntary_switches\":%lld,"
      "\"rss_kb\":%lld,\"sqlite\":\"%s\"}\n",
      static_cast<double>(operations) / result.seconds, all.quantile_us(0.5), all.quantile_us(0.99),
      all.quantile_us(0.999), all.max_us(), static_cast<unsigned long long>(result.tally.errors),
      static_cast<unsigned long long>(operations), result.seconds, connections, result.used.cpu_seconds,
      static_cast<long long>(result.used.voluntary_switches), static_cast<long long>(result.used.involuntary_switches),
      static_cast<long long>(resident_kb()), sqlite3_libversion());
  if (result.tally.errors != 0) std::cerr << "statehouse-load: the first error: " << result.tally.first_error << '\n';
}

void run(const Arguments& arguments) {
  const std::vector<Key> keys = keys_from_environment();
  boost::asio::io_context io(1);
  PoolOnFile store(arguments.database);
  probe(io, store, keys.front());
  const Load load{.keys = keys,
                  .kind = arguments.kind,
                  .in_flight = arguments.concurrency,
                  .operations = arguments.operations,
                  .seed = std::random_device()()};
  const Measurement result = run_closed_loop(io, store, load);
  const statehouse::DatabaseStats stats = store.pool().stats();
  print(result, arguments.operations, stats.writer.connections + stats.readers.connections);
}

}  // namespace

int main(int argc, char** argv) {
  log_errors_only();
  Arguments arguments;
  CLI::App app(description, "statehouse-load");
  const std::map<std::string, workload> kinds{
      {"read", workload::read}, {"write", workload::write}, {"mixed", workload::mixed}};
  std::string kind;
  app.add_option("workload", kind, "read, write or mixed")
      ->required()
      ->check(CLI::IsMember({"read", "write", "mixed"}));
  app.add_option("database", arguments.database, "an existing SQLite file")->required();
  app.add_option("concurrency", arguments.concurrency, "operations in flight")
      ->required()
      ->transform(statehouse::command_line::whole_number(1, 10'000));
  app.add_option("operations", arguments.operations, "in total")
      ->required()
      ->transform(statehouse::command_line::whole_number(1, 1'000'000'000'000));
  try {
    app.parse(argc, argv);
    arguments.kind = kinds.at(kind);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : usage_error;
  }
  try {
    run(arguments);
  } catch (const std::exception& error) {
    std::cerr << "statehouse-load: " << error.what() << '\n';
    return 1;
  }
}
