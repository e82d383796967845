#include "errors.hpp"

#include <sqlite3.h>

#include <string>
#include <string_view>

#include "extensions.hpp"
#include "statehouse/check.hpp"
#include "statehouse/error.hpp"
#include "statehouse/migration.hpp"

namespace statehouse::cli {
namespace {

/// What scripts may tell apart; the library's name of it, if any.
std::string_view kind_of(errc code) {
  switch (code) {
    case errc::invalid_option: return "refused";
    case errc::invalid_name:
    case errc::not_a_regular_file:
    case errc::hard_linked:
    case errc::file_in_use:
    case errc::wal_unavailable:
    case errc::not_supported:
    case errc::unavailable:
    case errc::outcome_unknown:
    case errc::migration_source:
    case errc::migration_none:
    case errc::migration_refused:
    case errc::migration_dirty:
    case errc::migration_missing:
    case errc::migration_mismatch:
    case errc::migration_failed:
    case errc::migration_target:
    case errc::migration_order:
    case errc::migration_pending:
    case errc::migration_recorded: return name_of(code);
    default: return "failed";
  }
}

std::string kind_of(const boost::system::error_code& code) {
  if (code == condition::busy) return "busy";
  if (code.category() == statehouse_category()) return std::string(kind_of(static_cast<errc>(code.value())));
  if (code.category() == sqlite_category()) return is_damage(code) ? "corrupt" : "sqlite";
  return code == boost::system::errc::file_exists                 ? "file_exists"
         : code == boost::system::errc::no_such_file_or_directory ? "not_found"
                                                                  : "system";
}

/// How this tool does what the library advises.
std::string advice(const boost::system::error_code& code, const std::string& version) {
  if (code == condition::busy)
    return ". Wait until that process has ended its transaction and try again, or wait longer with --busy-timeout";
  if (is_damage(code))
    return (code.value() & 0xff) == SQLITE_NOTADB
               ? ". Check the path: this file is of another program, or encrypted"
               : ". Restore a backup, or save what is left with .recover of the sqlite3 shell";
  if (code.category() == sqlite_category() && (code.value() & 0xff) == SQLITE_FULL)
    return ". Make room on the disk, for VACUUM about twice the size of the database, half of it in /var/tmp or "
           "SQLITE_TMPDIR";
  if (code == errc::migration_missing) return " (here: --ignore-missing of run, revert, plan and info)";
  if (code == errc::migration_order) return " (here: leave --strict out)";
  if (code == errc::migration_dirty) return " (here: statehouse migrate repair " + version + ')';
  return {};
}

json::object object_of(std::string_view kind, std::string_view message) {
  return {{"kind", kind}, {"version", nullptr}, {"file", nullptr}, {"line", nullptr}, {"message", message}};
}

Failure failure_of(const Error& error, const std::string& version = {}) {
  const char* const extension = is_missing_extension(error.what()) ? extension_advice : "";
  return {error.code() == errc::invalid_name ? exit_usage : exit_failed,
          object_of(kind_of(error.code()), error.what() + advice(error.code(), version) + extension)};
}

Failure failure_of(const MigrationError& error) {
  const auto version = error.version();
  Failure failure = failure_of(error, version ? std::to_string(*version) : std::string());
  if (version) failure.object["version"] = *version;
  if (!error.file().empty()) failure.object["file"] = error.file();
  if (error.line() != 0) failure.object["line"] = error.line();
  return failure;
}

}  // namespace

Failure describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const UsageError& usage) {
    return {exit_usage, object_of("usage", usage.what())};
  } catch (const Finding& finding) {
    Failure failure{exit_failed, object_of(finding.kind, finding.what())};
    if (!finding.file.empty()) failure.object["file"] = finding.file;
    if (finding.line != 0) failure.object["line"] = finding.line;
    return failure;
  } catch (const MigrationError& migration) {
    return failure_of(migration);
  } catch (const Error& library) {
    return failure_of(library);
  } catch (const std::exception& other) {
    return {exit_failed, object_of("system", other.what())};
  }
}

}  // namespace statehouse::cli
