#include "logging.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace statehouse::bench {

void log_errors_only() {
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("statehouse", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  spdlog::set_level(spdlog::level::err);
}

}  // namespace statehouse::bench
