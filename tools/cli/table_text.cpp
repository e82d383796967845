#include "table_text.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>

#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>
#include <cstdint>
#include <optional>
#include <utility>

#include "output.hpp"
#include "statehouse/error.hpp"

namespace statehouse::cli {
namespace {

struct ColumnFact {
  std::string name;
  int hidden;  ///< 0: an ordinary one; others are computed, or a virtual table's own.
  int key;     ///< Its place in the primary key, from 1.
};

/// The name by which the rowid can be had, or nothing where it has none.
std::string name_of_rowid(const std::vector<ColumnFact>& columns) {
  for (const char* const name : {"rowid", "_rowid_", "oid"}) {
    const auto same = [&](const ColumnFact& column) { return boost::algorithm::iequals(column.name, name); };
    if (std::ranges::none_of(columns, same)) return name;
  }
  return {};
}

/// The rows of a statement with one column of text.
class Rows {
 public:
  Rows(Connection& database, const std::string& sql) : statement_(database.native(), sql) {}

  /// Until the next call; nothing at the end.
  std::optional<std::string_view> next() {
    if (!statement_.executeStep()) return std::nullopt;
    const SQLite::Column row = statement_.getColumn(0);
    return std::string_view(row.getText(), static_cast<std::size_t>(row.getBytes()));
  }

 private:
  SQLite::Statement statement_;
};

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += between;
    text += part;
  }
  return text;
}

}  // namespace

std::string name_in_sql(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + '"';
}

TableText::TableText(Connection& database, std::string name) : name_(std::move(name)) {
  auto columns =
      database.query_all<ColumnFact>("SELECT name, hidden, pk FROM pragma_table_xinfo(?) ORDER BY cid", name_);
  const bool has_rowid =
      database.query_one<int>("SELECT NOT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?", name_) != 0;
  const std::string rowid = has_rowid ? name_of_rowid(columns) : std::string();
  if (!rowid.empty()) columns_.push_back(rowid);
  for (const ColumnFact& column : columns)
    if (column.hidden == 0) columns_.push_back(name_in_sql(column.name));
  std::erase_if(columns, [](const ColumnFact& column) { return column.key == 0; });
  std::ranges::sort(columns, {}, &ColumnFact::key);
  std::vector<std::string> order;
  for (const ColumnFact& column : columns) order.push_back(name_in_sql(column.name));
  if (!rowid.empty()) order = {rowid};
  order_ = order.empty() ? "" : " ORDER BY " + joined(order, ", ");
}

std::string TableText::insert() const {
  return "INSERT INTO " + name_in_sql(name_) + '(' + joined(columns_, ", ") + ") VALUES ";
}

std::string TableText::select() const {
  std::vector<std::string> values;
  values.reserve(columns_.size());
  for (const std::string& column : columns_)  // an infinite number is written as a word that is none
    values.push_back("CASE WHEN typeof(" + column + ") = 'real' AND abs(" + column + ") = 9e999 THEN iif(" + column +
                     " > 0, '9e999', '-9e999') ELSE quote(" + column + ") END");
  return "SELECT '(' || " + joined(values, " || ',' || ") + " || ')' FROM " + name_in_sql(name_) + order_;
}

void TableText::for_each_row(Connection& database, const std::function<void(std::string_view)>& take) const {
  try {
    Rows rows(database, select());
    while (const auto row = rows.next()) take(*row);
  } catch (const SQLite::Exception& error) {
    throw Error(make_sqlite_error(error.getExtendedErrorCode()),
                "table " + name_ + " cannot be read: " + error.what() + ": look by 'statehouse db check'");
  }
}

bool TableText::is_same(Connection& one, Connection& other) const {
  try {
    Rows rows(one, select());
    Rows others(other, select());
    for (;;) {
      const auto row = rows.next();
      if (row != others.next()) return false;
      if (!row) return true;
    }
  } catch (const SQLite::Exception&) {
    return false;
  }
}

void TableText::refuse_nul(Connection& database) const {
  for (const std::string& column : columns_) {
    const auto count =
        database.query_one<std::int64_t>("SELECT count(*) FROM " + name_in_sql(name_) + " WHERE typeof(" + column +
                                         ") = 'text' AND instr(" + column + ", char(0)) > 0");
    if (count > 0)
      throw Finding("not_supported", "table " + name_ + ", column " + column + ": " +
                                         count_text(static_cast<std::size_t>(count), "text") +
                                         " with a NUL byte, where a node would end it: make it a blob first, UPDATE " +
                                         name_in_sql(name_) + " SET " + column + " = CAST(" + column +
                                         " AS BLOB) WHERE instr(" + column + ", char(0)) > 0");
  }
}

}  // namespace statehouse::cli
