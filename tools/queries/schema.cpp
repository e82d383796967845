#include "schema.hpp"

#include <cstdint>

#include "query_file.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::queries {
namespace {

struct SchemaRow {
  std::string type;
  std::string name;
  std::string table;
  std::int64_t root_page;
};

struct ColumnRow {
  std::string name;
  std::string declared;
  bool not_null;
  std::int64_t key;     // place in the primary key, from 1
  std::int64_t hidden;  // 2: a generated column that is in no record
};

constexpr std::int64_t virtual_column = 2;

/// The primary key where it is the rowid by another name.
bool is_rowid(const std::vector<ColumnRow>& columns, const ColumnRow& column) {
  std::size_t keys = 0;
  for (const ColumnRow& one : columns) keys += one.key > 0 ? 1 : 0;
  return column.key == 1 && keys == 1 && lower(column.declared) == "integer";
}

}  // namespace

Schema::Schema(Connection& connection, const QuerySettings& settings) {
  const auto rows = connection.query_all<SchemaRow>(
      "SELECT type, name, tbl_name, rootpage FROM sqlite_schema WHERE type IN ('table', 'index') ORDER BY type DESC");
  for (const SchemaRow& row : rows) {
    if (row.type == "table") {
      add_table(connection, row.name, static_cast<int>(row.root_page), settings);
    } else {
      add_index(connection, row.name, row.table, static_cast<int>(row.root_page));
    }
  }
}

void Schema::add_table(Connection& connection, const std::string& name, int root_page, const QuerySettings& settings) {
  const auto rows = connection.query_all<ColumnRow>(
      "SELECT name, type, \"notnull\" <> 0, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid", name);
  const bool without_rowid = connection.query_one<std::int64_t>(
                                 "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?", name) != 0;
  Place place;
  auto& columns = tables_[lower(name)];
  for (const ColumnRow& row : rows) {
    const bool rowid = !without_rowid && is_rowid(rows, row);
    const bool nullable = !row.not_null && !rowid;
    columns_.push_back(std::make_unique<Column>(
        Column{name, row.name, type_of_column(name, row.name, row.declared, settings), nullable}));
    const Column* const column = columns_.back().get();
    columns.push_back(column);
    if (rowid) place.rowid = column;
    if (row.hidden != virtual_column) place.record.push_back(column);
  }
  if (!without_rowid && place.rowid == nullptr) {
    columns_.push_back(std::make_unique<Column>(Column{name, "rowid", {"std::int64_t", class_integer}, false}));
    place.rowid = columns_.back().get();
  }
  rowids_[lower(name)] = place.rowid;
  if (root_page == 0) return;  // a virtual table
  places_[root_page] = std::move(place);
  if (!without_rowid) return;
  const auto key = connection.query_one<std::string>("SELECT name FROM pragma_index_list(?) WHERE origin = 'pk'", name);
  add_index(connection, key, name, root_page);
}

void Schema::add_index(Connection& connection, const std::string& name, const std::string& table, int root_page) {
  Place place;
  const auto& columns = tables_[lower(table)];
  for (const auto cid :
       connection.query_all<std::int64_t>("SELECT cid FROM pragma_index_xinfo(?) ORDER BY seqno", name)) {
    const Column* column = nullptr;
    if (cid >= 0) column = columns.at(static_cast<std::size_t>(cid));
    if (cid == -1) column = rowids_[lower(table)];
    place.record.push_back(column);
  }
  places_[root_page] = std::move(place);
}

const std::vector<const Column*>& Schema::record_at(int root_page) const {
  static const std::vector<const Column*> none;
  const auto place = places_.find(root_page);
  return place == places_.end() ? none : place->second.record;
}

const Column* Schema::rowid_at(int root_page) const {
  const auto place = places_.find(root_page);
  return place == places_.end() ? nullptr : place->second.rowid;
}

const Column* Schema::find(std::string_view table, std::string_view column) const {
  const auto found = tables_.find(lower(table));
  if (found == tables_.end()) return nullptr;
  for (const Column* const one : found->second)
    if (lower(one->name) == lower(column)) return one;
  return lower(column) == "rowid" ? rowids_.at(lower(table)) : nullptr;
}

}  // namespace statehouse::queries
