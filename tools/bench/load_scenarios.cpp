#include <malloc.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <functional>
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

/// What a peer has failed at once it is not asked again: the rounds that went well would be a choice.
void measure(const Bench& bench, const Cell& cell, const Peer& peer) {
  Results& results = bench.results;
  const std::string what = name_of(cell);
  if (cell.synchronous == durability::full) results.leave_out({what, peer.name, "a peer is not told when to sync"});
  if (results.left_out(what, peer.name)) return;
  try {
    const PeerLoad load{cell.kind, bench.database, cell.in_flight, bench.settings.duration};
    results.add(what, peer.name, measure_peer(peer, load, results.median(what, peer.name, "ops_s")));
  } catch (const std::runtime_error& failure) {
    std::cerr << "statehouse-bench: " << what << ", peer " << peer.name << ": " << failure.what() << '\n';
    results.leave_out({what, peer.name, failure.what(), true});
  }
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

/// All that can be asked by many at a time, in turn. Every other round the other way round: whoever comes first has no
/// lasting advantage.
void measure_all(const Bench& bench, const Cell& cell, int round) {
  std::vector<SystemKind> systems = pooled_systems();
  if (bench.settings.brief) systems.resize(2);  // ours and the hand-written pool
  std::vector<std::function<void()>> turns;
  for (const SystemKind& system : systems) turns.emplace_back([&] { measure(bench, cell, system, round); });
  for (const Peer& peer : bench.settings.peers) turns.emplace_back([&] { measure(bench, cell, peer); });
  if (round % 2 != 0) std::ranges::reverse(turns);
  for (const auto& turn : turns) turn();
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
      for (const int depth : depths) measure_all(bench, {kind, synchronous, depth}, round);
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
