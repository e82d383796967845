#pragma once

#include <sqlite3.h>

#include <functional>
#include <stdexcept>
#include <vector>

namespace statehouse::test {

/// A virtual table `leaving(a)` that behaves as SQLite's own extensions do when they are stopped: its constructor may
/// fail with an error of its own making, and what it does for a query or a write leaves a statement of its own active.
/// Made anew, as `make` tells, it takes part in everything as if it had been there all along.
///
/// Each function of the test is called in the middle of that, and gives the result code.
struct LeavingTable {
  std::function<int()> on_construction = [] { return SQLITE_OK; };
  std::function<int()> on_query = [] { return SQLITE_OK; };
  std::function<int()> on_write = [] { return SQLITE_OK; };

  /// `leaving` is there without CREATE VIRTUAL TABLE, and is constructed at first use.
  void install(sqlite3* db) {
    if (sqlite3_create_module(db, "leaving", &module(), this) != SQLITE_OK) throw std::runtime_error("cannot register");
  }

 private:
  struct Table {
    sqlite3_vtab base;
    sqlite3* db;
    LeavingTable* self;
    std::vector<sqlite3_stmt*> left;

    /// What FTS5 does with a statement of its own, when that is interrupted at the wrong place.
    void leave_a_statement() {
      sqlite3_stmt* statement = nullptr;
      if (sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_master UNION ALL SELECT 2", -1, &statement, nullptr) !=
          SQLITE_OK)
        return;
      sqlite3_step(statement);
      left.push_back(statement);
    }
  };

  static Table& table(sqlite3_vtab* base) { return *reinterpret_cast<Table*>(base); }

  static const sqlite3_module& module() {
    static const sqlite3_module module = [] {
      sqlite3_module m{};
      m.xConnect = [](sqlite3* db, void* self, int, const char* const*, sqlite3_vtab** out, char**) {
        auto& leaving = *static_cast<LeavingTable*>(self);
        if (const int result = leaving.on_construction(); result != SQLITE_OK) return result;
        *out = &(new Table{.base = {}, .db = db, .self = &leaving, .left = {}})->base;
        return sqlite3_declare_vtab(db, "CREATE TABLE x(a)");
      };
      m.xBestIndex = [](sqlite3_vtab*, sqlite3_index_info*) { return SQLITE_OK; };
      m.xDisconnect = [](sqlite3_vtab* base) {
        for (sqlite3_stmt* statement : table(base).left) sqlite3_finalize(statement);
        delete &table(base);
        return SQLITE_OK;
      };
      m.xOpen = [](sqlite3_vtab*, sqlite3_vtab_cursor** out) {
        *out = new sqlite3_vtab_cursor{};
        return SQLITE_OK;
      };
      m.xClose = [](sqlite3_vtab_cursor* cursor) {
        delete cursor;
        return SQLITE_OK;
      };
      m.xFilter = [](sqlite3_vtab_cursor* cursor, int, const char*, int, sqlite3_value**) {
        table(cursor->pVtab).leave_a_statement();
        return table(cursor->pVtab).self->on_query();
      };
      m.xEof = [](sqlite3_vtab_cursor*) { return 1; };
      m.xNext = [](sqlite3_vtab_cursor*) { return SQLITE_OK; };
      m.xColumn = [](sqlite3_vtab_cursor*, sqlite3_context*, int) { return SQLITE_OK; };
      m.xRowid = [](sqlite3_vtab_cursor*, sqlite3_int64*) { return SQLITE_OK; };
      m.xUpdate = [](sqlite3_vtab* base, int, sqlite3_value**, sqlite3_int64*) {
        table(base).leave_a_statement();
        return table(base).self->on_write();
      };
      return m;
    }();
    return module;
  }
};

}  // namespace statehouse::test
