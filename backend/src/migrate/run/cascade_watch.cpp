#include "migrate/run/cascade_watch.hpp"

namespace statehouse::detail {

CascadeWatch::CascadeWatch(Connection& connection, const ScriptPlan::Watched& watched)
    : connection_(connection), watched_(watched) {
  for (const Reference& reference : watched_.taken) before_.push_back(count_to_lose(connection_, reference));
}

std::string CascadeWatch::lost() const {
  std::string text;
  for (std::size_t i = 0; i < before_.size(); ++i) {
    const Reference& reference = watched_.taken[i];
    const std::int64_t count = before_[i] - count_to_lose(connection_, reference);
    if (count <= 0) continue;
    text += (text.empty() ? "" : ", ") + std::string(takes_rows(reference) ? "" : "references of ") +
            std::to_string(count) + (count == 1 ? " row of " : " rows of ") + reference.table;
  }
  return text;
}

}  // namespace statehouse::detail
