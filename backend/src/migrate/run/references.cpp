#include "migrate/run/references.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>

#include "statehouse/connection.hpp"
#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

std::string in_quotes(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) result += c == '"' ? "\"\"" : std::string(1, c);
  return result + '"';
}

}  // namespace

std::vector<Reference> references_to(Connection& connection, const std::string& parent) {
  return connection.query_all<Reference>(
      R"(SELECT m.name, f.on_delete, group_concat('"' || replace(f."from", '"', '""') || '" IS NOT NULL', ' AND '))"
      " FROM main.sqlite_master AS m JOIN pragma_foreign_key_list(m.name, 'main') AS f"
      R"( WHERE m.type = 'table' AND f."table" = ? COLLATE NOCASE GROUP BY m.name, f.id ORDER BY m.name, f.id)",
      parent);
}

bool has_references(Connection& connection, const std::string& table) {
  return connection.query_one<bool>("SELECT EXISTS (SELECT 1 FROM pragma_foreign_key_list(?, 'main'))", table);
}

std::vector<Reference> taken_with(Connection& connection, const std::string& parent) {
  std::vector<Reference> taken;
  std::set<std::string, AsciiLess> emptied{parent};
  std::vector<std::string> next{parent};
  while (!next.empty()) {
    const std::string table = std::move(next.back());
    next.pop_back();
    for (Reference& reference : references_to(connection, table)) {
      const bool rows = takes_rows(reference);
      if (!rows && !reference.on_delete.starts_with("SET ")) continue;
      if (rows ? !emptied.insert(reference.table).second : emptied.contains(reference.table)) continue;
      if (rows) next.push_back(reference.table);
      taken.push_back(std::move(reference));
    }
  }
  return taken;
}

bool takes_rows(const Reference& reference) {
  return reference.on_delete == "CASCADE";
}

bool names_column(const Reference& reference, std::string_view column) {
  const std::string condition = in_quotes(column) + " IS NOT NULL";
  return !std::ranges::search(reference.refers, condition, {}, ascii_lower, ascii_lower).empty();
}

std::int64_t count_to_lose(Connection& connection, const Reference& reference) {
  const std::string all = "SELECT count(*) FROM main." + in_quotes(reference.table);
  return connection.query_one<std::int64_t>(takes_rows(reference) ? all : all + " WHERE " + reference.refers);
}

Violations::Violations(Connection& connection) {
  const auto tables = connection.query_all<std::string>(
      "SELECT m.name FROM main.sqlite_master AS m WHERE m.type = 'table' AND "
      "EXISTS (SELECT 1 FROM pragma_foreign_key_list(m.name, 'main')) ORDER BY m.name");
  for (const std::string& table : tables) {
    try {
      read_table(connection, table);
    } catch (const Error& error) {  // "foreign key mismatch": the table referred to has no such key
      if (error.code() != make_sqlite_error(SQLITE_ERROR)) throw;
      violations_[table] = {1, "the foreign keys of " + table + " fit no key of the table they refer to"};
    }
  }
}

void Violations::read_table(Connection& connection, const std::string& table) {
  struct Row {
    std::optional<std::int64_t> rowid;
    std::string parent;
    std::int64_t count;
    std::string values;
  };
  // A table without rowids is looked at by numbers alone.
  const bool rowids = !connection.query_one<bool>(
      "SELECT EXISTS (SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND name = ? AND wr)", table);
  const auto keys = connection.query_all<std::tuple<std::int64_t, std::string>>(
      R"(SELECT id, group_concat('quote(r."' || replace("from", '"', '""') || '")', ' || '','' || '))"
      " FROM pragma_foreign_key_list(?, 'main') GROUP BY id",
      table);
  for (const auto& [id, values] : keys) {
    const std::string sql = "SELECT max(v.rowid), v.parent, count(*), " + (rowids ? values : std::string("''")) +
                            " AS refers FROM pragma_foreign_key_check(?, 'main') AS v " +
                            (rowids ? "LEFT JOIN main." + in_quotes(table) + " AS r ON r.rowid = v.rowid " : "") +
                            "WHERE v.fkid = ? GROUP BY v.parent, refers";
    for (const Row& row : connection.query_all<Row>(sql, table, id)) {
      std::string key = table + '\0' + row.parent + '\0' + row.values;
      std::ranges::transform(key, key.begin(), ascii_lower);
      Alike& alike = violations_[std::move(key)];
      alike.count += static_cast<std::size_t>(row.count);
      alike.text = table + (row.rowid ? " rowid " + std::to_string(*row.rowid) : std::string(" (a row)")) +
                   " refers to no row of " + row.parent;
    }
  }
}

Violations Violations::without(const Violations& earlier) const {
  Violations result;
  for (const auto& [key, alike] : violations_) {
    const auto before = earlier.violations_.find(key);
    const std::size_t old = before == earlier.violations_.end() ? 0 : before->second.count;
    if (alike.count > old) result.violations_[key] = {alike.count - old, alike.text};
  }
  return result;
}

std::size_t Violations::count() const noexcept {
  std::size_t sum = 0;
  for (const auto& [key, alike] : violations_) sum += alike.count;
  return sum;
}

std::string Violations::text() const {
  constexpr std::size_t shown = 3;
  std::string text;
  std::size_t number = 0;
  for (const auto& [key, alike] : violations_) {
    if (number++ == shown) return text + ", ...";
    text += (text.empty() ? "" : ", ") + alike.text;
    if (alike.count > 1) text += " (and " + std::to_string(alike.count - 1) + " like it)";
  }
  return text;
}

}  // namespace statehouse::detail
