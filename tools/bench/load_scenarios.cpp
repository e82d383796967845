#include <malloc.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <iostream>
#include <thread>

#include "pool_on_file.hpp"
#include "process.hpp"
#include "scenario.hpp"

namespace statehouse::bench {
namespace {

struct Cell {
  workload kind;
  durability synchronous;
  int in_flight;
};

std::string name_of(const Cell& cell) {
  const char* const synchronous = cell.synchronous == durability::full ? "/full/" : "/normal/";
  return name_of(cell.kind) + std::string(synchronous) + std::to_string(cell.in_flight);
}

Load load_of(const Bench& bench, workload kind, int in_flight, int round) {
  return {.keys = bench.keys,
          .kind = kind,
          .in_flight = in_flight,
          .warm_up = bench.settings.duration / 4,
          .duration = bench.settings.duration,
          .seed = bench.settings.seed + static_cast<std::uint64_t>(round)};
}

void measure(const Bench& bench, const Cell& cell, const SystemKind& kind, int round) {
  ::malloc_trim(0);  // so that the memory of the one before is not counted as this one's
  const std::int64_t before = resident_kb();
  const auto system = kind.open({bench.database, cell.synchronous});
  const Measurement measured = system->run(load_of(bench, cell.kind, cell.in_flight, round));
  if (measured.tally.errors != 0)
    std::cerr << name_of(cell) << ", " << kind.name << ": " << measured.tally.errors
              << " errors, the first: " << measured.tally.first_error << '\n';
  bench.results.add(name_of(cell), kind.name, values_of(measured, resident_kb() - before));
}

int cores() {
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

/// The C API: one thread, and one per core.
void measure_c_api(const Bench& bench, workload kind, durability synchronous, int round) {
  const SystemKind c_api{c_api_name, open_c_api};
  measure(bench, {kind, synchronous, 1}, c_api, round);
  if (cores() > 1) measure(bench, {kind, synchronous, cores()}, c_api, round);
}

/// Every other round the other way round: whoever comes first has no lasting advantage.
std::vector<SystemKind> systems_of(const Bench& bench, int round) {
  std::vector<SystemKind> systems = pooled_systems();
  if (bench.settings.brief) systems.resize(2);  // ours and the hand-written pool
  if (round % 2 != 0) std::ranges::reverse(systems);
  return systems;
}

}  // namespace

void run_load(const Bench& bench, int round) {
  const SystemKind inline_reads{statehouse_inline_name, open_statehouse_inline};
  measure(bench, {workload::read, durability::normal, 1}, inline_reads, round);
  const std::vector<int> depths = bench.settings.brief ? std::vector{1, 64} : std::vector{1, 8, 64, 512};
  for (const durability synchronous : {durability::normal, durability::full}) {
    for (const workload kind : {workload::read, workload::write, workload::mixed}) {
      // Reads do not sync.
      if (synchronous == durability::full &&
          (kind == workload::read || (bench.settings.brief && kind == workload::mixed)))
        continue;
      measure_c_api(bench, kind, synchronous, round);
      for (const int depth : depths)
        for (const SystemKind& system : systems_of(bench, round))
          measure(bench, {kind, synchronous, depth}, system, round);
    }
  }
}

/// 64 writers and nothing else: what each of them gets, and how long it waits. Fewer operations than the pages after
/// which a checkpoint comes, 8 000: a checkpoint keeps everybody waiting alike.
void run_fairness(const Bench& bench, int round) {
  constexpr std::uint64_t operations = 6000;
  boost::asio::io_context io(1);
  PoolOnFile store(bench.database);
  Load load = load_of(bench, workload::write, 64, round);
  load.operations = operations;
  const Measurement measured = run_closed_loop(io, store, load);
  const auto& shares = measured.per_worker;
  const double mean = static_cast<double>(measured.tally.completed) / static_cast<double>(shares.size());
  Values values = values_of(measured, 0);
  values["slowest_share"] = static_cast<double>(*std::ranges::min_element(shares)) / mean;
  bench.results.add("fairness/64 writers", statehouse_name, std::move(values));
}

/// What 64 writers do to 64 readers of the same pool.
void run_interference(const Bench& bench, int round) {
  for (const bool with_writers : {false, true}) {
    boost::asio::io_context io(1);
    PoolOnFile store(bench.database);
    Load load = load_of(bench, workload::read, 64, round);
    if (with_writers) {
      load.kind = workload::halves;
      load.in_flight *= 2;
    }
    Values values = values_of(run_closed_loop(io, store, load), 0);
    if (!with_writers) values["read_p99_us"] = values["p99_us"];
    bench.results.add(with_writers ? "reads/beside 64 writers" : "reads/alone", statehouse_name, std::move(values));
  }
}

}  // namespace statehouse::bench
