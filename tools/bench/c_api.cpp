#include "c_api.hpp"

#include <chrono>
#include <optional>
#include <stdexcept>

#include "threads.hpp"

namespace statehouse::bench {

CDatabase c_open(const DatabaseFile& database) {
  constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(database.path.c_str(), &opened, flags, nullptr);
  CDatabase db(opened);
  if (result != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(opened));
  sqlite3_busy_timeout(db.get(), 3000);
  c_execute(db.get(), "PRAGMA journal_mode = WAL");
  c_execute(db.get(),
            database.synchronous == durability::full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  return db;
}

void c_execute(sqlite3* db, const char* script) {
  if (sqlite3_exec(db, script, nullptr, nullptr, nullptr) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db));
}

CStatement c_prepare(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK)
    throw std::runtime_error(sqlite3_errmsg(db));
  return CStatement(statement);
}

namespace {

using std::chrono::steady_clock;

/// A connection and the loop of the thread that owns it: nothing between it and SQLite, no queue, no hand-over.
class Looper {
 public:
  explicit Looper(const DatabaseFile& database)
      : db_(c_open(database)), read_(c_prepare(db_.get(), read_sql)), write_(c_prepare(db_.get(), write_sql)) {}

  void run(const Load& load, std::size_t worker, Window& window) {
    Requests requests(load.keys, load.kind, load.seed, worker);
    while (window.more()) {
      const Key& key = requests.key();
      const bool writes = requests.writes();
      const auto began = steady_clock::now();
      const bool good = writes ? write(key, requests.value()) : read(key);
      window.record(tally, completed, writes, steady_clock::now() - began);
      if (!good) tally.fail(sqlite3_errmsg(db_.get()));
    }
  }

  Tally tally{};
  std::uint64_t completed = 0;

 private:
  static void bind(sqlite3_stmt* statement, int index, const std::string& text) {
    sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  }
  bool read(const Key& key) {
    sqlite3_stmt* const statement = read_.get();
    bind(statement, 1, key.document);
    bind(statement, 2, key.block);
    const bool found = sqlite3_step(statement) == SQLITE_ROW;
    if (found) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
      result_.emplace(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, 0)));
    }
    return sqlite3_reset(statement) == SQLITE_OK && found;
  }
  bool write(const Key& key, const std::string& value) {
    sqlite3_stmt* const statement = write_.get();
    bind(statement, 1, key.document);
    bind(statement, 2, key.block);
    bind(statement, 3, value);
    const bool done = sqlite3_step(statement) == SQLITE_DONE;
    return sqlite3_reset(statement) == SQLITE_OK && done;
  }

  CDatabase db_;
  CStatement read_;
  CStatement write_;
  std::optional<std::string> result_;  // the caller's copy, as the others give one
};

class CApi final : public System {
 public:
  explicit CApi(const DatabaseFile& database) : database_(database) {}

  Measurement run(const Load& load) override {
    std::vector<std::unique_ptr<Looper>> loopers;
    for (int i = 0; i < load.in_flight; ++i) loopers.push_back(std::make_unique<Looper>(database_));
    return run_on_threads(load, loopers);
  }

 private:
  const DatabaseFile database_;
};

}  // namespace

std::unique_ptr<System> open_c_api(const DatabaseFile& database) {
  return std::make_unique<CApi>(database);
}

}  // namespace statehouse::bench
