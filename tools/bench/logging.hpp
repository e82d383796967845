#pragma once

namespace statehouse::bench {

/// From here on spdlog's default logger writes errors only, and to stderr: stdout is for results.
void log_errors_only();

}  // namespace statehouse::bench
