#include "sqlite/check.hpp"

#include <sqlite3.h>

#include <algorithm>

#include "base/deadline.hpp"
#include "file/file.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::detail {
namespace {

/// One of SQLite's findings can have several lines.
std::string on_one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

void collect(Reader& connection, std::vector<std::string>& findings) {
  {
    // A row that breaks a CHECK constraint is no damage, and such a constraint may call functions that only the writer
    // has.
    const Session::PermissionScope scope(connection.session(), permission::unrestricted);
    connection.session().prepare("PRAGMA ignore_check_constraints = ON").run_to_completion();
  }
  Statement query = connection.session().prepare("PRAGMA quick_check(5)");
  while (query.step()) {
    auto finding = read_row<std::string>(query);
    if (finding != "ok") findings.push_back(on_one_line(std::move(finding)));
  }
}

}  // namespace

bool has_leftovers(const std::filesystem::path& file) noexcept {
  return file_size_or_zero(file.string() + "-wal") > 0 || file_size_or_zero(file.string() + "-journal") > 0;
}

bool is_damage(const boost::system::error_code& code) noexcept {
  const int primary = code.value() & 0xff;
  return code.category() == sqlite_category() && (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB);
}

QuickCheck quick_check(Reader& connection, std::chrono::milliseconds limit) {
  const auto& interrupter = connection.session().config().interrupter;
  const Interrupter::Limit until(interrupter, deadline(interrupter->clock().now(), limit));
  QuickCheck result;
  try {
    collect(connection, result.findings);
  } catch (const Error& error) {
    if (error.code() == errc::deadline_exceeded) {
      result.finished = false;
    } else if (is_damage(error.code())) {
      result.findings.emplace_back(error.what());
    } else {
      throw;
    }
  }
  return result;
}

}  // namespace statehouse::detail
