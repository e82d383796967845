#include "statehouse/check.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/deadline.hpp"
#include "engine/connection_access.hpp"
#include "engine/scopes.hpp"
#include "file/file.hpp"

namespace statehouse {
namespace {

/// One of SQLite's findings can have several lines.
std::string on_one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

/// Puts PRAGMA ignore_check_constraints back to what it was.
class ConstraintScope {
 public:
  explicit ConstraintScope(detail::Session& session)
      : session_(session), permissions_(session, detail::permission::unrestricted) {
    const auto present = session_.prepare("PRAGMA ignore_check_constraints");
    outer_ = present->step() && detail::read_row<bool>(*present);
  }
  ~ConstraintScope() {
    const detail::Interrupter::Shield shield(session_.interrupter());
    // Also where SQLite has rolled back what the check ran in, for want of memory or a disk.
    const bool expected = std::exchange(session_.rules().expects_transaction, false);
    try {
      ignore(outer_);
    } catch (const Error&) {  // it has taken effect when it was compiled
    }
    session_.rules().expects_transaction = expected;
  }
  ConstraintScope(const ConstraintScope&) = delete;
  ConstraintScope& operator=(const ConstraintScope&) = delete;

  /// Not a kept statement, since it takes effect when it is compiled.
  void ignore(bool constraints) {
    session_.run_next(constraints ? "PRAGMA ignore_check_constraints = ON" : "PRAGMA ignore_check_constraints = OFF",
                      0);
  }

 private:
  detail::Session& session_;
  const detail::PermissionScope permissions_;
  bool outer_ = false;
};

/// Adds what it finds, as long as SQLite can go on.
void add_findings(std::string_view check, detail::Session& session, std::vector<std::string>& findings) {
  const auto query = session.prepare(check);
  while (query->step()) {
    auto finding = detail::read_row<std::string>(*query);
    if (finding != "ok") findings.push_back(on_one_line(std::move(finding)));
  }
}

void collect(detail::Session& session, std::vector<std::string>& findings) {
  ConstraintScope constraints(session);
  // A row that breaks one is no damage, and one may call functions that only the writer has.
  constraints.ignore(true);
  add_findings("PRAGMA quick_check(5)", session, findings);
  if (findings.empty()) return;
  // SQLite 3.40 finds a NULL in a whole table WITHOUT ROWID whose key is in another order than its columns. The long
  // check does not, and finds all else.
  std::vector<std::string> confirmed;
  add_findings("PRAGMA integrity_check(5)", session, confirmed);
  findings = std::move(confirmed);
}

}  // namespace

bool has_leftovers(const std::filesystem::path& file) noexcept {
  return detail::file_size_or_zero(file.string() + "-wal") > 0 ||
         detail::file_size_or_zero(file.string() + "-journal") > 0;
}

bool is_damage(const boost::system::error_code& code) noexcept {
  const int primary = code.value() & 0xff;
  return code.category() == sqlite_category() && (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB);
}

QuickCheck quick_check(Reader& connection, TimeLimit limit) {
  detail::Session& session = detail::session_of(connection);
  const auto& interrupter = session.context().interrupter;
  const detail::Interrupter::Limit until(interrupter, detail::deadline(interrupter->clock().now(), limit));
  QuickCheck result;
  try {
    collect(session, result.findings);
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

}  // namespace statehouse
