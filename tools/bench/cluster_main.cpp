// statehouse-cluster-bench: a pool on a cluster beside a client that sends one statement and waits, on these nodes.
#include <spdlog/fmt/fmt.h>

#include <array>
#include <CLI/CLI.hpp>
#include <iostream>
#include <random>

#include "cluster_systems.hpp"
#include "command_line.hpp"
#include "logging.hpp"
#include "results.hpp"
#include "statehouse/connection.hpp"

namespace {

using namespace statehouse::bench;

constexpr int usage_error = 2;
constexpr unsigned readers = 4;  // of the pool, and connections of the plain client for reads

struct Arguments {
  statehouse::ClusterOptions cluster;
  int rounds = 5;
  int milliseconds = 1000;
  int rows = 10'000;
};

/// One kind of load on both systems. A plain client's writes do not gain from more connections: one at a time commits.
struct Comparison {
  const char* what;
  workload kind;
  int in_flight;
  int plain_connections;
  const char* metric;
  const char* target;
};

constexpr Comparison comparisons[] = {
    {"write, 1 in flight", workload::write, 1, 1, "p50_us", "<= 1.15"},
    {"write, 64 in flight", workload::write, 64, 1, "ops_s", ">= 20"},
    {"write, 512 in flight", workload::write, 512, 1, "ops_s", ">= 40"},
    {"read, 64 in flight", workload::read, 64, static_cast<int>(readers), "ops_s", ">= 1"},
};

std::vector<Key> make_table(const Arguments& arguments) {
  auto db = statehouse::Connection::in_cluster(arguments.cluster, statehouse::connection_role::writer);
  db.execute("DROP TABLE IF EXISTS context");
  db.execute(
      "CREATE TABLE context (document_id TEXT NOT NULL, block_id TEXT NOT NULL, context TEXT NOT NULL, "
      "PRIMARY KEY (document_id, block_id))");
  std::vector<Key> keys;
  db.savepoint([&] {
    for (int i = 0; i < arguments.rows; ++i) {
      keys.push_back({"doc-" + std::to_string(i / 100), "block-" + std::to_string(i % 100)});
      db.execute(write_sql, keys.back().document, keys.back().block, sample_value());
    }
  });
  return keys;
}

void measure(const Arguments& arguments, Results& results) {
  const std::vector<Key> keys = make_table(arguments);
  const auto ours = open_pool_in_cluster(arguments.cluster, readers);
  const auto plain = open_plain_client(arguments.cluster);
  for (int round = 0; round < arguments.rounds; ++round) {
    for (const Comparison& each : comparisons) {
      Load load{.keys = keys,
                .kind = each.kind,
                .warm_up = std::chrono::milliseconds(200),
                .duration = std::chrono::milliseconds(arguments.milliseconds),
                .seed = std::random_device()()};
      // Who comes first finds the disk as the measurement before has left it.
      for (const bool plain_one : round % 2 == 0 ? std::array{true, false} : std::array{false, true}) {
        load.in_flight = plain_one ? each.plain_connections : each.in_flight;
        const Measurement measured = (plain_one ? plain : ours)->run(load);
        if (measured.tally.errors != 0) std::cerr << "an error: " << measured.tally.first_error << '\n';
        results.add(each.what, plain_one ? plain_client_name : statehouse_name, values_of(measured, 0));
      }
    }
  }
}

void print(const Results& results) {
  for (const Results::Series& series : results.series()) {
    const auto median = [&](const char* metric) {
      return results.median(series.what, series.system, metric).value_or(0);
    };
    fmt::print("{:<22} {:<13} {:>8.0f}/s  p50 {:>9.0f} us  p99 {:>9.0f} us  longest {:>9.0f} us  errors {:.0f}\n",
               series.what, series.system, median("ops_s"), median("p50_us"), median("p99_us"), median("max_us"),
               results.sum(series.what, series.system, "errors").value_or(0));
  }
  for (const Comparison& each : comparisons)
    fmt::print("{}: {} by the plain client's: {:.2f}, target {}\n", each.what, each.metric,
               results.median({each.what, statehouse_name, each.metric, each.what, plain_client_name, each.metric})
                   .value_or(0),
               each.target);
}

}  // namespace

int main(int argc, char** argv) {
  log_errors_only();
  Arguments arguments;
  arguments.cluster.database = "statehouse-bench.db";
  CLI::App app(
      "Writes and reads a table of its own in the database statehouse-bench.db of a cluster: a pool, beside a client "
      "that sends one statement and waits for its answer. Both in turn, round by round; medians.",
      "statehouse-cluster-bench");
  std::string nodes;
  app.add_option("nodes", nodes, "addresses HOST:PORT of one or more nodes, with commas between them")->required();
  app.add_option("--rounds", arguments.rounds, "default 5")->transform(statehouse::command_line::whole_number(1, 1000));
  app.add_option("--milliseconds", arguments.milliseconds, "per measurement, default 1000")
      ->transform(statehouse::command_line::whole_number(10, 60'000));
  app.add_option("--rows", arguments.rows, "of 200 bytes, default 10000")
      ->transform(statehouse::command_line::whole_number(1, 10'000'000));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : usage_error;
  }
  try {
    arguments.cluster.nodes = statehouse::command_line::split_list(nodes);
    Results results;
    measure(arguments, results);
    print(results);
  } catch (const std::exception& error) {
    std::cerr << "statehouse-cluster-bench: " << error.what() << '\n';
    return 1;
  }
}
