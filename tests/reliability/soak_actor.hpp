#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <set>

#include "soak_world.hpp"

namespace statehouse::test {

/// What a read has found.
struct Found {
  std::vector<std::int64_t> values;
  std::int64_t count = 0;
};

struct Undo : std::exception {};

inline void put(Connection& db, const TenantModel::Values& values) {
  for (const std::int64_t value : values) db.execute("INSERT INTO t VALUES (?)", value);
}

inline Found look_into(Reader& db) {
  return {db.query_all<std::int64_t>("SELECT v FROM t"), db.query_one<std::int64_t>("SELECT n FROM total")};
}

/// A write that the model knows of, and how it has ended.
struct Writing {
  Writing(TenantModel& of, TenantModel::Values written) : model(of), values(std::move(written)) {
    model.begin_write(values);
  }
  ~Writing() { model.end_write(values, acknowledged); }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

  TenantModel& model;
  const TenantModel::Values values;
  bool acknowledged = false;
};

/// Does one thing after the other to one database after the other, and knows which ends each may have.
class SoakActor {
 public:
  SoakActor(SoakWorld& world, ThreadedApp& app, int number, unsigned seed)
      : world_(world),
        databases_(app.state->db_instances),
        strand_(asio::make_strand(app.io)),
        timer_(strand_),
        number_(number),
        random_(seed) {}

  /// All its share of the databases once, as it finds them.
  asio::awaitable<void> look_at_all() { return asio::co_spawn(strand_, look_all(), asio::use_awaitable); }
  asio::awaitable<void> work() { return asio::co_spawn(strand_, work_long(), asio::use_awaitable); }

 private:
  asio::awaitable<void> look_all() {
    for (auto i = std::size_t(number_); i < world_.tenants.size(); i += std::size_t(world_.size.actors)) {
      plan_ = {};
      co_await attempt(world_.tenants[i], read(world_.tenants[i]));
    }
  }

  asio::awaitable<void> work_long() {
    for (int i = 0; world_.goes_on(i); ++i) {
      Tenant& tenant = world_.tenants[world_.zipf.pick(random_)];
      plan_ = {.cancelled = random_.one_in(10), .hurried = random_.one_in(10), .old_handle = random_.one_in(2)};
      // A coroutine of its own for each, since one that was cancelled stays so.
      auto step = asio::co_spawn(strand_, one(tenant), asio::bind_cancellation_slot(signal_.slot(), asio::deferred));
      co_await std::move(step);
      timer_.cancel();
      ++turn_;
    }
  }

  asio::awaitable<void> one(Tenant& tenant) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    if (plan_.cancelled) arm();
    const int dice = random_.below(100);
    if (dice < 40) {
      co_await attempt(tenant, read(tenant));
    } else if (dice < 94) {
      co_await attempt(tenant, write(tenant));
    } else if (dice < 97) {
      co_await attempt(tenant, close(tenant));
    } else if (dice < 99) {
      co_await attempt(tenant, remove(tenant));
    } else {
      if (databases_.stats_summary(10).databases.size() > world_.tenants.size()) world_.note("more than there are");
      static_cast<void>(databases_.health());
    }
  }

  /// Cancels what runs in this turn, at some moment.
  void arm() {
    const auto type = random_.one_in(2) ? asio::cancellation_type::terminal : asio::cancellation_type::total;
    timer_.expires_after(std::chrono::microseconds(random_.below(2000)));
    timer_.async_wait([this, type, turn = turn_](const boost::system::error_code& aborted) {
      if (!aborted && turn == turn_) signal_.emit(type);
    });
  }

  /// Ends as it may, or it is noted.
  asio::awaitable<void> attempt(Tenant& tenant, asio::awaitable<void> what) {
    asked_ = tenant.ask();
    try {
      co_await std::move(what);
      ++world_.done;
    } catch (const Undo&) {
      ++world_.failed[3];
    } catch (const boost::system::system_error& error) {
      judge(tenant, error);
    }
  }
  void judge(const Tenant& tenant, const boost::system::system_error& error) {
    const auto& code = error.code();
    if (code == errc::closed && tenant.may_be_closed(asked_)) {
      ++world_.failed[0];
    } else if (code == condition::timeout && plan_.hurried) {
      ++world_.failed[1];
    } else if (code == asio::error::operation_aborted && plan_.cancelled) {
      ++world_.failed[2];
    } else {
      world_.note(tenant.name + ": " + error.what());
    }
  }

  CallOptions limits() {
    CallOptions options;
    if (!plan_.hurried) return options;
    if (random_.one_in(2)) options.timeout = std::chrono::milliseconds(1 + random_.below(3));
    if (random_.one_in(2)) options.run_timeout = std::chrono::milliseconds(1 + random_.below(3));
    return options;
  }

  asio::awaitable<Pool> pool_of(Tenant& tenant) {
    const std::optional<Tenant::Handle> left = tenant.left();
    if (plan_.old_handle && left) {
      asked_ = left->asked;
      co_return left->pool;
    }
    const Pool pool = co_await databases_.get_pool(tenant.name, limits());
    tenant.leave({pool, asked_});
    co_return pool;
  }

  asio::awaitable<void> read(Tenant& tenant) {
    const TenantModel::Look look = tenant.model.begin_read();
    const Pool pool = co_await pool_of(tenant);
    const Found found = co_await found_by(pool);
    const std::set<std::int64_t> values(found.values.begin(), found.values.end());
    tenant.model.end_read(look, values);
    if (found.count != std::int64_t(found.values.size()) || values.size() != found.values.size())
      world_.note(tenant.name + ": a transaction is there in part");
  }

  asio::awaitable<Found> found_by(const Pool& pool) {
    CallOptions options = limits();
    const int dice = random_.below(10);
    if (dice < 6) co_return co_await pool.read(look_into, options);
    if (dice < 8) {
      const ReaderLease lease = co_await pool.acquire(reader, options);
      co_return co_await lease.read(look_into);
    }
    options.inline_read = true;
    Found found;
    found.values = co_await pool.query_all<std::int64_t>(options, "SELECT v FROM t");
    found.count = std::int64_t(found.values.size());
    co_return found;
  }

  asio::awaitable<void> write(Tenant& tenant) {
    const std::int64_t value = world_.next_value.fetch_add(2);
    Writing writing(tenant.model, {value, value + 1});
    const Pool pool = co_await pool_of(tenant);
    co_await write_by(pool, writing.values);
    writing.acknowledged = true;
  }
  asio::awaitable<void> write_by(const Pool& pool, const TenantModel::Values& values) {
    CallOptions options = limits();
    const int dice = random_.below(10);
    if (dice < 4) {
      co_await pool.execute(options, "INSERT INTO t VALUES (?), (?)", values[0], values[1]);
    } else if (dice < 7) {
      options.group_commit = random_.one_in(2);
      const bool undo = random_.one_in(5);
      const auto insert = [&values, undo](Connection& db) {
        put(db, values);
        if (undo) throw Undo();
      };
      co_await pool.write(insert, options);
    } else if (dice < 9) {
      Transaction transaction = co_await pool.begin(options);
      for (const std::int64_t each : values) co_await transaction.execute("INSERT INTO t VALUES (?)", each);
      if (random_.one_in(5)) throw Undo();
      co_await std::move(transaction).commit();
    } else {
      const WriterLease lease = co_await pool.acquire(writer, options);
      const auto insert = [&values](Connection& db) { put(db, values); };
      co_await lease.write(insert);
    }
  }

  /// In time for all that runs, or with none for it, or without patience.
  ShutdownOptions end_options() {
    ShutdownOptions options{.grace = patience, .deadline = patience};
    if (random_.one_in(3)) options.grace = TimeLimit();
    if (plan_.hurried) options.deadline = std::chrono::milliseconds(random_.below(3));
    return options;
  }

  asio::awaitable<void> close(Tenant& tenant) {
    const std::unique_ptr<Tenant, EndOfEnd> end = ending(tenant);
    const ShutdownReport report = co_await databases_.close(tenant.name, end_options());
    if (!report.clean() && !plan_.hurried) world_.note(tenant.name + ": was not closed");
  }

  asio::awaitable<void> remove(Tenant& tenant) {
    const std::unique_ptr<Tenant, EndOfEnd> end = ending(tenant);
    const std::uint64_t number = tenant.model.begin_removal();
    bool done = false;
    try {
      co_await databases_.remove(tenant.name, end_options());
      done = true;
    } catch (const Error& error) {
      judge(tenant, error);
    }
    tenant.model.end_removal(number, done);
    if (done) ++world_.failed[4];
  }

  struct EndOfEnd {
    void operator()(Tenant* tenant) const { tenant->end_end(); }
  };
  static std::unique_ptr<Tenant, EndOfEnd> ending(Tenant& tenant) {
    tenant.begin_end();
    return std::unique_ptr<Tenant, EndOfEnd>(&tenant);
  }

  struct Plan {
    bool cancelled = false;
    bool hurried = false;
    bool old_handle = false;
  };

  SoakWorld& world_;
  const DbInstances& databases_;
  const asio::strand<asio::thread_pool::executor_type> strand_;
  asio::steady_timer timer_;
  asio::cancellation_signal signal_;
  const int number_;
  Random random_;
  Plan plan_;
  Tenant::Asked asked_;
  int turn_ = 0;
};

}  // namespace statehouse::test
