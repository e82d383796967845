#include "file/backup_series.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "file/advice.hpp"
#include "file/file.hpp"
#include "file/partial_file.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view ending = ".backup";

[[noreturn]] void fail_on_series(int error, const char* what, const fs::path& file) {
  const boost::system::error_code code(error, boost::system::system_category());
  throw Error(code, std::string(what) + " '" + file.string() + "': " + code.message() + ": " + advice(error));
}

/// FNV-1a: it only has to tell the directories of one machine apart, and to be the same for ever.
std::string hash_of(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  std::string digits(8, '0');
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, hash >>= 4)
    *digit = "0123456789abcdef"[hash & 15];
  return digits;
}

/// Of the directory; none where there is no such directory.
std::vector<std::string> regular_files(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (fs::is_regular_file(entry->symlink_status(ignored))) names.push_back(entry->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory)
    fail_on_series(error.value(), "cannot look into the directory of the backups", directory);
  std::ranges::sort(names);
  return names;
}

bool in_use(const fs::path& backup) {
  return identify(backup.string() + "-wal") || identify(backup.string() + "-journal");
}

}  // namespace

BackupSeries::BackupSeries(const fs::path& database, fs::path directory)
    : directory_(std::move(directory)),
      prefix_(database.filename().string() + '.'),
      suffix_('.' + hash_of(database.parent_path().string()) + std::string(ending)) {}

std::optional<UtcTime> BackupSeries::time_of(std::string_view name) const {
  if (name.size() != prefix_.size() + utc_stamp_length + suffix_.size()) return std::nullopt;
  if (!name.starts_with(prefix_) || !name.ends_with(suffix_)) return std::nullopt;
  return parse_utc_stamp(name.substr(prefix_.size(), utc_stamp_length));
}

std::vector<std::string> BackupSeries::names() const {
  std::vector<std::string> names = regular_files(directory_);
  std::erase_if(names, [this](const std::string& name) { return !time_of(name); });
  return names;
}

std::vector<fs::path> BackupSeries::list() const {
  std::vector<fs::path> files;
  for (const std::string& name : names()) files.push_back(directory_ / name);
  return files;
}

UtcTime BackupSeries::made_at(const fs::path& file) const {
  const UtcTime named = time_of(file.filename().string()).value_or(UtcTime::max());
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0) return named;
  const auto since = std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec);
  return std::min(named, UtcTime(std::chrono::floor<UtcTime::duration>(since)));
}

fs::path BackupSeries::next() const {
  auto time = std::chrono::floor<UtcTime::duration>(std::chrono::system_clock::now());
  if (const auto all = names(); !all.empty())
    time = std::max(time, time_of(all.back()).value_or(time) + UtcTime::duration(1));
  return directory_ / (prefix_ + utc_stamp(time) + suffix_);
}

void BackupSeries::remove_half_made() const {
  for (const std::string& name : regular_files(directory_))
    if (time_of(target_of_partial(name))) remove_abandoned(directory_ / name);
}

std::vector<fs::path> BackupSeries::trim(std::size_t keep) const {
  std::vector<fs::path> removed;
  std::vector<fs::path> old = list();
  old.resize(keep == 0 ? 0 : old.size() - std::min(keep, old.size()));
  for (const fs::path& file : old) {
    if (in_use(file)) continue;
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) fail_on_series(errno, "cannot remove the old backup", file);
    removed.push_back(file);
  }
  return removed;
}

}  // namespace statehouse::detail
