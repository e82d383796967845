// Names of databases and prefixes: what is accepted is one file in the data directory, and one name has one meaning.

#include "statehouse/database_name.hpp"

#include <filesystem>
#include <string>

#include "fuzz.hpp"
#include "statehouse/error.hpp"

using namespace statehouse;
using fuzz::require;

namespace {

void check_inside(const std::string& file) {
  const std::filesystem::path directory = "/data";
  const auto path = directory / file;
  require(path.lexically_normal() == path && path.string() == "/data/" + file, "a name stays in the data directory",
          file);
  for (const std::filesystem::path& each : std::filesystem::path(file)) {
    require(each.native().size() <= 255, "a file of that name can be made", file);
    require(each == path.filename() || !each.string().ends_with(".db"), "no directory is where a file may be", file);
  }
  require(file.ends_with(".db"), "no database's file is another one's -wal", file);
}

bool is_prefix(std::string_view text) {
  try {
    check_prefix(text);
    return true;
  } catch (const Error& error) {
    require(error.code() == errc::invalid_name, "a prefix is refused as a name is");
    return false;
  }
}

void check_refusal(std::string_view text) {
  try {
    DatabaseName::parse_or_throw(text);
    require(false, "both ways of reading a name refuse the same");
  } catch (const Error& error) {
    require(error.code() == errc::invalid_name, "a bad name has its own code");
    for (const char c : std::string_view(error.what())) require(c >= 0x20 && c <= 0x7e, "the message is printable");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [text, prefix] = fuzz::split(fuzz::text_of(data, size), '\n');
  const auto name = DatabaseName::parse(text);
  if (!name) {
    check_refusal(text);
    return 0;
  }
  require(DatabaseName::parse_or_throw(text).view() == name->view(), "both ways of reading a name agree");
  const auto again = DatabaseName::parse(name->view());
  require(again && again->view() == name->view(), "a name's own text is that name");
  const auto with_suffix = DatabaseName::parse(std::string(name->view()) + ".db");
  require(with_suffix && with_suffix->view() == name->view(), "mydb.db is mydb");
  for (const char* const suffix : {".db-wal", ".db-shm", ".db-journal"})
    require(!name->view().ends_with(suffix), "a name is none of SQLite's own files", name->view());
  check_inside(name->file_name(""));
  if (is_prefix(prefix)) check_inside(name->file_name(prefix));
  return 0;
}
