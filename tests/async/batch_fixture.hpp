#pragma once

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {

using namespace std::chrono_literals;

/// A stepped pool whose connections tell what they run: whatever is spawned before `app.step_db()` waits together.
/// Tables `t(a UNIQUE)` and `counter(n)`, which holds one row, 0.
struct Batching {
  SqlHook hook;
  std::vector<std::string> writes;  // statements of the writer, those of the library among them
  std::vector<std::string> reads;   // of the readers
  int commits = 0;                  // of the writer
  std::function<bool()> on_commit;  // true refuses it
  SteppedApp app;
  Pool pool;

  explicit Batching(PoolOptions options = one_reader()) : app(hook.in(tracing(std::move(options)))), pool(app.open()) {
    app.run(pool.write([](Connection& db) {
      db.execute_script("CREATE TABLE t(a UNIQUE); CREATE TABLE counter(n); INSERT INTO counter VALUES (0)");
    }));
    app.open_readers(pool, pool.stats().readers.max_connections);
    forget();
  }
  /// What the test has given refers to what it had, and closing may commit, too: PRAGMA optimize does.
  ~Batching() { on_commit = {}; }
  Batching(const Batching&) = delete;
  Batching& operator=(const Batching&) = delete;

  static PoolOptions one_reader() {
    PoolOptions options;
    options.readers = 1;
    return options;
  }
  static PoolOptions with(std::function<void(Connection&)> connected) {
    PoolOptions options = one_reader();
    options.connection.on_connect = [connected](Connection& connection, connection_role role) {
      if (role == connection_role::writer) connected(connection);
    };
    return options;
  }

  void forget() {
    writes.clear();
    reads.clear();
    commits = 0;
  }
  /// A caller who waits for a connection.
  template <class... Values>
  Task<ExecuteResult> execute(std::string_view sql, Values... values) {
    return app.spawn(pool.execute(sql, values...));
  }
  Task<ExecuteResult> insert(int value) { return execute("INSERT INTO t VALUES (?)", value); }
  Task<ExecuteResult> count_up() { return execute("UPDATE counter SET n = n + 1"); }
  /// Resumes whoever is to be resumed, also from within a statement.
  void run_callers() {
    while (app.step_io()) {
    }
  }
  /// `call()` on a thread of its own, which is not the one that runs the statement whose hook asks for it: a pool
  /// refuses calls from within its own.
  template <class F>
  static void elsewhere(F call) {
    std::jthread(std::move(call)).join();
  }
  std::vector<int> rows() { return app.run(pool.query_all<int>("SELECT a FROM t ORDER BY rowid")); }
  int counter() { return app.run(pool.query_one<int>("SELECT n FROM counter")); }
  /// How often one of the texts was run by the writer.
  auto times(const std::string& text) const { return std::ranges::count(writes, text); }

 private:
  PoolOptions tracing(PoolOptions options) {
    options.connection.on_connect = [this, before = options.connection.on_connect](Connection& connection,
                                                                                   connection_role role) {
      if (before) before(connection, role);
      sqlite3* const db = connection.native().getHandle();
      const bool writer = role == connection_role::writer;
      sqlite3_trace_v2(db, SQLITE_TRACE_STMT, &Batching::note, writer ? &writes : &reads);
      if (writer) sqlite3_commit_hook(db, &Batching::commit, this);
    };
    return options;
  }
  static int note(unsigned, void* list, void*, void* text) {
    const std::string_view sql(static_cast<const char*>(text));
    if (!sql.starts_with("--")) static_cast<std::vector<std::string>*>(list)->emplace_back(sql);  // else a trigger's
    return 0;
  }
  static int commit(void* self) {
    auto& batching = *static_cast<Batching*>(self);
    ++batching.commits;
    return batching.on_commit && batching.on_commit() ? 1 : 0;
  }
};

inline const boost::system::error_code aborted(ECANCELED, boost::system::system_category());

}  // namespace statehouse::test
