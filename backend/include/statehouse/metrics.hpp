#pragma once

#include <string>
#include <vector>

#include "statehouse/stats.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

/// What `DbInstances::stats()` gives, for Prometheus: the text of one scrape, version 0.0.4 of the format
/// (https://prometheus.io/docs/instrumenting/exposition_formats/), to be served as `prometheus_content_type`. Labels
/// are logical names of databases and words of closed sets, never a path or SQL. Touches no database.
std::string prometheus_text(const std::vector<DatabaseStats>& databases);

/// The same of many: those that are summed up are `database="_other"`, which is no name of a database. Of them
/// `statehouse_database_state` is how many are in that state; numbers that have no sum, the schema's version, the times
/// of the opening and of the latest backup, have no such sample.
std::string prometheus_text(const StatsSummary& summary);

/// The Content-Type of that text.
inline constexpr const char* prometheus_content_type = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace statehouse
#pragma GCC visibility pop
