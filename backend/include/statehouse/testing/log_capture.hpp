#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace statehouse::testing {

/// A logger that keeps what it is given, at every level, for `AppStateOptions::logger`. Thread-safety: all functions
/// from any thread. Lifetime: the logger may outlive it.
class LogCapture {
 public:
  /// What was logged at once.
  struct Line {
    spdlog::level::level_enum level;  ///< As the library has rated it.
    std::string text;                 ///< Without time and level.
  };

  /// With no line yet.
  LogCapture() : sink_(std::make_shared<Sink>()), logger_(std::make_shared<spdlog::logger>("test", sink_)) {
    logger_->set_level(spdlog::level::trace);
  }

  /// To be given away.
  const std::shared_ptr<spdlog::logger>& logger() const noexcept { return logger_; }

  /// All so far, oldest first.
  std::vector<Line> lines() const { return sink_->lines(); }
  /// How many lines of that level or above contain `part`.
  std::size_t count(std::string_view part, spdlog::level::level_enum level = spdlog::level::trace) const {
    std::size_t found = 0;
    for (const Line& line : lines())
      if (line.level >= level && line.text.find(part) != std::string::npos) ++found;
    return found;
  }

 private:
  class Sink final : public spdlog::sinks::base_sink<std::mutex> {
   public:
    std::vector<Line> lines() {
      std::lock_guard lock(mutex_);
      return lines_;
    }

   protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
      lines_.push_back({message.level, std::string(message.payload.data(), message.payload.size())});
    }
    void flush_() override {}

   private:
    std::vector<Line> lines_;
  };

  const std::shared_ptr<Sink> sink_;
  const std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace statehouse::testing
