#include <spdlog/logger.h>
#include <sqlite3.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <fstream>
#include <iomanip>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "cluster/cluster_session.hpp"
#include "engine/scopes.hpp"
#include "error_of.hpp"
#include "eventually.hpp"
#include "fake_node.hpp"
#include "statehouse/execute_result.hpp"
#include "statehouse/testing/log_capture.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;
using detail::ClusterSession;
using detail::wire::request;
using detail::wire::response;

Reply prepared() {
  return FakeNode::answer(response::statement, FakeNode::number(0) + FakeNode::number(0));
}

/// One session to fake nodes, with limits that no busy machine reaches.
struct Lone {
  explicit Lone(std::vector<std::string> nodes, TimeLimit find_leader = 60s, TimeLimit dial_timeout = 60s)
      : leader(std::make_shared<detail::Leader>(ClusterOptions{
            .nodes = std::move(nodes), .database = "a.db", .dial_timeout = dial_timeout, .find_leader = find_leader})) {
  }

  ClusterSession& open(connection_role role = connection_role::writer, const ConnectionOptions& options = {}) {
    session = std::make_unique<ClusterSession>(
        detail::SessionContext{.database = "a", .role = role, .interrupter = interrupter, .logger = log.logger()},
        options, leader);
    return *session;
  }
  ExecuteResult execute(std::string_view sql) { return session->prepare(sql)->run(); }

  testing::LogCapture log;
  std::shared_ptr<detail::Interrupter> interrupter = std::make_shared<detail::Interrupter>(make_steady_clock());
  std::shared_ptr<detail::Leader> leader;
  std::unique_ptr<ClusterSession> session;
};

TEST_CASE("leader: the address that a node names is followed, and used from then on") {
  FakeNode leading;
  FakeNode following;
  following.set_leader(leading.address());
  Lone lone({following.address()});
  lone.open();
  lone.open();
  CHECK(leading.asked(request::open) == 2);
  CHECK(following.asked(request::leader) == 1);
}

TEST_CASE("leader: one that was named and does not lead is not believed") {
  FakeNode deposed;
  FakeNode leading;
  FakeNode following;
  deposed.set_leader("");
  following.set_leader(deposed.address());
  Lone lone({following.address(), leading.address()});
  lone.open();
  CHECK(deposed.asked(request::open) == 0);
  CHECK(leading.asked(request::open) == 1);
}

TEST_CASE("leader: that nobody was found to lead is known until somebody is") {
  FakeNode node;
  node.set_leader("");
  Lone lone({node.address()}, 1ms);
  const auto before = std::chrono::steady_clock::now();
  CHECK(lone.leader->missed_at() < before);
  CHECK(error_of([&] { lone.open(); }).code() == errc::unavailable);
  CHECK(lone.leader->missed_at() >= before);
  node.set_leader(node.address());
  CHECK(eventually([&] {
    try {
      lone.open();
      return true;
    } catch (const Error&) {  // a busy machine may take longer than it may look
      return false;
    }
  }));
  CHECK(lone.leader->missed_at() < before);
}

TEST_CASE("leader: with no leader the error says how each node was found, and that nothing was executed") {
  FakeNode lost;
  lost.set_leader("");
  Lone lone({"127.0.0.1:1", lost.address()}, 100ms);
  const Error error = error_of([&] { lone.open(); });
  CHECK(error.code() == errc::unavailable);
  CHECK(contains(error.what(), "nothing was executed"));
  CHECK(contains(error.what(), "127.0.0.1:1: Connection refused"));
  CHECK(contains(error.what(), lost.address() + ": "));
}

TEST_CASE("leader: one that has not applied what it leads with is asked again, and compiles nothing before") {
  FakeNode late;
  late.behind = 2;
  Lone lone({late.address()});
  lone.open();
  CHECK(late.behind == -1);
  CHECK(late.asked(request::open) == 3);
  CHECK(late.asked(request::prepare) == 0);
}

TEST_CASE("leader: a stop ends the search") {
  FakeNode lost;
  lost.set_leader("");
  Lone lone({lost.address()});
  std::thread stopper([&] {
    while (lost.asked(request::leader) == 0) std::this_thread::yield();
    lone.interrupter->request(detail::stop_reason::shutdown);
  });
  CHECK(code_of([&] { lone.open(); }) == errc::closed);
  stopper.join();
}

TEST_CASE("leader: a limit of zero is none") {
  FakeNode leading;
  FakeNode following;
  following.set_leader(leading.address());
  Lone lone({following.address()}, TimeLimit(), TimeLimit());
  lone.open();
  CHECK_NOTHROW(lone.execute("DELETE FROM t"));
}

TEST_CASE("leader: one that says that it leads and refuses as if it did not is not asked in a circle") {
  FakeNode odd([](request type, const std::string&) {
    return type == request::prepare ? prepared() : FakeNode::failure(10250, "not leader");
  });
  Lone lone({odd.address()}, 1500ms);
  lone.open();
  CHECK(code_of([&] { lone.execute("DELETE FROM t"); }) == errc::unavailable);
  CHECK(odd.asked(request::exec) > 2);
  CHECK(odd.asked(request::exec) <= 50);  // as the pauses add up
}

TEST_CASE("leader: when one connection has found the next one, the others no longer ask the one before") {
  const auto rows = FakeNode::answer(response::rows, FakeNode::number(0) + std::string(8, '\xff'));
  std::atomic<bool> deposed{false};
  FakeNode next([&](request type, const std::string&) { return type == request::prepare ? prepared() : rows; });
  std::atomic<FakeNode*> self{nullptr};
  FakeNode first([&](request type, const std::string&) {
    if (type == request::prepare) return prepared();
    if (!deposed.exchange(true)) {
      self.load()->set_leader(next.address());
      return FakeNode::hang_up();
    }
    return rows;
  });
  self = &first;
  Lone lone({first.address()});
  lone.open(connection_role::reader);
  const auto reader = std::move(lone.session);
  lone.open();
  lone.execute("SELECT a FROM t");
  reader->prepare("SELECT a FROM t")->run();
  CHECK(first.asked(request::query) == 1);
  CHECK(next.asked(request::query) == 2);
}

/// Of the kernel's list of connections: what timer that one to `address`, of the loopback interface, has.
std::string timer_of_connection_to(const std::string& address) {
  std::ostringstream port;
  port << ':' << std::uppercase << std::hex << std::setw(4) << std::setfill('0')
       << std::stoi(address.substr(address.find(':') + 1));
  std::ifstream connections("/proc/net/tcp");
  std::string slot, local, remote, state, queues, timer, rest;
  while (connections >> slot >> local >> remote >> state >> queues >> timer && std::getline(connections, rest))
    if (remote == "0100007F" + port.str() && state == "01") return timer.substr(0, 2);
  return "none";
}

TEST_CASE("session: a connection that nobody hears any more ends by itself") {
  FakeNode node;
  Lone lone({node.address()});
  lone.open();
  CHECK(timer_of_connection_to(node.address()) == "02");  // keeps alive
}

TEST_CASE("session: a write whose answer is lost is outcome_unknown, and is not sent again") {
  std::atomic<int> sent{0};
  FakeNode node([&](request type, const std::string&) {
    if (type == request::prepare) return prepared();
    return ++sent == 1 ? FakeNode::hang_up() : FakeNode::result(1, 1);
  });
  Lone lone({node.address()});
  lone.open();
  const Error error = error_of([&] { lone.execute("INSERT INTO t VALUES (1)"); });
  CHECK(error.code() == errc::outcome_unknown);
  CHECK(contains(error.what(), "look whether it is there"));
  CHECK(sent == 1);
  CHECK(lone.execute("INSERT INTO t VALUES (2)").changes == 1);  // on a new connection
  CHECK(sent == 2);
}

TEST_CASE("session: a write that a node says it has not executed is made again, unseen") {
  std::atomic<int> sent{0};
  FakeNode node([&](request type, const std::string&) {
    if (type == request::prepare) return prepared();
    switch (++sent) {
      case 1: return FakeNode::failure(10250, "not leader");
      case 2: return FakeNode::failure(7, "no more rows available");  // what its Raft library says
      default: return FakeNode::result(7, 1);
    }
  });
  Lone lone({node.address()});
  lone.open();
  CHECK(lone.execute("INSERT INTO t VALUES (1)").last_insert_rowid == 7);
  CHECK(sent == 3);
}

TEST_CASE("session: a node without memory is not taken for one that does not lead") {
  FakeNode node([](request type, const std::string&) {
    return type == request::prepare ? prepared() : FakeNode::failure(7, "out of memory");
  });
  Lone lone({node.address()});
  lone.open();
  CHECK(code_of([&] { lone.execute("INSERT INTO t VALUES (1)"); }) == make_sqlite_error(SQLITE_NOMEM));
  CHECK(node.asked(request::exec) == 1);
}

TEST_CASE("session: leadership that was lost during a write is outcome_unknown") {
  FakeNode node([](request type, const std::string&) {
    return type == request::prepare ? prepared() : FakeNode::failure(10506, "leadership lost");
  });
  Lone lone({node.address()});
  lone.open();
  CHECK(code_of([&] { lone.execute("INSERT INTO t VALUES (1)"); }) == errc::outcome_unknown);
  CHECK(node.asked(request::exec) == 1);
}

TEST_CASE(
    "session: a COMMIT without an answer is outcome_unknown where something was written, and unavailable where not") {
  FakeNode node([](request type, const std::string& body) {
    if (type == request::prepare) return prepared();
    return contains(body, "COMMIT") ? FakeNode::hang_up() : FakeNode::result();
  });
  Lone lone({node.address()});
  ClusterSession& session = lone.open();
  session.begin(detail::transaction_kind::immediate);
  lone.execute("INSERT INTO t VALUES (1)");
  CHECK(code_of([&] { session.commit(); }) == errc::outcome_unknown);
  CHECK_FALSE(session.in_transaction());
  session.begin(detail::transaction_kind::deferred);
  CHECK(code_of([&] { session.commit(); }) == errc::unavailable);
}

TEST_CASE("session: what was written before a transaction is not taken for a write of it") {
  FakeNode node([](request type, const std::string& body) {
    if (type == request::prepare) return prepared();
    return contains(body, "COMMIT") ? FakeNode::hang_up() : FakeNode::result();
  });
  Lone lone({node.address()});
  ClusterSession& session = lone.open();
  lone.execute("INSERT INTO t VALUES (1)");
  session.begin(detail::transaction_kind::deferred);
  CHECK(code_of([&] { session.commit(); }) == errc::unavailable);
  lone.execute("PRAGMA defer_foreign_keys = ON");  // of which SQLite says that it is for the next transaction
  session.begin(detail::transaction_kind::deferred);
  CHECK(session.has_deferred_violation());
  session.rollback();
  lone.execute("PRAGMA defer_foreign_keys = ON");
  lone.execute("INSERT INTO t VALUES (1)");  // which was that
  session.begin(detail::transaction_kind::deferred);
  CHECK_FALSE(session.has_deferred_violation());
}

TEST_CASE("session: foreign keys that a script has set are put back at its end; in a transaction it has set none") {
  std::atomic<int> put_back{0};
  FakeNode node([&](request type, const std::string& body) {
    if (type == request::prepare) return prepared();
    if (type == request::exec_sql && contains(body, "foreign_keys = ON")) ++put_back;
    return FakeNode::result();
  });
  Lone lone({node.address()});
  ClusterSession& session = lone.open();
  const detail::PermissionScope permission(session, detail::permission::unrestricted);
  session.begin(detail::transaction_kind::immediate);
  lone.execute("PRAGMA foreign_keys = OFF");
  session.rollback();
  CHECK_FALSE(session.changed());
  lone.execute("PRAGMA foreign_keys = OFF");
  CHECK(session.changed());
  session.end_script();
  CHECK_FALSE(session.changed());
  CHECK(put_back == 1);
}

TEST_CASE("session: a connection whose foreign keys could not be set is not used") {
  std::atomic<int> settled{0};
  FakeNode node([&](request type, const std::string&) {
    if (type == request::prepare) return prepared();
    return type == request::exec_sql && ++settled == 1 ? FakeNode::failure(5, "database is locked")
                                                       : FakeNode::result();
  });
  Lone lone({node.address()});
  lone.open(connection_role::writer, {.busy_timeout = 60s, .foreign_keys = false});
  CHECK(settled == 2);
  CHECK(node.asked(request::open) == 2);
}

TEST_CASE("session: a PREPARE that a node could not write down has executed nothing, and is made again") {
  std::atomic<int> prepares{0};
  std::atomic<int> writes{0};
  FakeNode node([&](request type, const std::string&) {
    if (type == request::prepare)
      return ++prepares % 2 == 1 ? FakeNode::failure(prepares == 1 ? 10 : 778, "disk I/O error") : prepared();
    return ++writes == 1 ? FakeNode::failure(10250, "not leader") : FakeNode::result(1, 1);
  });
  Lone lone({node.address()});
  lone.open();
  CHECK(lone.execute("INSERT INTO t VALUES (1)").changes == 1);
  CHECK(prepares == 4);
  CHECK(writes == 2);
}

TEST_CASE("session: an upsert that updates after a script has inserted gives no rowid") {
  FakeNode node(
      [](request type, const std::string&) { return type == request::prepare ? prepared() : FakeNode::result(7, 1); });
  Lone lone({node.address()});
  ClusterSession& session = lone.open();
  session.run_next("INSERT INTO t VALUES (7)", 0);
  CHECK(lone.execute("INSERT INTO t VALUES (7) ON CONFLICT DO UPDATE SET a = a").last_insert_rowid == 0);
}

TEST_CASE("session: a transaction is lost with its connection, and what follows in it is not executed alone") {
  std::atomic<bool> dying{false};
  FakeNode node([&](request type, const std::string&) {
    if (type == request::exec && dying.exchange(false)) return FakeNode::hang_up();
    return type == request::prepare ? prepared() : FakeNode::result();
  });
  Lone lone({node.address()});
  ClusterSession& session = lone.open();
  session.begin(detail::transaction_kind::immediate);
  lone.execute("INSERT INTO t VALUES (1)");
  dying = true;
  CHECK(code_of([&] { lone.execute("INSERT INTO t VALUES (2)"); }) == errc::unavailable);
  CHECK(code_of([&] { lone.execute("INSERT INTO t VALUES (3)"); }) == errc::transaction_rolled_back);
  CHECK(node.asked(request::exec) == 2);
  CHECK(session.clean() == detail::hygiene::clean);
  CHECK_NOTHROW(lone.execute("INSERT INTO t VALUES (4)"));
}

TEST_CASE("session: a read is made once more, but not handed to every leader when it kills them") {
  FakeNode node(
      [](request type, const std::string&) { return type == request::prepare ? prepared() : FakeNode::hang_up(); });
  Lone lone({node.address()});
  lone.open();
  CHECK(code_of([&] { lone.execute("SELECT a FROM t"); }) == errc::unavailable);
  CHECK(node.asked(request::query) == 2);
}

TEST_CASE("session: an error in the middle of the rows is the error, and none of them is given") {
  FakeNode node([](request type, const std::string&) {
    if (type == request::prepare) return prepared();
    std::string part =
        FakeNode::number(1) + FakeNode::text("a") + FakeNode::number(1) + FakeNode::number(5) + std::string(8, '\xee');
    Reply reply = FakeNode::answer(response::rows, part);
    reply.message += FakeNode::failure(1, "integer overflow").message;
    return reply;
  });
  Lone lone({node.address()});
  ClusterSession& session = lone.open();
  const auto statement = session.prepare("SELECT a FROM t");
  CHECK(code_of([&] { statement->step(); }) == make_sqlite_error(SQLITE_ERROR));
}

TEST_CASE("session: a node that is silent and does not confirm that it leads is given up") {
  FakeNode next([](request type, const std::string&) {
    return type == request::prepare ? prepared()
                                    : FakeNode::answer(response::rows, FakeNode::number(0) + std::string(8, '\xff'));
  });
  std::atomic<FakeNode*> self{nullptr};
  FakeNode silent([&](request type, const std::string&) -> Reply {
    if (type == request::prepare) return prepared();
    self.load()->set_leader(next.address());
    return {Reply::kind::silence};
  });
  self = &silent;
  Lone lone({silent.address()}, 60s, 1s);
  lone.open();
  CHECK_NOTHROW(lone.execute("SELECT a FROM t"));
  CHECK(silent.asked(request::query) == 1);
  CHECK(next.asked(request::query) == 1);
}

TEST_CASE("session: a node that is slow and confirms that it leads is waited for") {
  std::atomic<FakeNode*> self{nullptr};
  std::atomic<int> asked_before{0};
  FakeNode slow([&](request type, const std::string&) -> Reply {
    if (type == request::prepare) return prepared();
    if (type == request::exec) {
      asked_before = self.load()->asked(request::leader);
      return {Reply::kind::silence};
    }
    return FakeNode::result();
  });
  self = &slow;
  Lone lone({slow.address()}, 60s, 1s);
  lone.open();
  std::atomic<bool> over{false};
  std::thread stopper([&] {  // when it has been asked twice whether it leads
    while (!over && (slow.asked(request::exec) == 0 || slow.asked(request::leader) < asked_before + 2))
      std::this_thread::yield();
    slow.hang_up_on_all();
  });
  CHECK(code_of([&] { lone.execute("DELETE FROM t"); }) == errc::outcome_unknown);
  over = true;
  stopper.join();
  CHECK(slow.asked(request::leader) >= asked_before + 2);
  CHECK(slow.asked(request::exec) == 1);
}

void check_that_a_stop_ends_a_query(FakeNode& node) {
  Lone lone({node.address()});
  lone.open();
  std::thread stopper([&] {
    while (node.asked(request::query) == 0) std::this_thread::yield();
    lone.interrupter->request(detail::stop_reason::shutdown);
  });
  CHECK(code_of([&] { lone.execute("SELECT a FROM t"); }) == errc::closed);
  stopper.join();
}

TEST_CASE("session: a stop ends a query that a node works on") {
  FakeNode node([](request type, const std::string&) -> Reply {
    return type == request::prepare ? prepared() : Reply{Reply::kind::silence};
  });
  check_that_a_stop_ends_a_query(node);
}

TEST_CASE("session: a stop ends a query whose rows come without end") {
  FakeNode node([](request type, const std::string&) -> Reply {
    if (type == request::prepare) return prepared();
    Reply part = FakeNode::answer(response::rows, FakeNode::number(0) + std::string(8, '\xee'));
    part.what = Reply::kind::endless;
    while (part.message.size() < (std::size_t{1} << 20)) part.message += part.message;  // faster than they are read
    return part;
  });
  check_that_a_stop_ends_a_query(node);
}

TEST_CASE("session: a lock that somebody else holds is waited for, for busy_timeout") {
  std::atomic<int> sent{0};
  FakeNode node([&](request type, const std::string&) {
    if (type == request::prepare) return prepared();
    return ++sent == 3 ? FakeNode::result(1, 1) : FakeNode::failure(5, "database is locked");
  });
  Lone lone({node.address()});
  lone.open(connection_role::writer, {.busy_timeout = 60s});
  CHECK(lone.execute("INSERT INTO t VALUES (1)").changes == 1);
  ClusterSession& impatient = lone.open(connection_role::writer, {.busy_timeout = 1ms});
  CHECK_FALSE(impatient.try_begin(detail::transaction_kind::immediate));
  const Error error = error_of([&] { impatient.begin(detail::transaction_kind::immediate); });
  CHECK(error.code() == condition::busy);
  CHECK(contains(error.what(), "another client of the cluster writes"));
}

TEST_CASE("session: SQL that kills or breaks a node is refused before anything is sent") {
  FakeNode node;
  Lone lone({node.address()});
  ClusterSession& session = lone.open();
  session.rules().granted = detail::permission::unrestricted;
  for (const char* const sql : {"INSERT INTO t VALUES (1) RETURNING a",
                                "PRAGMA journal_mode = DELETE",
                                "PRAGMA journal_mode",
                                "PRAGMA wal_checkpoint",
                                "PRAGMA wal_autocheckpoint = 0",
                                "PRAGMA synchronous = OFF",
                                "PRAGMA locking_mode = EXCLUSIVE",
                                "PRAGMA busy_timeout = 1",
                                "ATTACH 'x' AS y",
                                "DETACH y",
                                "VACUUM INTO 'x'",
                                "PRAGMA page_size = 512",
                                "PRAGMA main.encoding = 'UTF-16'",
                                "PRAGMA encoding('UTF-16')",
                                "EXPLAIN PRAGMA journal_mode = DELETE",
                                "EXPLAIN QUERY PLAN PRAGMA encoding = 'UTF-16'",
                                "CREATE TABLE t(a BOOLEAN)",
                                "CREATE TABLE t(a BOOLEAN CHECK (typeof(a) = 'integer'))",
                                "SELECT success FROM _sqlx_migrations UNION ALL SELECT 'no'",
                                "INSERT INTO t SELECT 1 EXCEPT SELECT success FROM \"_SQLX_migrations\"",
                                "CREATE VIEW v AS SELECT success FROM main._sqlx_migrations"}) {
    CAPTURE(sql);
    CHECK(code_of([&] { session.prepare(sql); }) == errc::not_supported);
    CHECK(code_of([&] { session.run_next(sql, 0); }) == errc::not_supported);
  }
  CHECK(code_of([&] { session.prepare("SELECT 1; DELETE FROM t"); }) == errc::not_one_statement);
  CHECK(code_of([&] { session.prepare(" -- nothing"); }) == errc::not_one_statement);
  session.rules().granted = detail::permission::statements;
  for (const char* const sql : {"BEGIN", "COMMIT", "SAVEPOINT a", "VACUUM", "PRAGMA foreign_keys = OFF"})
    CHECK(code_of([&] { session.prepare(sql); }) == errc::statement_refused);
  CHECK(code_of([&] { session.native(); }) == errc::not_supported);
  for (const request type : {request::prepare, request::exec, request::query, request::exec_sql, request::query_sql})
    CHECK(node.asked(type) == 0);
}

TEST_CASE("session: a finalized statement's id is never sent again") {
  struct Asked {
    request type;
    std::uint32_t id;
  };
  std::vector<Asked> all;  // the node's, until it is gone
  std::uint32_t prepared_so_far = 0;
  const auto script = [&](request type, const std::string& body) {
    if (type == request::prepare)
      return FakeNode::answer(response::statement,
                              FakeNode::number(std::uint64_t{prepared_so_far++} << 32) + FakeNode::number(0));
    all.push_back({type, static_cast<unsigned char>(body[4])});
    if (type == request::finalize) return FakeNode::answer(response::empty, FakeNode::number(0));
    return FakeNode::result();
  };
  std::optional<FakeNode> node(std::in_place, script);
  Lone lone({node->address()});
  lone.session = std::make_unique<ClusterSession>(
      detail::SessionContext{.database = "a", .interrupter = lone.interrupter, .logger = lone.log.logger()},
      ConnectionOptions{.statement_cache = 2}, lone.leader);
  for (int round = 0; round < 3; ++round)
    for (const char* const sql : {"DELETE FROM a", "DELETE FROM b", "DELETE FROM c", "DELETE FROM c"})
      lone.execute(sql);
  lone.session.reset();
  node.reset();
  std::set<std::uint32_t> finalized;
  for (const Asked& each : all) {
    CHECK_FALSE(finalized.contains(each.id));
    if (each.type == request::finalize) finalized.insert(each.id);
  }
  CHECK(finalized.size() >= 6);
  CHECK(all.size() == 12 + finalized.size());
}

TEST_CASE("session: a reader writes nothing") {
  FakeNode node;
  Lone lone({node.address()});
  ClusterSession& session = lone.open(connection_role::reader);
  CHECK(code_of([&] { session.prepare("DELETE FROM t"); }) == errc::write_on_reader);
}

}  // namespace
}  // namespace statehouse::test
