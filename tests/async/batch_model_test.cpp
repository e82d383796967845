// Batching changes no outcome: the same operations, together and one at a time, against a model that knows neither.

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/deferred.hpp>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <random>
#include <set>

#include "batch_fixture.hpp"
#include "sanitized.hpp"

namespace statehouse::test {
namespace {

constexpr int rounds = sanitized ? 60 : 1000;
constexpr int most_per_round = 40;
constexpr int keys = 12;

// clang-format off
enum class kind {
  count_up, insert, remove, closure,             // what shares a transaction
  read, returning, plain_write,                  // what has one of its own
  or_rollback, or_fail, child, parent, remove_parent, slow, late_closure,        // what does not always fit in
  closure_throws, closure_rolls_back, closure_orphan, nonsense, vacuum, poison,  // what fails
  cancelled, timed_out, closure_cancelled, withdrawn,                            // what is stopped
};
// clang-format on
constexpr int harmless = int(kind::closure) + 1;
constexpr int kinds = int(kind::withdrawn) + 1;

struct Op {
  kind what;
  int key;
  int other;
  int victim = -1;  // of a slow one: whom it cancels, while that one waits
};

struct Outcome {
  boost::system::error_code code;
  std::string text;  // of the error
  std::int64_t value = 0;

  bool operator==(const Outcome&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << outcome.code << " '" << outcome.text << "' " << outcome.value;
}

/// What is in the tables; and what an operation comes to, as the documentation has it.
struct Model {
  std::set<int> t;
  std::set<int> parents;
  std::multiset<int> children;
  std::int64_t n = 0;

  bool operator==(const Model&) const = default;

  /// The code, and the value on success.
  std::pair<boost::system::error_code, std::int64_t> apply(const Op& op) {
    const auto sqlite = [](int code) { return std::pair(make_sqlite_error(code), std::int64_t(0)); };
    const auto success = [](std::int64_t value) { return std::pair(boost::system::error_code(), value); };
    const auto unique = sqlite(SQLITE_CONSTRAINT_UNIQUE);
    switch (op.what) {
      case kind::count_up:
      case kind::slow:
      case kind::late_closure: ++n; return success(1);
      case kind::insert:
      case kind::or_rollback:
      case kind::returning: return t.insert(op.key).second ? success(1) : unique;
      case kind::remove: return success(std::int64_t(t.erase(op.key)));
      case kind::read: return success(std::int64_t(t.size()));
      case kind::plain_write:
      case kind::closure:
        if (!t.insert(op.key).second) return unique;
        n += 10;
        return success(n);
      case kind::or_fail:
        if (!t.insert(op.key).second || !t.insert(op.other).second) return unique;  // keeps the first
        return success(2);
      case kind::child:
        if (!parents.contains(op.key)) return sqlite(SQLITE_CONSTRAINT_FOREIGNKEY);
        children.insert(op.key);
        return success(1);
      case kind::parent: return parents.insert(op.key).second ? success(1) : sqlite(SQLITE_CONSTRAINT_PRIMARYKEY);
      case kind::remove_parent:
        if (parents.contains(op.key) && children.contains(op.key)) return sqlite(SQLITE_CONSTRAINT_FOREIGNKEY);
        return success(std::int64_t(parents.erase(op.key)));
      case kind::closure_rolls_back:
        if (!t.insert(op.key).second) return {errc::transaction_rolled_back, 0};
        n += 1000;
        return success(0);
      case kind::closure_throws: return {std::make_error_code(std::errc::bad_message), 0};
      case kind::closure_orphan: return sqlite(SQLITE_CONSTRAINT_FOREIGNKEY);
      case kind::nonsense: return sqlite(SQLITE_ERROR);
      case kind::vacuum: return {errc::statement_refused, 0};
      case kind::poison: return sqlite(SQLITE_CONSTRAINT_COMMITHOOK);
      case kind::timed_out: return {errc::deadline_exceeded, 0};
      case kind::cancelled:
      case kind::closure_cancelled:
      case kind::withdrawn: return {aborted, 0};
    }
    return {};
  }
};

std::vector<Op> random_round(std::mt19937& random, bool with_reads) {
  const auto below = [&](int limit) { return int(random() % unsigned(limit)); };
  const int danger = below(4);  // of ten
  std::vector<Op> ops;
  int last_slow = -1;
  for (int left = 1 + below(most_per_round); left > 0; --left) {
    Op op{kind(below(10) < danger ? below(kinds) : below(harmless)), below(keys), below(keys)};
    if (op.what == kind::read && !with_reads) op.what = kind::count_up;
    // Another operation cancels it while it waits; where there is none, it is cancelled as soon as it does.
    if (op.what == kind::withdrawn && last_slow >= 0 && ops[std::size_t(last_slow)].victim < 0)
      ops[std::size_t(last_slow)].victim = int(ops.size());
    if (op.what == kind::slow) last_slow = int(ops.size());
    ops.push_back(op);
  }
  return ops;
}

/// A database on which rounds of operations are run, all of a round together or one after the other.
class Machine {
 public:
  Machine(pool_mode mode, bool together) : together_(together), base_(options(mode)) {
    base_.app.run(base_.pool.write([](Connection& db) {
      db.execute_script(
          "CREATE TABLE parent(id INTEGER PRIMARY KEY);"
          "CREATE TABLE child(id REFERENCES parent DEFERRABLE INITIALLY DEFERRED);");
    }));
    base_.on_commit = [this] { return refuses(); };
  }

  std::vector<Outcome> run(const std::vector<Op>& ops) {
    ops_ = &ops;
    tasks_.clear();
    base_.writes.clear();
    std::set<int> victims;
    for (const Op& op : ops) victims.insert(op.victim);
    for (int id = 0; id < int(ops.size()); ++id) {
      tasks_.push_back(base_.app.spawn([this, id] { return perform(id); }));
      const bool at_once = !together_ || !victims.contains(id);
      if (ops[std::size_t(id)].what == kind::withdrawn && at_once) tasks_.back().cancel(asio::cancellation_type::total);
      if (!together_) base_.app.settle();
    }
    base_.app.settle();
    std::vector<Outcome> outcomes;
    for (auto& task : tasks_) outcomes.push_back(outcome(task));
    return outcomes;
  }

  Model content() {
    auto& app = base_.app;
    const Pool& pool = base_.pool;
    const auto all = [&](const char* sql) { return app.run(pool.query_all<int>(sql)); };
    const auto t = all("SELECT a FROM t");
    const auto parents = all("SELECT id FROM parent");
    const auto children = all("SELECT id FROM child");
    return {{t.begin(), t.end()},
            {parents.begin(), parents.end()},
            {children.begin(), children.end()},
            app.run(pool.query_one<std::int64_t>("SELECT n FROM counter"))};
  }
  void check_clean() { check_all_clean(base_.app, base_.pool); }
  int commits() const { return base_.commits; }

 private:
  static constexpr const char* poison = "UPDATE counter SET n = n + 1000000";
  static constexpr const char* endless_insert =
      "INSERT INTO t SELECT act(?) "
      "FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT n FROM c)";

  PoolOptions options(pool_mode mode) {
    PoolOptions options = Batching::with([this](Connection& db) {
      sqlite3_create_function(db.native().getHandle(), "act", 1, SQLITE_UTF8, this, &Machine::act, nullptr, nullptr);
    });
    options.mode = mode;
    options.acquire_timeout = 0ms;
    return options;
  }

  /// `act(id)`: what operation `id` does in the middle of its statement. Another negative number each time.
  static void act(sqlite3_context* context, int, sqlite3_value** arguments) {
    auto& self = *static_cast<Machine*>(sqlite3_user_data(context));
    const int id = sqlite3_value_int(arguments[0]);
    if (++self.acts_ > 10'000'000) return sqlite3_result_error(context, "nobody stops this statement", -1);
    const Op& op = self.ops_->at(std::size_t(id));
    switch (op.what) {
      case kind::cancelled:
      case kind::closure_cancelled: self.tasks_[std::size_t(id)].cancel(asio::cancellation_type::terminal); break;
      case kind::timed_out: self.base_.app.clock->advance(100ms); break;
      default:
        self.base_.app.clock->advance(3ms);
        if (self.together_ && op.victim >= 0)
          self.tasks_[std::size_t(op.victim)].cancel(asio::cancellation_type::total);
    }
    sqlite3_result_int(context, -self.acts_);
  }

  /// Whether the present commit has the poison in it.
  bool refuses() const {
    const auto& writes = base_.writes;
    if (writes.back() != "COMMIT") return writes.back() == poison;
    const auto begin = std::find(writes.rbegin(), writes.rend(), "BEGIN IMMEDIATE");
    return std::find(writes.rbegin(), begin, poison) != begin;
  }

  static Outcome outcome(Task<std::int64_t>& task) {
    CHECK(task.completions() == 1);
    try {
      return {{}, {}, task.get()};
    } catch (const boost::system::system_error& error) {
      return {error.code(), error.what()};
    } catch (const std::system_error& error) {
      return {error.code(), error.what()};
    }
  }

  asio::awaitable<std::int64_t> perform(int id) {
    const Op op = ops_->at(std::size_t(id));
    switch (op.what) {
      case kind::read: co_return co_await base_.pool.query_one<std::int64_t>("SELECT count(*) FROM t");
      case kind::returning: {
        const auto rows = co_await base_.pool.execute_returning<int>("INSERT INTO t VALUES (?) RETURNING a", op.key);
        co_return std::int64_t(rows.size());
      }
      case kind::closure:
      case kind::plain_write:
      case kind::late_closure:
      case kind::closure_throws:
      case kind::closure_rolls_back:
      case kind::closure_orphan:
      case kind::closure_cancelled: {
        const auto work = [&](Connection& db) { return inside(db, op, id); };
        CallOptions options;
        options.group_commit = op.what != kind::plain_write;
        if (op.what == kind::late_closure) options.run_timeout = 50ms;
        co_return co_await base_.pool.write(work, options);
      }
      default: {
        const auto result = co_await statement(op, id);
        co_return result.changes;
      }
    }
  }

  asio::awaitable<ExecuteResult> statement(const Op& op, int id) {
    const Pool& pool = base_.pool;
    switch (op.what) {
      case kind::insert: return pool.execute("INSERT INTO t VALUES (?)", op.key);
      case kind::remove: return pool.execute("DELETE FROM t WHERE a = ?", op.key);
      case kind::or_rollback: return pool.execute("INSERT OR ROLLBACK INTO t VALUES (?)", op.key);
      case kind::or_fail: return pool.execute("INSERT OR FAIL INTO t SELECT ? UNION ALL SELECT ?", op.key, op.other);
      case kind::child: return pool.execute("INSERT INTO child VALUES (?)", op.key);
      case kind::parent: return pool.execute("INSERT INTO parent VALUES (?)", op.key);
      case kind::remove_parent: return pool.execute("DELETE FROM parent WHERE id = ?", op.key);
      case kind::slow: return pool.execute("UPDATE counter SET n = n + 1 + min(0, max(act(?), 0))", id);
      case kind::nonsense: return pool.execute("INSERT INTO none VALUES (1)");
      case kind::vacuum: return pool.execute("VACUUM");
      case kind::poison: return pool.execute(poison);
      case kind::cancelled: return pool.execute(endless_insert, id);
      case kind::timed_out: return pool.execute({.run_timeout = 100ms}, endless_insert, id);
      default: return pool.execute("UPDATE counter SET n = n + 1");  // withdrawn: must not run
    }
  }

  std::int64_t inside(Connection& db, const Op& op, int id) {
    if (op.what == kind::late_closure) {
      db.execute("UPDATE counter SET n = n + 1");
      base_.app.clock->advance(50ms);
      return 1;
    }
    const bool keeps = op.what == kind::closure || op.what == kind::plain_write;
    db.execute("UPDATE counter SET n = n + ?", keeps ? 10 : 1000);
    switch (op.what) {
      case kind::closure_throws: throw std::system_error(std::make_error_code(std::errc::bad_message));
      case kind::closure_orphan: return db.execute("INSERT INTO child VALUES (-1)").changes;
      case kind::closure_cancelled: return db.execute(endless_insert, id).changes;
      case kind::closure_rolls_back: try { db.execute("INSERT OR ROLLBACK INTO t VALUES (?)", op.key);
        } catch (const Error&) {
        }
        return 0;
      default:
        db.execute("INSERT INTO t VALUES (?)", op.key);
        return db.query_one<std::int64_t>("SELECT n FROM counter");
    }
  }

  const bool together_;
  const std::vector<Op>* ops_ = nullptr;
  std::vector<Task<std::int64_t>> tasks_;
  int acts_ = 0;
  Batching base_;
};

TEST_CASE("batch model: together or one at a time, every operation and the data come to what the model says") {
  const pool_mode mode = GENERATE(pool_mode::wal, pool_mode::single);
  const unsigned seed = Catch::getSeed() + unsigned(mode);  // printed; --rng-seed gives it again
  CAPTURE(mode, seed);
  std::mt19937 random(seed);
  Machine together(mode, true);
  Machine alone(mode, false);
  Model model;
  for (int round = 0; round < rounds; ++round) {
    const std::vector<Op> ops = random_round(random, mode == pool_mode::single);
    const auto batched = together.run(ops);
    const auto solo = alone.run(ops);
    for (std::size_t i = 0; i < ops.size(); ++i) {
      INFO("round " << round << " operation " << i << " kind " << int(ops[i].what) << " key " << ops[i].key);
      const auto [code, value] = model.apply(ops[i]);
      CHECK(solo[i].code == code);
      CHECK(solo[i].value == value);
      CHECK(batched[i] == solo[i]);
    }
    INFO("round " << round);
    CHECK((together.content() == model));
    REQUIRE((alone.content() == model));
  }
  together.check_clean();
  CHECK(together.commits() < alone.commits());
}

/// Real threads: coroutines that each write rows of their own, know what must be in them, and cancel one another.
struct Crowd {
  static constexpr int actors = 24;
  static constexpr int own_keys = 8;
  static constexpr int operations = sanitized ? 60 : 400;

  struct Actor {
    int first_key;
    std::mt19937 random;
    std::set<int> rows;
    asio::cancellation_signal signal;
  };

  asio::io_context io;
  std::optional<Pool> pool;
  std::vector<std::unique_ptr<Actor>> crowd;
  int counted = 0;  // acknowledged
  int succeeded = 0;
  int stopped = 0;
  std::string surprise;

  asio::awaitable<void> live(Actor& actor) {
    for (int i = 0; i < operations; ++i) {
      static constexpr asio::cancellation_type types[]{
          asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total};
      if (actor.random() % 4 == 0) crowd[actor.random() % actors]->signal.emit(types[actor.random() % 3]);
      const auto what = unsigned(actor.random() % 16);
      const int key = actor.first_key + int(actor.random() % own_keys);
      // A coroutine of its own for each, since one that was cancelled stays so.
      auto step =
          asio::co_spawn(io, one(actor, what, key), asio::bind_cancellation_slot(actor.signal.slot(), asio::deferred));
      bool conflicts = false;
      try {
        co_await std::move(step);
        ++succeeded;
      } catch (const boost::system::system_error& error) {
        conflicts = error.code() == condition::unique;
        const bool ended = error.code() == aborted || (what == 0 && error.code() == errc::deadline_exceeded);
        const bool thrown = what == 1 && error.code() == std::errc::bad_message;
        stopped += ended ? 1 : 0;
        if (!ended && !thrown && !(conflicts && actor.rows.contains(key))) surprise = error.what();
      }
    }
  }

  asio::awaitable<void> one(Actor& actor, unsigned what, int key) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    if (what == 0) {
      co_await pool->execute({.run_timeout = 1ms},
                             "INSERT INTO t SELECT -n FROM (WITH RECURSIVE c(n) AS "
                             "(SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c)");
    } else if (what == 1) {
      const auto fails = [&](Connection& db) {
        db.execute("UPDATE counter SET n = n + 1000");
        throw boost::system::system_error(make_error_code(boost::system::errc::bad_message));
      };
      co_await pool->write(fails, {.group_commit = true});
    } else if (what < 4) {
      const auto adds = [&](Connection& db) {
        db.execute("INSERT INTO t VALUES (?)", key);
        db.execute("UPDATE counter SET n = n + 1");
      };
      co_await pool->write(adds, {.group_commit = true});
      actor.rows.insert(key);
      ++counted;
    } else if (what < 6) {
      co_await pool->execute("INSERT OR ROLLBACK INTO t VALUES (?)", key);
      actor.rows.insert(key);
    } else if (what < 9) {
      co_await pool->execute("INSERT INTO t VALUES (?)", key);
      actor.rows.insert(key);
    } else if (what < 11) {
      co_await pool->execute("UPDATE counter SET n = n + 1");
      ++counted;
    } else if (what < 13) {
      co_await pool->execute("DELETE FROM t WHERE a = ?", key);
      actor.rows.erase(key);
    } else {
      const auto found = co_await pool->query_one<std::size_t>("SELECT count(*) FROM t WHERE a BETWEEN ? AND ?",
                                                               actor.first_key, actor.first_key + own_keys - 1);
      if (found != actor.rows.size()) surprise = "a read does not see what its caller has written";
    }
  }
};

TEST_CASE("batch model: on threads, with cancellations at any moment, what was acknowledged is kept and nothing else") {
  testing::TempDir dir;
  testing::LogCapture log;
  Crowd world;
  AppStateOptions options;
  options.data_dir = dir.path();
  options.logger = log.logger();
  options.database_threads = 3;
  options.pool.readers = 2;
  options.pool.acquire_timeout = 1min;
  AppState state(world.io.get_executor(), options);
  Spawner spawn;
  const auto run = [&](auto work) {
    auto task = spawn(world.io.get_executor(), std::move(work));
    world.io.restart();
    world.io.run();
    return task.get();
  };
  run([&]() -> asio::awaitable<void> {
    co_await state.init();
    world.pool.emplace(co_await state.db_instances.get_pool("test"));
    const auto schema = [](Connection& db) {
      db.execute_script("CREATE TABLE t(a UNIQUE); CREATE TABLE counter(n); INSERT INTO counter VALUES (0)");
    };
    co_await world.pool->write(schema);
  });
  const unsigned seed = Catch::getSeed();
  CAPTURE(seed);
  std::vector<Task<void>> tasks;
  for (int id = 0; id < Crowd::actors; ++id) {
    world.crowd.push_back(std::make_unique<Crowd::Actor>());
    world.crowd.back()->first_key = id * 100;
    world.crowd.back()->random.seed(seed + unsigned(id));
  }
  for (auto& actor : world.crowd) tasks.push_back(spawn(world.io.get_executor(), world.live(*actor)));
  world.io.restart();
  world.io.run();
  for (auto& task : tasks) CHECK(task.text().empty());
  CHECK(world.surprise == "");
  CHECK(world.stopped > 0);
  CHECK(world.succeeded > world.stopped);
  std::set<int> expected;
  for (const auto& actor : world.crowd) expected.insert(actor->rows.begin(), actor->rows.end());
  const auto rows = run(world.pool->query_all<int>("SELECT a FROM t ORDER BY a"));
  CHECK((std::set<int>(rows.begin(), rows.end()) == expected));
  CHECK(rows.size() == expected.size());
  CHECK(run(world.pool->query_one<int>("SELECT n FROM counter")) == world.counted);
  CHECK(world.pool->stats().holders.empty());
  run(state.shutdown());
}

}  // namespace
}  // namespace statehouse::test
