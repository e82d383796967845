#include "statehouse/database_files.hpp"

#include <algorithm>
#include <optional>
#include <system_error>

#include "state/name_pattern.hpp"
#include "statehouse/database_name.hpp"
#include "statehouse/error.hpp"

namespace statehouse {
namespace {

namespace fs = std::filesystem;

class Search {
 public:
  Search(const fs::path& data_dir, std::string_view pattern, std::string_view prefix)
      : data_dir_(data_dir),
        pattern_(detail::NamePattern::parse_or_throw(pattern)),
        prefix_(prefix.empty() ? std::string() : std::string(prefix) + '_') {}

  /// `directory`: relative to the data directory, with a `/` at its end, or empty.
  void look_into(const std::string& directory) {
    std::error_code error;
    fs::directory_iterator entry(data_dir_ / directory, error);
    for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      std::error_code ignored;
      const auto type = entry->symlink_status(ignored).type();
      if (type == fs::file_type::regular) add(directory, name);
      if (type == fs::file_type::directory) enter(directory + name);
    }
    if (!error || error == std::errc::no_such_file_or_directory) return;
    throw Error(error, "cannot look for databases in '" + (data_dir_ / directory).string() + "': " + error.message());
  }
  std::vector<std::string> take() {
    std::ranges::sort(names_);
    return std::move(names_);
  }

 private:
  void enter(const std::string& directory) {
    if (DatabaseName::parse(directory + "/x") && pattern_.matches_below(directory)) look_into(directory + '/');
  }
  void add(const std::string& directory, std::string_view file) {
    if (!file.ends_with(".db") || !file.starts_with(prefix_)) return;
    const auto name = DatabaseName::parse(directory + std::string(file.substr(prefix_.size())));
    if (name && pattern_.matches(name->view())) names_.emplace_back(name->view());
  }

  const fs::path& data_dir_;
  const detail::NamePattern pattern_;
  const std::string prefix_;
  std::vector<std::string> names_;
};

}  // namespace

std::vector<std::string> find_databases(const fs::path& data_dir, std::string_view pattern, std::string_view prefix) {
  check_prefix(prefix);
  Search search(data_dir, pattern, prefix);
  search.look_into({});
  return search.take();
}

}  // namespace statehouse
