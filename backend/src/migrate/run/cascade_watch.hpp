#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "migrate/run/script_plan.hpp"

namespace statehouse::detail {

/// What one DROP TABLE takes from other tables by their foreign keys: what there is before, against what is left.
class CascadeWatch {
 public:
  CascadeWatch(Connection& connection, const ScriptPlan::Watched& watched);

  /// "3 rows of task, references of 2 rows of note"; empty when nothing is lost.
  std::string lost() const;

 private:
  Connection& connection_;
  const ScriptPlan::Watched& watched_;
  std::vector<std::int64_t> before_;  // by `watched_.taken`
};

}  // namespace statehouse::detail
