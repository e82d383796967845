#pragma once

#include <iosfwd>

#include "goals.hpp"
#include "scenario.hpp"

namespace statehouse::bench {

/// Machine, compiler, versions, every round of every measurement and the goals, as one JSON document.
void write_json(std::ostream& out, const Settings& settings, const Results& results, const std::vector<Goal>& goals,
                double load_before);

/// The same for people: medians, then goals.
void print_tables(const Results& results, const std::vector<Goal>& goals);

}  // namespace statehouse::bench
