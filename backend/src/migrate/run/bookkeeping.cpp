#include "migrate/run/bookkeeping.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <span>

#include "engine/connection_access.hpp"
#include "engine/scopes.hpp"
#include "statehouse/connection.hpp"
#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

// SQLite keeps this text from the name on, and tools compare it.
constexpr std::string_view columns = R"( (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
))";

// A file may come from anywhere. Nobody has so many migrations, or such long descriptions.
constexpr std::size_t max_rows = 10'000;
constexpr int max_value_bytes = 256 << 10;

bool is_identifier(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto letter_or_digit = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && letter(name.front()) && std::ranges::all_of(name, letter_or_digit);
}

}  // namespace

void check_table_name(const std::string& name) {
  // Identifiers only: the name is kept unquoted in the schema, as sqlx keeps it.
  const bool keyword = sqlite3_keyword_check(name.data(), static_cast<int>(name.size())) != 0;
  const bool reserved = same_ascii(std::string_view(name).substr(0, 7), "sqlite_");
  if (is_identifier(name) && !keyword && !reserved) return;
  throw Error(errc::invalid_name, "'" + name +
                                      "' cannot be a bookkeeping table: use letters, digits and '_', no SQL keyword, "
                                      "nothing that begins with sqlite_ or a digit");
}

void require_no_transaction(const Session& session) {
  if (session.in_transaction())
    session.fail(errc::operation_in_progress, "migrations run in transactions of their own: commit the open one first",
                 {});
}

std::string Bookkeeping::sql(std::string_view before, std::string_view after) const {
  std::string text(before);
  return text.append(" ").append(table_).append(after);
}

bool Bookkeeping::exists() const {
  // Views and virtual tables have no page of their own, and may compute rows without end.
  const auto stored = connection_.query_optional<bool>(
      "SELECT type = 'table' AND rootpage > 0 FROM sqlite_master WHERE type IN ('table', 'view') AND name = ? "
      "COLLATE NOCASE LIMIT 1",
      table_);
  if (stored == false) fail("it is a view or a virtual table");
  return stored.has_value();
}

void Bookkeeping::fail(const std::string& why, const boost::system::error_code& cause) const {
  throw MigrationError(errc::migration_failed,
                       "the table " + table_ + " of this database does not record migrations: " + why +
                           ". Give MigratorOptions another table, or rename this one",
                       {}, {session_of(connection_).database(), {}}, cause);
}

void Bookkeeping::create() const {
  connection_.execute(sql("CREATE TABLE IF NOT EXISTS", columns));
}

// Tables made by hand or by old versions lack the constraints: NULL and text are possible, and read as sqlx does.
std::vector<AppliedMigration> Bookkeeping::read() const {
  return read_rows<AppliedMigration>(
      "SELECT CAST(version AS INTEGER), ifnull(substr(CAST(description AS TEXT), 1, 1000), ''), "
      "ifnull(success = FALSE, FALSE), ifnull(substr(CAST(checksum AS BLOB), 1, 1000), x'') FROM");
}

std::vector<AppliedTime> Bookkeeping::read_times() const {
  return read_rows<AppliedTime>(
      "SELECT CAST(version AS INTEGER), ifnull(substr(CAST(installed_on AS TEXT), 1, 1000), ''), "
      "ifnull(CAST(execution_time AS INTEGER), -1) FROM");
}

template <class Row>
std::vector<Row> Bookkeeping::read_rows(std::string_view select) const {
  if (!exists()) return {};
  const std::string limited = " LIMIT " + std::to_string(max_rows + 1) + ") ORDER BY version";
  std::vector<Row> rows;
  try {
    const LengthScope scope(session_of(connection_), max_value_bytes);
    rows = connection_.query_all<Row>(sql(std::string(select) + " (SELECT * FROM", limited));
  } catch (const Error& error) {
    if (error.code() == make_sqlite_error(SQLITE_TOOBIG))
      fail("a value of it is longer than " + std::to_string(max_value_bytes) + " bytes", error.code());
    if (error.code() != make_sqlite_error(SQLITE_ERROR)) throw;
    fail(session_of(connection_).last_error().text, error.code());
  }
  if (rows.size() > max_rows) fail("it has more than " + std::to_string(max_rows) + " rows");
  return rows;
}

std::int64_t Bookkeeping::data_version() const {
  return connection_.query_one<std::int64_t>("PRAGMA data_version");
}

void Bookkeeping::insert(const Migration& migration) const {
  connection_.execute(
      sql("INSERT INTO", " (version, description, success, checksum, execution_time) VALUES (?, ?, TRUE, ?, -1)"),
      migration.version, migration.description, std::span(migration.checksum));
}

void Bookkeeping::set_execution_time(std::int64_t version, std::int64_t nanoseconds) const {
  connection_.execute(sql("UPDATE", " SET execution_time = ? WHERE version = ?"), nanoseconds, version);
}

void Bookkeeping::update(const Migration& migration) const {
  // What is recorded from now on is not what had no statement.
  connection_.execute(sql("UPDATE",
                          " SET description = ?, success = TRUE, checksum = ?, "
                          "execution_time = iif(execution_time = 0, -1, execution_time) WHERE version = ?"),
                      migration.description, std::span(migration.checksum), migration.version);
}

void Bookkeeping::remove(std::int64_t version) const {
  connection_.execute(sql("DELETE FROM", " WHERE version = ?"), version);
}

}  // namespace statehouse::detail
