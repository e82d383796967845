// A database file from anywhere: the check answers or throws Error, in its time, and leaves the file and its log byte
// for byte. The input is the file; from where a page could end and a write-ahead log begins, it is the log.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>

#include "files.hpp"
#include "fuzz.hpp"
#include "statehouse/check.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using fuzz::require;

namespace {

std::size_t begin_of_log(std::string_view input) {
  constexpr std::size_t smallest_page = 512;
  for (std::size_t at = smallest_page; at < input.size(); at += smallest_page)
    for (const char last : {'\x82', '\x83'})
      if (input.substr(at).starts_with(std::string("\x37\x7f\x06") + last)) return at;
  return input.size();
}

void look_through(const std::filesystem::path& file) {
  try {
    auto db = Connection::for_reading(file);
    for (const std::string& finding : quick_check(db, std::chrono::seconds(2)).findings)
      require(finding.find('\n') == std::string::npos, "a finding is one line", finding);
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const testing::TempDir directory;
  spdlog::set_level(spdlog::level::off);
  const std::string_view input = fuzz::text_of(data, size);
  const std::string_view log = input.substr(begin_of_log(input));
  const std::string_view content = input.substr(0, input.size() - log.size());
  const auto file = directory / "a.db";
  test::write_file(file, content);
  if (!log.empty()) test::write_file(directory / "a.db-wal", log);

  look_through(file);

  require(test::read_file(file) == content, "the file is as it was");
  require(test::read_file(directory / "a.db-wal") == log, "the log is as it was");
  for (const std::string& name : test::names_in(directory.path())) {
    const bool log_is_there = !log.empty() && (name == "a.db-wal" || name == "a.db-shm");
    require(name == "a.db" || log_is_there, "nothing is left beside it", name);
    std::filesystem::remove(directory / name);
  }
  return 0;
}
