#pragma once

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "program.hpp"

namespace statehouse::test {

/// Chromium without a screen, which shows one page until this object goes. The page may ask any server.
class Browser {
 public:
  /// Of the package; empty where it is not installed.
  static std::string program() {
    const char* const place = "/usr/bin/chromium";
    return ::access(place, X_OK) == 0 ? place : std::string();
  }
  /// It shows pages here at all: some containers do not let it make its processes. Leaves what it said in `said`.
  static bool works(const std::filesystem::path& profile, std::string& said) {
    const std::string page = "data:text/html,<p>it works</p>";
    Program trial(words(profile, {"--dump-dom", page}));
    trial.finish();
    said = trial.said();
    return said.find("<p>it works</p>") != std::string::npos;
  }

  Browser(const std::filesystem::path& profile, const std::filesystem::path& page)
      : running_(words(profile, {"--remote-debugging-port=0", "file://" + page.string()})) {}
  /// With all its processes: they write to the profile.
  ~Browser() {
    running_.signal(SIGTERM);
    running_.finish();
  }
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

 private:
  static std::vector<std::string> words(const std::filesystem::path& profile, std::vector<std::string> more) {
    std::vector<std::string> all{program(),
                                 "--headless=new",
                                 "--no-sandbox",  // which root may not have
                                 "--disable-dev-shm-usage",
                                 "--disable-gpu",
                                 "--disable-web-security",
                                 "--no-first-run",
                                 "--log-level=3",
                                 "--user-data-dir=" + profile.string()};
    for (std::string& word : more) all.push_back(std::move(word));
    return all;
  }

  Program running_;
};

}  // namespace statehouse::test
