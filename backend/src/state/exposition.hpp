#pragma once

#include <array>
#include <charconv>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "statehouse/stats.hpp"

namespace statehouse::detail {

/// Names and values of labels, in the form of the text.
class Labels {
 public:
  Labels(std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
    for (const auto& [name, value] : labels) {
      if (!text_.empty()) text_ += ',';
      text_.append(name).append("=\"");
      for (const char c : value) {
        if (c == '\\' || c == '"' || c == '\n') text_ += '\\';
        text_ += c == '\n' ? 'n' : c;
      }
      text_ += '"';
    }
  }
  std::string_view text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// Prometheus' text format, 0.0.4.
class Exposition {
 public:
  /// All samples of a family follow it.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  template <class Number>
  void sample(const Labels& labels, Number value) {
    line("", labels, "", number(value));
  }
  /// Each bucket counts all that was not longer than its limit.
  void histogram(const Labels& labels, const DurationHistogram& histogram) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
      const bool last = i == histogram.limits.size();
      const std::string limit = last ? "+Inf" : number(seconds(histogram.limits[i]));
      line("_bucket", labels, ",le=\"" + limit + '"', number(count += histogram.counts[i]));
    }
    line("_sum", labels, "", number(seconds(histogram.sum)));
    line("_count", labels, "", number(count));
  }
  std::string take() { return std::move(text_); }

  static double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

 private:
  void line(std::string_view suffix, const Labels& labels, std::string_view more, std::string_view value) {
    text_.append(name_).append(suffix).append("{").append(labels.text()).append(more).append("} ");
    text_.append(value).append("\n");
  }
  template <class Number>
  static std::string number(Number value) {
    std::array<char, 32> digits{};
    return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
  }

  std::string text_;
  std::string_view name_;
};

}  // namespace statehouse::detail
