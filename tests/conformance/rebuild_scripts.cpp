#include "rebuild_scripts.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace statehouse::test {
namespace {

using kind = ScriptStatement::kind;

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  RandomScript run() {
    make_schema();
    const int pieces = 1 + random_.below(3);
    if (random_.one_in(12)) add({kind::defer, "PRAGMA defer_foreign_keys = ON"});
    if (random_.one_in(6)) add({kind::neutral, "PRAGMA foreign_keys = OFF"});
    for (int i = 0; i < pieces; ++i) add_piece();
    if (random_.one_in(10)) wrap_in_commit();
    return std::move(result_);
  }

 private:
  struct Table {
    std::string name;
    std::string constraint;  // of the column ref
    std::string end;         // of the definition
  };

  void make_schema() {
    const int count = 2 + random_.below(4);
    for (int i = 0; i < count; ++i) {
      Table table{"t" + std::to_string(i), "", random_.one_in(8) ? " WITHOUT ROWID" : ""};
      if (!random_.one_in(3)) table.constraint = reference("t" + std::to_string(random_.below(i + 1)));
      result_.schema += definition(table, table.name) + ";\n";
      tables_.push_back(table);
    }
    for (int i = 0; i < count; ++i) {
      for (int id = 1; id <= 4; ++id)
        result_.schema += "INSERT INTO " + tables_[static_cast<std::size_t>(i)].name + " VALUES (" +
                          std::to_string(id) + ", " +
                          (random_.one_in(4) ? "NULL" : std::to_string(1 + random_.below(id))) + ", 'x');\n";
    }
    if (random_.one_in(4)) {
      const std::string on = pick().name, writes = pick().name;
      result_.schema +=
          "CREATE TRIGGER follow AFTER INSERT ON " + on + " BEGIN UPDATE " + writes + " SET n = n || '.'; END;\n";
      result_.triggers.emplace_back(on, writes);
    }
    if (random_.one_in(10)) result_.schema += "CREATE VIEW seen AS SELECT n FROM " + pick().name + ";\n";
    if (random_.one_in(4)) result_.orphans = "UPDATE " + pick().name + " SET ref = 77 WHERE id = 2";
  }

  std::string reference(const std::string& parent) {
    constexpr std::array actions{"",
                                 " ON DELETE CASCADE",
                                 " ON DELETE CASCADE",
                                 " ON DELETE SET NULL",
                                 " ON DELETE RESTRICT",
                                 " ON DELETE SET DEFAULT"};
    return " REFERENCES " + parent + "(id)" + actions[static_cast<std::size_t>(random_.below(actions.size()))] +
           (random_.one_in(4) ? " DEFERRABLE INITIALLY DEFERRED" : "");
  }
  static std::string definition(const Table& table, const std::string& name) {
    return "CREATE TABLE " + name + " (id INTEGER PRIMARY KEY, ref INTEGER" + table.constraint + ", n TEXT)" +
           table.end;
  }
  const Table& pick() { return tables_[static_cast<std::size_t>(random_.below(static_cast<int>(tables_.size())))]; }
  std::string spelled(std::string name) {
    if (random_.one_in(5)) name = "\"" + name + "\"";
    if (random_.one_in(5)) name = "main." + name;
    if (random_.one_in(5)) std::ranges::replace(name, 't', 'T');
    return name;
  }
  void add(ScriptStatement statement) { result_.statements.push_back(std::move(statement)); }

  void create(const Table& table, const std::string& name) { add({kind::create, definition(table, name), name}); }
  void copy(const std::string& from, const std::string& to) {
    add({kind::insert,
         "INSERT INTO " + spelled(to) + " SELECT id, ref, n FROM " + from + (random_.one_in(8) ? " WHERE id > 1" : ""),
         to, "", true});
  }
  void drop(const std::string& name) { add({kind::drop, "DROP TABLE " + spelled(name), name}); }
  void rename(const std::string& from, const std::string& to) {
    add({kind::rename, "ALTER TABLE " + spelled(from) + " RENAME TO " + to, from, to});
  }

  void rebuild(const Table& table) {
    const std::string fresh = table.name + "_new" + std::to_string(number_++);
    Table changed = table;
    if (random_.one_in(6)) changed.constraint = "";
    create(changed, fresh);
    copy(table.name, fresh);
    drop(table.name);
    rename(fresh, table.name);
  }
  void rename_first(const Table& table) {
    const std::string old = table.name + "_old" + std::to_string(number_++);
    rename(table.name, old);
    create(table, table.name);
    copy(old, table.name);
    drop(old);
  }
  void back_up(const Table& table) {
    const std::string parked = "parked" + std::to_string(number_++);
    add({kind::create, "CREATE TEMP TABLE " + parked + " AS SELECT * FROM " + table.name, parked});
    drop(table.name);
    create(table, table.name);
    copy(parked, table.name);
    drop(parked);
  }
  void swap(const Table& table) {
    const std::string fresh = table.name + "_new" + std::to_string(number_),
                      old = table.name + "_old" + std::to_string(number_);
    ++number_;
    create(table, fresh);
    copy(table.name, fresh);
    rename(table.name, old);
    rename(fresh, table.name);
    drop(old);
  }
  void park_children(const Table& table, const Table& child) {
    const std::string parked = "parked" + std::to_string(number_++);
    add({kind::create, "CREATE TEMP TABLE " + parked + " AS SELECT * FROM " + child.name, parked});
    rebuild(table);
    add({random_.one_in(4) ? kind::replace : kind::insert, "", child.name, "", true});
    ScriptStatement& back = result_.statements.back();
    back.sql = std::string(back.is == kind::replace ? "REPLACE" : "INSERT") + " INTO " + child.name +
               " SELECT * FROM " + parked;
    drop(parked);
  }
  /// Two rebuilds, each step for both.
  void rebuild_together(const Table& one, const Table& two) {
    if (one.name == two.name) return rebuild(one);
    create(one, "first_new"), create(two, "second_new");
    copy(one.name, "first_new"), copy(two.name, "second_new");
    drop(one.name), drop(two.name);
    rename("first_new", one.name), rename("second_new", two.name);
  }

  void change_rows() {
    const std::string name = pick().name, table = spelled(name);
    const std::string id = std::to_string(1 + random_.below(4));
    switch (random_.below(6)) {
      case 0: return add({kind::change, "DELETE FROM " + table + " WHERE id = " + id, name});
      case 1: return add({kind::change, "UPDATE " + table + " SET n = 'y' WHERE id = " + id, name});
      case 2:
        return add({kind::change, "UPDATE " + table + " SET ref = NULL WHERE ref = " + id, name, "", false, true});
      case 3: return add({kind::replace, "REPLACE INTO " + table + " VALUES (" + id + ", 1, 'z')", name});
      case 4: return add({kind::insert, "INSERT INTO " + table + " VALUES (9, " + id + ", 'w')", name});
      default:
        return add(
            {kind::change, "WITH some(i) AS (VALUES (" + id + ")) DELETE FROM " + table + " WHERE id IN some", name});
    }
  }

  void add_piece() {
    switch (random_.below(14)) {
      case 0:
      case 1:
      case 2:
      case 3: return rebuild(pick());
      case 4: return rename_first(pick());
      case 5: return back_up(pick());
      case 6: return swap(pick());
      case 7:
      case 8: return park_children(pick(), pick());
      case 9: return rebuild_together(pick(), pick());
      case 10:
        return random_.one_in(3)
                   ? drop(pick().name)
                   : add({kind::neutral, "CREATE INDEX i" + std::to_string(number_++) + " ON " + pick().name + "(n)"});
      default: return change_rows();
    }
  }

  /// The idiom of sqlx's users.
  void wrap_in_commit() {
    const std::string pragma = random_.one_in(2) ? "PRAGMA foreign_keys = OFF" : "SELECT 1";
    auto& all = result_.statements;
    all.insert(all.begin(), {{kind::control, "COMMIT"}, {kind::neutral, pragma}, {kind::control, "BEGIN"}});
    if (random_.one_in(4)) return;
    for (auto& one :
         {ScriptStatement{kind::control, "END TRANSACTION"}, ScriptStatement{kind::neutral, "PRAGMA foreign_keys = ON"},
          ScriptStatement{kind::control, "BEGIN"}})
      all.push_back(one);
  }

  Random random_;
  RandomScript result_;
  std::vector<Table> tables_;
  int number_ = 0;
};

}  // namespace

std::string RandomScript::script() const {
  std::string text;
  for (const ScriptStatement& statement : statements) text += statement.sql + ";\n";
  return text;
}

RandomScript random_script(unsigned seed) {
  return Generator(seed).run();
}

}  // namespace statehouse::test
