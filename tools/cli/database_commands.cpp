#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "arguments.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "migrations.hpp"
#include "output.hpp"
#include "statehouse/sqlite_version.hpp"

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;

// --- drop ---

/// What file permissions say to "unable to open database file"; nothing when they are no hindrance.
std::string explanation(const fs::path& file) {
  for (const char* const suffix : {"", "-wal", "-shm"}) {
    const fs::path path = file.string() + suffix;
    if (::access(path.c_str(), R_OK | W_OK) != 0 && errno != ENOENT)
      return "; '" + path.filename().string() + "': " + std::generic_category().message(errno);
  }
  return {};
}

/// A lock on the whole database that nobody gets while another process has it open: in WAL mode, every connection keeps
/// a shared lock on the file until it is closed, so that SQLite refuses to leave the mode.
class SoleUse {
 public:
  SoleUse(const Arguments& arguments, const fs::path& file) try
      : database_(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_NOFOLLOW) {
    database_.setBusyTimeout(static_cast<int>(arguments.busy_timeout.count()));
    database_.exec("PRAGMA locking_mode = EXCLUSIVE");
    database_.exec("PRAGMA journal_mode = DELETE");
    database_.exec("BEGIN EXCLUSIVE");
  } catch (const SQLite::Exception& error) {
    const auto code = make_sqlite_error(error.getExtendedErrorCode());
    const std::string what = '\'' + file.string() + '\'';
    if (code == condition::busy) throw Finding("busy", "another process has " + what + " open: stop it first");
    throw Error(code, "SQLite cannot tell whether somebody uses " + what + " (" + error.what() + explanation(file) +
                          "). Make sure that nobody does, then give --force");
  }

 private:
  SQLite::Database database_;
};

/// Main file last: whatever is left by a kill in between is then a database, not a log that a new one would take up.
void remove_files(const fs::path& file) {
  for (const char* const suffix : {"-journal", "-wal", "-shm", ""}) {
    const fs::path path = file.string() + suffix;
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) continue;
    const boost::system::error_code code(errno, boost::system::system_category());
    throw Error(code, "cannot remove '" + path.string() + "': " + code.message());
  }
}

void drop(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  const bool exists = is_there(file);
  output.document()["database"] = file.string();
  output.document()["dropped"] = exists;
  if (!exists) return output.line("there is no database " + file.string());
  if (!fs::is_regular_file(fs::symlink_status(file)))
    throw Error(errc::not_a_regular_file, "'" + file.string() + "' is not a regular file, so it is left alone");
  output.document()["dropped"] = false;
  output.confirm("Delete the database " + file.string() + " (" + size_text(size_of(file)) + ')' + "?", arguments.yes);
  {
    std::optional<SoleUse> lock;
    if (!arguments.force) lock.emplace(arguments, file);
    remove_files(file);
  }
  output.document()["dropped"] = true;
  output.line("dropped " + file.string(), style::good);
}

// --- shell-info ---

/// As a URI has it.
std::string percent_encoded(const std::string& path) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
  std::string text;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (plain.find(c) != std::string_view::npos) {
      text += c;
    } else {
      text += '%';
      text += "0123456789ABCDEF"[byte >> 4];
      text += "0123456789ABCDEF"[byte & 15];
    }
  }
  return text;
}

}  // namespace

void db_create(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  const bool created = !is_there(file);
  open_to_write(arguments, file);
  output.document()["database"] = file.string();
  output.document()["created"] = created;
  output.line((created ? "created " : "there is already a database ") + file.string(),
              created ? style::good : style::plain);
}

void db_drop(const Arguments& arguments, Output& output) {
  drop(arguments, output);
}

void db_reset(const Arguments& arguments, Output& output) {
  // The folder is read first: one that is broken must not cost the database.
  const auto migrations = read_migrations(arguments, output, false);
  auto nothing = open_nothing(database_file(arguments));
  migrations.plan(nothing);
  drop(arguments, output);
  apply(migrations, arguments, output);
}

void db_setup(const Arguments& arguments, Output& output) {
  apply(read_migrations(arguments, output, arguments.ignore_missing), arguments, output);
}

void db_shell_info(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  require_file(file);
  const std::string uri = "file:" + percent_encoded(file.string()) + "?mode=ro";
  const std::string reading = "sqlite3 " + in_shell_quotes(uri);
  const std::string writing = "sqlite3 -cmd '.timeout " + std::to_string(arguments.busy_timeout.count()) +
                              "' -cmd '.dbconfig no_ckpt_on_close on' -cmd 'PRAGMA wal_autocheckpoint=0' "
                              "-cmd 'PRAGMA foreign_keys=ON' " +
                              in_shell_quotes(file.string());
  output.document()["database"] = file.string();
  output.document()["uri"] = uri;
  output.document()["read_command"] = reading;
  output.document()["write_command"] = writing;
  output.line("To look, beside a running server:\n  " + reading);
  output.line("To write, when it cannot be avoided:\n  " + writing);
  output.line("What it does: waits up to " + to_text(arguments.busy_timeout) +
              " for a lock, leaves checkpoints to the server, keeps foreign keys as statehouse "
              "does.\n"
              "Keep transactions short: the server's writes wait for them. REGEXP is not there in the shell.");
  if (sqlite_version().wal_reset_bug)
    output.line("SQLite " + sqlite_version().text +
                    " has the WAL-reset bug: a shell that checkpoints while the server writes can damage the file.",
                style::warning);
}

}  // namespace statehouse::cli
