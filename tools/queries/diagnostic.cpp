#include "diagnostic.hpp"

#include <algorithm>

namespace statehouse::queries {

std::string Diagnostic::text() const {
  return file + ':' + std::to_string(line) + ':' + std::to_string(column) +
         (weight == severity::error ? ": error: " : ": warning: ") + message;
}

bool has_errors(const Diagnostics& diagnostics) {
  return std::ranges::any_of(diagnostics, [](const Diagnostic& one) { return one.weight == severity::error; });
}

}  // namespace statehouse::queries
