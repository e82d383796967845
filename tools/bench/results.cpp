#include "results.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace statehouse::bench {
namespace {

void add_latencies(Values& values, const std::string& prefix, const Histogram& latencies) {
  if (latencies.count() == 0) return;
  values[prefix + "p50_us"] = latencies.quantile_us(0.5);
  values[prefix + "p99_us"] = latencies.quantile_us(0.99);
  values[prefix + "p999_us"] = latencies.quantile_us(0.999);
  values[prefix + "max_us"] = latencies.max_us();
}

}  // namespace

std::optional<double> median_of(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void Results::add(const std::string& what, const std::string& system, Values values) {
  auto found = std::ranges::find_if(series_, [&](const Series& s) { return s.what == what && s.system == system; });
  if (found == series_.end()) found = series_.insert(found, {what, system, {}});
  found->rounds.push_back(std::move(values));
}

void Results::leave_out(Gap gap) {
  if (!left_out(gap.what, gap.system)) gaps_.push_back(std::move(gap));
}

bool Results::left_out(std::string_view what, std::string_view system) const {
  return std::ranges::any_of(gaps_, [&](const Gap& gap) { return gap.what == what && gap.system == system; });
}

const Results::Series* Results::find(std::string_view what, std::string_view system) const {
  const auto found =
      std::ranges::find_if(series_, [&](const Series& s) { return s.what == what && s.system == system; });
  return found != series_.end() ? &*found : nullptr;
}

std::optional<double> Results::median(std::string_view what, std::string_view system, const std::string& metric,
                                      double scale) const {
  const Series* const series = find(what, system);
  if (series == nullptr) return std::nullopt;
  std::vector<double> values;
  for (const Values& round : series->rounds)
    if (const auto found = round.find(metric); found != round.end()) values.push_back(found->second * scale);
  return median_of(std::move(values));
}

std::optional<double> Results::sum(std::string_view what, std::string_view system, const std::string& metric) const {
  const Series* const series = find(what, system);
  if (series == nullptr) return std::nullopt;
  double total = 0;
  for (const Values& round : series->rounds)
    if (const auto found = round.find(metric); found != round.end()) total += found->second;
  return total;
}

std::optional<double> Results::median(const Quotient& quotient) const {
  const Series* const over = find(quotient.over_what, quotient.over_system);
  const Series* const under = find(quotient.under_what, quotient.under_system);
  if (over == nullptr || under == nullptr) return std::nullopt;
  std::vector<double> values;
  for (std::size_t i = 0; i < std::min(over->rounds.size(), under->rounds.size()); ++i) {
    const auto above = over->rounds[i].find(quotient.over_metric);
    const auto below = under->rounds[i].find(quotient.under_metric);
    if (above == over->rounds[i].end() || below == under->rounds[i].end() || below->second <= 0) return std::nullopt;
    values.push_back(above->second / below->second);
  }
  return median_of(std::move(values));
}

Values values_of(const Measurement& measurement, std::int64_t resident_kb) {
  const Tally& tally = measurement.tally;
  const auto completed = static_cast<double>(tally.completed);
  const Usage& used = measurement.used;
  const auto per_operation = [&](auto count) { return completed > 0 ? static_cast<double>(count) / completed : NAN; };
  Values values{{"ops_s", completed / measurement.seconds},
                {"cpu_us_per_op", per_operation(used.cpu_seconds * 1e6)},
                {"ops_per_cpu_s", completed / used.cpu_seconds},
                {"voluntary_switches_per_op", per_operation(used.voluntary_switches)},
                {"involuntary_switches_per_op", per_operation(used.involuntary_switches)},
                {"errors", static_cast<double>(tally.errors)},
                {"rss_kb", static_cast<double>(resident_kb)}};
  Histogram all = tally.reads;
  all.add(tally.writes);
  add_latencies(values, "", all);
  if (tally.reads.count() == 0 || tally.writes.count() == 0) return values;
  add_latencies(values, "read_", tally.reads);
  add_latencies(values, "write_", tally.writes);
  return values;
}

std::string to_text(const Values& values) {
  std::ostringstream out;
  for (const auto& [name, value] : values) out << name << ' ' << value << '\n';
  return out.str();
}

Values from_text(const std::string& text) {
  std::istringstream in(text);
  Values values;
  std::string name;
  for (double value = 0; in >> name >> value;) values[name] = value;
  return values;
}

}  // namespace statehouse::bench
