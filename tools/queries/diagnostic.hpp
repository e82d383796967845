#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace statehouse::queries {

enum class severity { error, warning };

/// What is to be said of a place in a file of queries.
struct Diagnostic {
  severity weight = severity::error;
  std::string file;
  std::size_t line = 0;    ///< From 1.
  std::size_t column = 0;  ///< From 1, in bytes, as compilers count.
  std::string message;

  /// "queries/context.sql:3:8: error: no such column: documnt", as compilers write it, for whoever reads their output.
  std::string text() const;
};

using Diagnostics = std::vector<Diagnostic>;

bool has_errors(const Diagnostics& diagnostics);

}  // namespace statehouse::queries
