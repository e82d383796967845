#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <fcntl.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "core/file.hpp"
#include "database.hpp"
#include "errors.hpp"
#include "migrations.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/sqlite_version.hpp"

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;

void create(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  const bool created = !is_there(file);
  open_to_write(arguments, file);
  output.document()["database"] = file.string();
  output.document()["created"] = created;
  output.line((created ? "created " : "there is already a database ") + file.string(), created ? style::good : style::plain);
}

// --- drop ---

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
    if (code == condition::busy) throw Error(code, "another process has " + what + " open: stop it first");
    throw Error(code, "SQLite cannot tell whether somebody uses " + what + " (" + error.what() +
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
  output.confirm("Delete the database " + file.string() + " (" + size_text(detail::file_size_or_zero(file)) + ')' + "?",
                 arguments.yes);
  {
    std::optional<SoleUse> lock;
    if (!arguments.force) lock.emplace(arguments, file);
    remove_files(file);
  }
  output.document()["dropped"] = true;
  output.line("dropped " + file.string(), style::good);
}

// --- check ---

struct ForeignKeyViolation {
  std::string table;
  std::optional<std::int64_t> rowid;
  std::string parent;
  std::int64_t key;
};

struct Health {
  std::vector<std::string> damage;  ///< What quick_check has found.
  std::vector<ForeignKeyViolation> orphans;
  std::string journal_mode;
  std::int64_t page_size = 0;
  std::int64_t pages = 0;
  std::int64_t free_pages = 0;
  std::uintmax_t file_bytes = 0;
  std::uintmax_t wal_bytes = 0;
};

Health examine(Connection& connection, const fs::path& file) {
  const Progress progress("checking", "");
  Health health;
  health.file_bytes = detail::file_size_or_zero(file);
  health.wal_bytes = detail::file_size_or_zero(file.string() + "-wal");
  // As this PRAGMA can also change something, the reading verbs do not take it.
  health.journal_mode = connection.native().execAndGet("PRAGMA journal_mode").getString();
  health.page_size = connection.query_one<std::int64_t>("PRAGMA page_size");
  health.pages = connection.query_one<std::int64_t>("PRAGMA page_count");
  health.free_pages = connection.query_one<std::int64_t>("PRAGMA freelist_count");
  try {
    health.damage = connection.query_all<std::string>("PRAGMA quick_check");
    if (health.damage == std::vector<std::string>{"ok"}) health.damage.clear();
    health.orphans = connection.query_all<ForeignKeyViolation>("PRAGMA foreign_key_check");
  } catch (const Error& error) {
    if (!is_damage(error.code())) throw;
    health.damage.emplace_back(error.what());  // too damaged to be looked through
  }
  return health;
}

void tell(const Health& health, const SqliteVersion& sqlite, Output& output) {
  json::array damage;
  for (const auto& line : health.damage) damage.emplace_back(line);
  json::array orphans;
  for (const auto& orphan : health.orphans)
    orphans.push_back({{"table", orphan.table},
                       {"rowid", orphan.rowid ? json::value(*orphan.rowid) : json::value()},
                       {"parent", orphan.parent},
                       {"foreign_key", orphan.key}});
  output.document()["quick_check"] = std::move(damage);
  output.document()["foreign_key_check"] = std::move(orphans);
  output.document()["journal_mode"] = health.journal_mode;
  output.document()["file_bytes"] = health.file_bytes;
  output.document()["wal_bytes"] = health.wal_bytes;
  output.document()["page_size"] = health.page_size;
  output.document()["pages"] = health.pages;
  output.document()["free_pages"] = health.free_pages;
  output.document()["sqlite_version"] = sqlite.text;
  output.document()["wal_reset_bug"] = sqlite.wal_reset_bug;
}

/// For people.
Table to_table(const Health& health, const SqliteVersion& sqlite, const fs::path& file) {
  const auto finding = [](std::size_t problems, const char* what) {
    return problems == 0 ? Cell{"ok", style::good} : Cell{count_text(problems, what), style::bad};
  };
  const bool wal = health.journal_mode == "wal";
  Table table;
  table.rows = {
      {{"file"}, {file.string()}},
      {{"size"}, {size_text(health.file_bytes) + ", of it free " +
                  size_text(static_cast<std::uintmax_t>(health.free_pages * health.page_size))}},
      {{"write-ahead log"}, {size_text(health.wal_bytes)}},
      {{"journal mode"}, {health.journal_mode + (wal ? "" : ", becomes wal when statehouse opens it"), wal ? style::plain : style::warning}},
      {{"quick_check"}, finding(health.damage.size(), "problem")},
      {{"foreign_key_check"}, finding(health.orphans.size(), "row without a parent")},
      {{"SQLite"}, {sqlite.text + (sqlite.wal_reset_bug ? ", has the WAL-reset bug: let only the server write and checkpoint "
                                                           "(https://www.sqlite.org/wal.html section 11)"
                                                         : ""),
                    sqlite.wal_reset_bug ? style::warning : style::plain}}};
  for (const auto& line : health.damage) table.rows.push_back({{""}, {line, style::bad}});
  constexpr std::size_t shown = 20;
  for (std::size_t i = 0; i < health.orphans.size() && i < shown; ++i) {
    const auto& orphan = health.orphans[i];
    table.rows.push_back({{""},
                          {orphan.table + (orphan.rowid ? ", rowid " + std::to_string(*orphan.rowid) : "") +
                               ": no such row in " + orphan.parent,
                           style::bad}});
  }
  if (health.orphans.size() > shown) table.rows.push_back({{""}, {"and more: --format json has all"}});
  return table;
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

std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + '\'';
}

}  // namespace

void db_create(const Arguments& arguments, Output& output) { create(arguments, output); }

void db_drop(const Arguments& arguments, Output& output) { drop(arguments, output); }

void db_reset(const Arguments& arguments, Output& output) {
  // The folder is read first: one that is broken must not cost the database.
  const auto migrations = read_migrations(arguments, output, false);
  auto nothing = Connection(":memory:");
  migrations.plan(nothing);
  drop(arguments, output);
  apply(migrations, arguments, output);
}

void db_setup(const Arguments& arguments, Output& output) {
  apply(read_migrations(arguments, output, arguments.ignore_missing), arguments, output);
}

void db_check(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  output.document()["database"] = file.string();
  auto connection = open_to_read(arguments, file);
  const Health health = examine(connection, file);
  const SqliteVersion sqlite = sqlite_version();
  tell(health, sqlite, output);
  output.table(to_table(health, sqlite, file));
  if (!health.damage.empty())
    throw Finding("corrupt", "the database is damaged: keep a copy of all its files, and restore a backup");
  if (!health.orphans.empty())
    throw Finding("foreign_keys", count_text(health.orphans.size(), "row") +
                                      " refer to rows that do not exist: delete them, or insert what is missing");
}

void db_backup(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  const fs::path target = fs::absolute(arguments.target_file).lexically_normal();
  output.document()["database"] = file.string();
  output.document()["backup"] = target.string();
  if (is_there(target) && !arguments.overwrite)
    throw Finding("file_exists", "'" + target.string() + "' exists already: give another name, or --overwrite");
  auto connection = open_to_read(arguments, file);
  Progress watch("copying", "pages");
  BackupOptions options;
  options.overwrite = arguments.overwrite;
  options.on_progress = [&](std::int64_t pages, std::int64_t total) { watch.update(pages, total); };
  const BackupReport report = backup(connection, target, options);
  output.document()["bytes"] = report.bytes;
  output.document()["elapsed_ns"] = report.elapsed.count();
  output.line("copied " + file.string() + " to " + target.string() + " (" +
                  size_text(static_cast<std::uintmax_t>(report.bytes)) + ", " + to_text(report.elapsed) + ", checked)",
              style::good);
}

void db_shell_info(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  if (!is_there(file)) throw Finding("not_found", "there is no database file '" + file.string() + "'");
  const std::string uri = "file:" + percent_encoded(file.string()) + "?mode=ro";
  const std::string reading = "sqlite3 " + shell_quoted(uri);
  const std::string writing = "sqlite3 -cmd '.timeout 3000' -cmd '.dbconfig no_ckpt_on_close on' -cmd 'PRAGMA wal_autocheckpoint=0' "
                              "-cmd 'PRAGMA foreign_keys=ON' " + shell_quoted(file.string());
  output.document()["database"] = file.string();
  output.document()["uri"] = uri;
  output.document()["read_command"] = reading;
  output.document()["write_command"] = writing;
  output.line("To look, beside a running server:\n  " + reading);
  output.line("To write, when it cannot be avoided:\n  " + writing);
  output.line(
      "What it does: waits up to 3 s for a lock, leaves checkpoints to the server, keeps foreign keys as statehouse does.\n"
      "Keep transactions short: the server's writes wait for them. REGEXP is not there in the shell.");
  if (sqlite_version().wal_reset_bug)
    output.line("SQLite " + sqlite_version().text +
                " has the WAL-reset bug: a shell that checkpoints while the server writes can damage the file.", style::warning);
}

}  // namespace statehouse::cli
