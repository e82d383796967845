#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "types.hpp"

namespace statehouse {
class Connection;
}

namespace statehouse::queries {

/// A column of a table, or its rowid.
struct Column {
  std::string table;
  std::string name;
  ColumnType type;
  bool nullable = true;
};

/// The tables and indexes of a database as its programs of bytecode know them: by the page where they begin.
class Schema {
 public:
  /// `connection` has the schema; it is only read.
  Schema(Connection& connection, const QuerySettings& settings);

  /// The columns in the order in which records have them; nullptr for one that is an expression. Empty for a page that
  /// is of no table and no index.
  const std::vector<const Column*>& record_at(int root_page) const;
  /// Of a table's page: what its rowid is; nullptr without one.
  const Column* rowid_at(int root_page) const;
  /// By names, in any case; nullptr if there is none.
  const Column* find(std::string_view table, std::string_view column) const;

 private:
  struct Place {
    std::vector<const Column*> record;
    const Column* rowid = nullptr;
  };

  void add_table(Connection& connection, const std::string& name, int root_page, const QuerySettings& settings);
  void add_index(Connection& connection, const std::string& name, const std::string& table, int root_page);

  std::vector<std::unique_ptr<Column>> columns_;
  std::map<std::string, std::vector<const Column*>, std::less<>> tables_;  // by small letters; all columns in order
  std::map<std::string, const Column*, std::less<>> rowids_;
  std::map<int, Place> places_;
};

}  // namespace statehouse::queries
