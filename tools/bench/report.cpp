#include "report.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>
#include <sqlite3.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include <algorithm>
#include <boost/json.hpp>
#include <boost/version.hpp>
#include <chrono>
#include <fstream>
#include <ostream>
#include <thread>

namespace statehouse::bench {
namespace {

namespace json = boost::json;

std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string file_system_of(const std::filesystem::path& directory) {
  struct statfs facts {};
  if (::statfs(directory.c_str(), &facts) != 0) return "unknown";
  switch (facts.f_type) {
    case 0xEF53: return "ext4";
    case 0x58465342: return "xfs";
    case 0x9123683E: return "btrfs";
    case 0x01021994: return "tmpfs (memory: syncs cost nothing)";
    case 0x794C7630: return "overlayfs";
    default: return fmt::format("type {:#x}", facts.f_type);
  }
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

json::object describe_machine(const Settings& settings, double load_before) {
  utsname system{};
  ::uname(&system);
  const std::string release(system.release);
  return {{"processor", processor()},
          {"cores", std::thread::hardware_concurrency()},
          {"kernel", system.sysname + (" " + release.substr(0, release.find('-')))},
          {"file_system", file_system_of(settings.directory)},
          {"compiler", "GCC " __VERSION__},
          {"build_type", STATEHOUSE_BENCH_BUILD_TYPE},
          {"boost", BOOST_LIB_VERSION},
          {"sqlite", sqlite3_libversion()},
          {"date", today()},
          {"load_average_before", load_before},
          {"seed", settings.seed},
          {"rounds", settings.rounds},
          {"milliseconds_per_measurement", settings.duration.count()}};
}

/// Of every metric that any round has.
Values medians(const Results::Series& series) {
  std::map<std::string, std::vector<double>> all;
  for (const Values& round : series.rounds)
    for (const auto& [metric, value] : round) all[metric].push_back(value);
  Values result;
  for (auto& [metric, values] : all) result[metric] = *median_of(std::move(values));
  return result;
}

json::array to_json(const Results& results) {
  json::array array;
  for (const Results::Series& series : results.series()) {
    json::array rounds;
    for (const Values& round : series.rounds) rounds.push_back(json::value_from(round));
    array.push_back({{"what", series.what},
                     {"system", series.system},
                     {"median", json::value_from(medians(series))},
                     {"rounds", std::move(rounds)}});
  }
  return array;
}

json::array to_json(const std::vector<Peer>& peers) {
  json::array array;
  for (const Peer& peer : peers)
    array.push_back({{"name", peer.name}, {"command", fmt::format("{}", fmt::join(peer.command, " "))}});
  return array;
}

json::array to_json(const std::vector<Results::Gap>& gaps) {
  json::array array;
  for (const Results::Gap& gap : gaps)
    array.push_back({{"what", gap.what}, {"system", gap.system}, {"why", gap.why}, {"failed", gap.failed}});
  return array;
}

json::array to_json(const std::vector<Goal>& goals) {
  json::array array;
  for (const Goal& goal : goals)
    array.push_back({{"what", goal.what},
                     {"measure", goal.measure},
                     {"direction", goal.at_least ? ">=" : "<="},
                     {"target", goal.target},
                     {"reached", goal.reached ? json::value(*goal.reached) : json::value(nullptr)},
                     {"met", goal.met()}});
  return array;
}

constexpr const char* row_format = "{:<22} {:<18} {:>9} {:>9} {:>9} {:>9} {:>10} {:>7} {:>8} {:>6} {:>8}\n";

void print_row(const std::string& what, const std::string& system, const Values& values) {
  if (!values.contains("ops_s")) return;
  const auto get = [&](const char* metric, int digits) {
    const auto found = values.find(metric);
    return found != values.end() ? fmt::format("{:.{}f}", found->second, digits) : "-";
  };
  fmt::print(row_format, what, system, get("ops_s", 0), get("p50_us", 1), get("p99_us", 1), get("p999_us", 1),
             get("max_us", 1), get("cpu_us_per_op", 2), get("voluntary_switches_per_op", 3), get("errors", 0),
             get("rss_kb", 0));
}

}  // namespace

void write_json(std::ostream& out, const Settings& settings, const Results& results, const std::vector<Goal>& goals,
                double load_before) {
  const json::object document{{"machine", describe_machine(settings, load_before)},
                              {"peers", to_json(settings.peers)},
                              {"results", to_json(results)},
                              {"not_measured", to_json(results.gaps())},
                              {"goals", to_json(goals)}};
  out << json::serialize(document) << '\n';
}

void print_tables(const Results& results, const std::vector<Goal>& goals) {
  fmt::print(row_format, "load", "system", "ops/s", "p50 us", "p99 us", "p99.9 us", "max us", "CPU us", "switches",
             "errors", "RSS KB");
  for (const Results::Series& series : results.series()) print_row(series.what, series.system, medians(series));
  for (const Results::Gap& gap : results.gaps())
    fmt::print("{:<22} {:<18} not measured: {}\n", gap.what, gap.system, gap.why);
  fmt::print("\n");
  for (const Results::Series& series : results.series()) {
    const Values values = medians(series);
    if (values.contains("ops_s") && !values.contains("slowest_share")) continue;
    fmt::print("{}, {}:", series.what, series.system);
    for (const auto& [metric, value] : values) fmt::print(" {} {:.4g}", metric, value);
    fmt::print("\n");
  }
  fmt::print("\n{:<30} {:<42} {:>9} {:>9}\n", "goal", "ours, compared with", "target", "reached");
  for (const Goal& goal : goals)
    fmt::print("{:<30} {:<42} {} {:>6} {:>9}  {}\n", goal.what, goal.measure, goal.at_least ? ">=" : "<=", goal.target,
               goal.reached ? fmt::format("{:.3g}", *goal.reached) : "-",
               !goal.reached ? "not measured"
               : goal.met()  ? "met"
                             : "MISSED");
}

}  // namespace statehouse::bench
