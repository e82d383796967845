#include "peer.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <sstream>
#include <stdexcept>

#include "command.hpp"
#include "system.hpp"

namespace statehouse::bench {
namespace {

namespace json = boost::json;

/// What a peer says, as a part of a sentence.
std::string quote(const std::string& said) {
  constexpr std::size_t enough = 400;
  std::string text = said.substr(0, said.find_last_not_of(" \t\r\n") + 1);
  if (text.size() > enough) text = text.substr(0, enough) + "...";
  return text.empty() ? "it says nothing" : "it says: " + text;
}

/// The line, member by member.
class Line {
 public:
  /// `said` is all that was printed.
  explicit Line(const std::string& said) : said_(said) {
    boost::system::error_code error;
    const json::value parsed = json::parse(said, error);
    if (error || !parsed.is_object()) fail("not one line with a JSON object");
    members_ = parsed.as_object();
  }

  double number(const char* member) const {
    const json::value* const found = members_.if_contains(member);
    if (found == nullptr || !found->is_number()) fail("no number " + std::string(member));
    const auto value = found->to_number<double>();
    if (value < 0) fail(std::string(member) + " is negative");
    return value;
  }
  /// What not every peer knows of itself.
  std::optional<double> known(const char* member) const {
    if (!members_.contains(member)) return std::nullopt;
    return number(member);
  }
  [[noreturn]] void fail(const std::string& what) const { throw std::runtime_error(what + "; " + quote(said_)); }

 private:
  const std::string said_;
  json::object members_;
};

/// Its memory is not among them: ours is what a system adds to this process, a peer's all that a process has.
Values values_of(const Line& line, double operations) {
  if (line.number("n") != operations) line.fail("n is not the number of operations that was asked for");
  const double seconds = line.number("secs");
  if (seconds <= 0) line.fail("secs is 0");
  Values values{{"ops_s", operations / seconds}, {"errors", 0}};
  for (const char* const latency : {"p50_us", "p99_us", "max_us"}) values[latency] = line.number(latency);
  if (values["p50_us"] > values["p99_us"] || values["p99_us"] > values["max_us"])
    line.fail("p50, p99 and max are not in order");
  if (const auto latency = line.known("p999_us")) values["p999_us"] = *latency;
  if (const auto cpu = line.known("cpu_s"); cpu && *cpu > 0) {
    values["cpu_us_per_op"] = *cpu * 1e6 / operations;
    values["ops_per_cpu_s"] = operations / *cpu;
  }
  for (const char* const switches : {"voluntary_switches", "involuntary_switches"})
    if (const auto count = line.known(switches)) values[std::string(switches) + "_per_op"] = *count / operations;
  return values;
}

Values run(const Peer& peer, const PeerLoad& load, std::uint64_t operations) {
  std::vector<std::string> words{"env", "STATEHOUSE_KEYS=" + keys_file(load.database).string()};
  words.insert(words.end(), peer.command.begin(), peer.command.end());
  words.insert(words.end(), {name_of(load.kind), load.database.string(), std::to_string(load.in_flight),
                             std::to_string(operations)});
  // Beyond what a busy machine, a warm-up and a wrong guess explain together.
  const Outcome outcome = run_command(std::move(words), std::chrono::seconds(20) + 100 * load.duration);
  if (!outcome.failure.empty()) throw std::runtime_error(outcome.failure + "; " + quote(outcome.errors));
  const Line line(outcome.output);
  if (const double errors = line.number("errors"); errors != 0)
    throw std::runtime_error(std::to_string(static_cast<std::uint64_t>(errors)) + " errors; " + quote(outcome.errors));
  return values_of(line, static_cast<double>(operations));
}

/// Of ever longer runs, the first that takes a quarter of the time.
double find_rate(const Peer& peer, const PeerLoad& load) {
  constexpr std::uint64_t most = 100'000'000;
  const double enough = std::chrono::duration<double>(load.duration).count() / 4;
  for (std::uint64_t operations = 20 * static_cast<std::uint64_t>(load.in_flight);; operations *= 10) {
    const double rate = run(peer, load, operations).at("ops_s");
    if (static_cast<double>(operations) / rate >= enough || operations >= most) return rate;
  }
}

bool is_ours(const std::string& name) {
  const std::vector<SystemKind> systems = pooled_systems();
  return name == c_api_name || name == statehouse_inline_name ||
         std::ranges::find(systems, name, &SystemKind::name) != systems.end();
}

}  // namespace

std::vector<Peer> peers_of(const std::vector<std::string>& texts) {
  std::vector<Peer> peers;
  for (const std::string& text : texts) {
    const std::size_t equals = std::min(text.find('='), text.size());
    Peer peer{text.substr(0, equals), {}};
    std::istringstream words(text.substr(std::min(equals + 1, text.size())));
    for (std::string word; words >> word;) peer.command.push_back(word);
    if (peer.name.empty() || peer.command.empty())
      throw std::invalid_argument("--peer '" + text + "': expected NAME=COMMAND, as in sqlx='/opt/peers/sqlx --fast'");
    if (is_ours(peer.name) || std::ranges::find(peers, peer.name, &Peer::name) != peers.end())
      throw std::invalid_argument("--peer '" + text + "': another system has this name");
    peers.push_back(std::move(peer));
  }
  return peers;
}

Values measure_peer(const Peer& peer, const PeerLoad& load, std::optional<double> rate) {
  if (!rate) rate = find_rate(peer, load);
  const double operations = *rate * std::chrono::duration<double>(load.duration).count();
  return run(peer, load, std::max<std::uint64_t>(static_cast<std::uint64_t>(operations), 1));
}

}  // namespace statehouse::bench
