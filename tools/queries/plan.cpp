#include "plan.hpp"

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "program.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::queries {
namespace {

std::vector<std::string> steps_of(sqlite3* database, std::string_view sql) {
  const std::string explain = "EXPLAIN QUERY PLAN " + std::string(sql);
  sqlite3_stmt* prepared = nullptr;
  sqlite3_prepare_v2(database, explain.c_str(), -1, &prepared, nullptr);
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(prepared, &sqlite3_finalize);
  std::vector<std::string> steps;
  std::map<int, std::size_t> depths;
  while (prepared != nullptr && sqlite3_step(prepared) == SQLITE_ROW) {
    const auto parent = depths.find(sqlite3_column_int(prepared, 1));
    const std::size_t depth = parent == depths.end() ? 0 : parent->second + 1;
    depths[sqlite3_column_int(prepared, 0)] = depth;
    steps.push_back(std::string(2 * depth, ' ') + reinterpret_cast<const char*>(sqlite3_column_text(prepared, 3)));
  }
  return steps;
}

std::map<int, std::string> tables_by_page(Connection& connection) {
  struct Row {
    std::int64_t page;
    std::string table;
  };
  std::map<int, std::string> tables;
  for (auto& row : connection.query_all<Row>("SELECT rootpage, tbl_name FROM sqlite_schema WHERE rootpage > 0"))
    tables[static_cast<int>(row.page)] = std::move(row.table);
  return tables;
}

}  // namespace

QueryPlan plan_of(Connection& connection, const Query& query) {
  sqlite3* const database = connection.native().getHandle();
  QueryPlan plan{steps_of(database, query.sql), {}};
  const std::map<int, std::string> tables = tables_by_page(connection);
  std::map<int, int> pages;  // by cursor
  std::set<int> begun;
  std::set<std::string> scanned;
  // min() and max() of an index look like a scan, and end at the first row.
  if (std::ranges::none_of(plan.steps, [](const std::string& step) { return step.find("SCAN ") != step.npos; }))
    return plan;
  // Not the words of the plan, which have a table's other name where it has one.
  for (const Operation& op : program_of(database, query.sql)) {
    if (op.code == "OpenRead" || op.code == "OpenWrite" || op.code == "ReopenIdx") pages[op.p1] = op.p2;
    if (op.code == "Rewind" || op.code == "Last") begun.insert(op.p1);
    const bool goes_on = (op.code == "Next" || op.code == "Prev") && begun.contains(op.p1);
    if (!goes_on && op.code != "Count") continue;
    const auto page = pages.find(op.p1);
    if (page == pages.end()) continue;  // what it made itself
    if (const auto table = tables.find(page->second); table != tables.end()) scanned.insert(table->second);
  }
  plan.scanned.assign(scanned.begin(), scanned.end());
  return plan;
}

Diagnostics scans_of_large_tables(const QueryPlan& plan, const Query& query, const QueryFile& file, std::int64_t most) {
  Diagnostics warnings;
  for (const std::string& table : plan.scanned) {
    const auto rows = file.settings().rows.find(lower(table));
    if (rows == file.settings().rows.end() || rows->second <= most) continue;
    warnings.push_back(
        file.at(query.name_offset,
                "'" + query.name + "' goes through all rows of '" + table + "', about " + std::to_string(rows->second),
                severity::warning));
  }
  return warnings;
}

}  // namespace statehouse::queries
