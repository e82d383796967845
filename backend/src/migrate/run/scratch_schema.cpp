#include "migrate/run/scratch_schema.hpp"

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>

#include "engine/connection_access.hpp"
#include "engine/scopes.hpp"
#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

using OwnedStatement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

constexpr int most_supplied = 50;         // functions and collations of one statement
constexpr int most_bytes = 1'000'000;     // of a value
constexpr int steps_between_looks = 100;  // virtual machine steps
constexpr int most_looks = 10'000;
constexpr sqlite3_int64 most_memory = 64 << 20;

std::string with_schema(const char* schema, const char* table) {
  const std::string name = table != nullptr ? table : "";
  return schema == nullptr || same_ascii(schema, "main") ? name : std::string(schema) + '.' + name;
}

bool changes_schema(int action) {
  switch (action) {
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_TEMP_INDEX:
    case SQLITE_DROP_TEMP_TABLE:
    case SQLITE_DROP_TEMP_TRIGGER:
    case SQLITE_DROP_TEMP_VIEW:
    case SQLITE_DROP_TRIGGER:
    case SQLITE_DROP_VIEW:
    case SQLITE_DROP_VTABLE:
    case SQLITE_ALTER_TABLE: return true;
    default: return false;
  }
}

/// What follows `before` in SQLite's message, up to a parenthesis.
std::optional<std::string> named_in(std::string_view message, std::string_view before) {
  const auto at = message.find(before);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view name = message.substr(at + before.size());
  return std::string(name.substr(0, name.find('(')));
}

/// CREATE TABLE AS may compute without end.
struct Budget {
  int looks = 0;
  sqlite3_int64 memory_before = sqlite3_memory_used();

  static int look(void* self) {
    auto& budget = *static_cast<Budget*>(self);
    return ++budget.looks > most_looks || sqlite3_memory_used() - budget.memory_before > most_memory ? 1 : 0;
  }
};

/// As far as the text alone says it.
void judge_by_text(const SqlStatement& statement, ScratchSchema::Effect& effect) {
  if (const auto renamed = renaming(statement)) {
    effect.gone.push_back(renamed->from);
    effect.created.push_back(renamed->to);
  } else if (std::string created = created_table(statement); !created.empty()) {
    effect.created.push_back(std::move(created));
  } else if (std::string dropped = dropped_table(statement); !dropped.empty()) {
    effect.gone.push_back(std::move(dropped));
  } else if (may_write_rows(statement)) {
    std::string table = inserted_table(statement);
    const bool known = !table.empty();
    effect.writes.push_back({std::move(table), known});
    effect.reads = true;
  }
}

}  // namespace

struct ScratchSchema::Observed {
  bool changes_schema = false;
  bool matters = false;  // the PRAGMA that decides what ALTER TABLE does
  std::string dropped;
  std::vector<Write> writes;
  std::vector<std::string> read;  // by the statement itself, not by a trigger

  static int see(void* self, int action, const char* first, const char* second, const char* schema,
                 const char* trigger) {
    auto& observed = *static_cast<Observed*>(self);
    observed.see(action, first, second, schema, trigger == nullptr);
    // Others may take effect when they are compiled, PRAGMA hard_heap_limit on the whole process.
    return action == SQLITE_PRAGMA && !observed.matters ? SQLITE_IGNORE : SQLITE_OK;
  }
  void see(int action, const char* first, const char* second, const char* schema, bool itself) {
    changes_schema = changes_schema || detail::changes_schema(action);
    matters = matters || (action == SQLITE_PRAGMA && same_ascii(first, "legacy_alter_table"));
    if (action == SQLITE_DROP_TABLE) dropped = with_schema(schema, first);
    if (action == SQLITE_READ && itself) read.push_back(with_schema(schema, first));
    if (action == SQLITE_INSERT) add(with_schema(schema, first), true);
    if (action == SQLITE_DELETE) add(with_schema(schema, first), false);
    if (action == SQLITE_UPDATE) add(with_schema(schema, first), false).columns.emplace_back(second);
  }
  bool reads_another() const {
    return std::ranges::any_of(read, [&](const std::string& table) {
      return std::ranges::find(writes, table, &Write::table) == writes.end();
    });
  }

 private:
  Write& add(std::string table, bool inserts) {
    const auto known = std::ranges::find(writes, table, &Write::table);
    if (known == writes.end()) return writes.emplace_back(Write{std::move(table), inserts, inserts});
    known->inserts = known->inserts || inserts;
    known->inserts_only = known->inserts_only && inserts;
    return *known;
  }
};

ScratchSchema::ScratchSchema() : connection_(Connection::in_memory("schema")) {
  Session& session = session_of(connection_);
  session.rules().granted = permission::unrestricted;
  session.begin_script(false);  // what foreign keys do is not to appear as the statement's own doing
  sqlite3_progress_handler(connection_.native().getHandle(), 0, nullptr, nullptr);
  sqlite3_set_authorizer(connection_.native().getHandle(), nullptr, nullptr);
  sqlite3_limit(connection_.native().getHandle(), SQLITE_LIMIT_LENGTH, most_bytes);
}

void ScratchSchema::copy(Connection& from) {
  // SQLite makes the tables whose names begin so by itself.
  const auto definitions = from.query_all<std::string>(
      "SELECT sql FROM main.sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
      "ORDER BY CASE type WHEN 'table' THEN 1 WHEN 'index' THEN 2 WHEN 'view' THEN 3 ELSE 4 END, rowid");
  for (const std::string& definition : definitions) {
    // The tables inside of a virtual one are there already when their turn comes.
    const OwnedStatement statement(compile(definition), sqlite3_finalize);
    if (statement != nullptr) sqlite3_step(statement.get());
  }
}

ScratchSchema::Effect ScratchSchema::follow(const SqlStatement& statement) {
  sqlite3* const db = connection_.native().getHandle();
  Effect effect;
  Observed observed;
  sqlite3_set_authorizer(db, Observed::see, &observed);
  const OwnedStatement compiled(compile(std::string(statement.text)), sqlite3_finalize);
  if (compiled == nullptr) effect.failure = sqlite3_errmsg(db);
  sqlite3_set_authorizer(db, nullptr, nullptr);
  if (compiled != nullptr && sqlite3_stmt_isexplain(compiled.get()) != 0) return effect;
  if (compiled != nullptr && observed.changes_schema) change(compiled.get(), observed.dropped, effect);
  if (compiled != nullptr && observed.matters) sqlite3_step(compiled.get());
  if (!effect.failure.empty()) {
    judge_by_text(statement, effect);
  } else if (!observed.changes_schema) {
    effect.reads = observed.reads_another();
    effect.writes = std::move(observed.writes);
  }
  return effect;
}

/// Functions and collations of the application's are not known here, and need not do anything.
sqlite3_stmt* ScratchSchema::compile(const std::string& sql) {
  sqlite3* const db = connection_.native().getHandle();
  sqlite3_stmt* statement = nullptr;
  for (int tries = 0; tries < most_supplied; ++tries) {
    if (sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK || !supply(sqlite3_errmsg(db))) break;
  }
  return statement;
}

bool ScratchSchema::supply(const std::string& what_failed) {
  sqlite3* const db = connection_.native().getHandle();
  if (const auto function = named_in(what_failed, "no such function: ")) {
    const auto null = [](sqlite3_context* context, int, sqlite3_value**) { sqlite3_result_null(context); };
    return sqlite3_create_function(db, function->c_str(), -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, null,
                                   nullptr, nullptr) == SQLITE_OK;
  }
  if (const auto collation = named_in(what_failed, "no such collation sequence: ")) {
    const auto same = [](void*, int, const void*, int, const void*) { return 0; };
    return sqlite3_create_collation(db, collation->c_str(), SQLITE_UTF8, nullptr, same) == SQLITE_OK;
  }
  return false;
}

void ScratchSchema::change(sqlite3_stmt* statement, const std::string& dropped, Effect& effect) {
  sqlite3* const db = connection_.native().getHandle();
  if (!dropped.empty()) {
    effect.references = references_to(connection_, dropped);
    effect.taken = taken_with(connection_, dropped);
  }
  const auto before = tables();
  Budget budget;
  sqlite3_progress_handler(db, steps_between_looks, Budget::look, &budget);
  int result = SQLITE_ROW;
  while (result == SQLITE_ROW) result = sqlite3_step(statement);
  if (result != SQLITE_DONE) effect.failure = sqlite3_errmsg(db);
  sqlite3_progress_handler(db, 0, nullptr, nullptr);
  sqlite3_reset(statement);
  if (result != SQLITE_DONE) return;
  const auto after = tables();
  std::ranges::set_difference(after, before, std::back_inserter(effect.created), AsciiLess());
  std::ranges::set_difference(before, after, std::back_inserter(effect.gone), AsciiLess());
}

std::vector<std::string> ScratchSchema::tables() {
  auto names = connection_.query_all<std::string>(
      "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' UNION ALL "
      "SELECT 'temp.' || name FROM temp.sqlite_master WHERE type = 'table'");
  std::ranges::sort(names, AsciiLess());
  return names;
}

bool ScratchSchema::is_referred_to(const std::string& table) {
  return !references_to(connection_, table).empty();
}

bool ScratchSchema::refers(const std::string& table) {
  return has_references(connection_, table);
}

bool ScratchSchema::exists(const std::string& table) {
  return std::ranges::binary_search(tables(), table, AsciiLess());
}

bool ScratchSchema::may_replace(const std::string& table) {
  return connection_.query_one<bool>(
      "SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE name = ? COLLATE NOCASE AND sql LIKE '%REPLACE%')", table);
}

}  // namespace statehouse::detail
