// Writes that share a transaction and are not waited for one by one: what each has come to, whatever a node says.

#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cluster/cluster_session.hpp"
#include "error_of.hpp"
#include "fake_node.hpp"
#include "statehouse/testing/log_capture.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;
using detail::Answer;
using detail::wire::request;
using detail::wire::response;

Reply one_row(const std::vector<std::uint64_t>& numbers) {
  std::string body = FakeNode::number(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) body += FakeNode::text("n");
  std::string types(8, '\0');
  for (std::size_t i = 0; i < numbers.size(); ++i)
    types[i / 2] = static_cast<char>(types[i / 2] | (1 << (4 * (i % 2))));
  body += types;
  for (const std::uint64_t each : numbers) body += FakeNode::number(each);
  return FakeNode::answer(response::rows, body + std::string(8, '\xff'));
}

/// A session to a node that knows one schema and answers statements as it is told: the first, the second and so on.
struct SendingAhead {
  SendingAhead() : node([this](request type, const std::string& body) { return reply(type, body); }) {
    leader = std::make_shared<detail::Leader>(
        ClusterOptions{.nodes = {node.address()}, .database = "a.db", .dial_timeout = 60s, .find_leader = 60s});
    session = std::make_unique<detail::ClusterSession>(
        detail::SessionContext{.database = "a", .interrupter = interrupter, .logger = log.logger(), .remote = true},
        ConnectionOptions{}, leader);
  }

  Reply reply(request type, const std::string& body) {
    std::lock_guard lock(mutex);
    if (type == request::prepare)
      return FakeNode::answer(response::statement, FakeNode::number(0) + FakeNode::number(0));
    if (type == request::query_sql)
      return contains(body, "schema_version") ? one_row({1}) : one_row({0, schema_rolls_back ? 1U : 0U});
    if (type == request::query) return one_row({1});
    if (type == request::exec_sql) {
      const bool commits = contains(body, "COMMIT");
      asked.push_back(commits ? "COMMIT" : contains(body, "BEGIN") ? "BEGIN" : "other");
      return commits && on_commit.what != Reply::kind::silence ? on_commit : FakeNode::result();
    }
    asked.push_back("exec");
    const auto scripted = replies.find(++executed);
    return scripted != replies.end() ? scripted->second : FakeNode::result(executed, 1);
  }

  /// Begins and runs so many, which may all be sent ahead; gives how many were.
  std::size_t send(int statements, const char* sql = "INSERT INTO t VALUES (1)") {
    if (!session->in_transaction()) REQUIRE(session->try_begin(detail::transaction_kind::immediate));
    session->rules().ahead = &ahead;
    const std::size_t before = ahead.sent;
    for (int i = 0; i < statements; ++i) session->prepare(sql)->run();
    session->rules().ahead = nullptr;
    return ahead.sent - before;
  }
  boost::system::error_code commit() {
    try {
      session->commit();
    } catch (const Error& error) {
      return error.code();
    }
    return {};
  }
  /// Of each, that it is kept, or why not.
  std::vector<boost::system::error_code> outcomes() {
    answers = session->take_answers();
    std::vector<boost::system::error_code> codes;
    for (const Answer& each : answers)
      codes.push_back(each.error == nullptr ? kept : code_of([&] { std::rethrow_exception(each.error); }));
    return codes;
  }
  int execs() {
    std::lock_guard lock(mutex);
    return static_cast<int>(executed);
  }

  using Codes = std::vector<boost::system::error_code>;
  const boost::system::error_code kept{};
  const boost::system::error_code lost = errc::transaction_rolled_back;
  const boost::system::error_code unknown = errc::outcome_unknown;
  const boost::system::error_code full = make_sqlite_error(SQLITE_FULL);

  std::mutex mutex;
  std::map<std::uint64_t, Reply> replies;
  Reply on_commit{Reply::kind::silence};  // as any other
  bool schema_rolls_back = false;
  std::uint64_t executed = 0;
  std::vector<std::string> asked;
  FakeNode node;
  testing::LogCapture log;
  std::shared_ptr<detail::Interrupter> interrupter = std::make_shared<detail::Interrupter>(make_steady_clock());
  std::shared_ptr<detail::Leader> leader;
  std::unique_ptr<detail::ClusterSession> session;
  detail::Ahead ahead;
  std::vector<Answer> answers;
};

const Reply no_transaction = FakeNode::failure(1, "cannot commit - no transaction is active");
const Reply is_full = FakeNode::failure(13, "database or disk is full");

TEST_CASE_METHOD(SendingAhead, "sent ahead: all go with the commit, and each has its own result") {
  CHECK(send(3) == 3);
  CHECK(execs() == 0);
  CHECK(commit() == kept);
  CHECK(outcomes() == Codes{kept, kept, kept});
  CHECK(asked == std::vector<std::string>{"BEGIN", "exec", "exec", "exec", "COMMIT"});
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(answers[i].result.changes == 1);
    CHECK(answers[i].result.last_insert_rowid == static_cast<std::int64_t>(i) + 1);
  }
  CHECK(outcomes().empty());
}

TEST_CASE_METHOD(SendingAhead, "sent ahead: an error is its statement's alone") {
  replies[2] = FakeNode::failure(SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed: t.a");
  send(3);
  CHECK(commit() == kept);
  CHECK(outcomes() == Codes{kept, make_sqlite_error(SQLITE_CONSTRAINT_UNIQUE), kept});
  const Error error = error_of([&] { std::rethrow_exception(answers[1].error); });
  CHECK(std::string(error.what()) ==
        "database 'a': UNIQUE constraint failed: t.a (SQLite 2067) [INSERT INTO t VALUES (1)]");
}

TEST_CASE_METHOD(SendingAhead, "sent ahead: without the commit's answer only those that have failed are certain") {
  replies[2] = FakeNode::failure(SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed: t.a");
  on_commit = FakeNode::hang_up();
  send(3);
  CHECK(commit() == unknown);
  CHECK(outcomes() == Codes{kept, make_sqlite_error(SQLITE_CONSTRAINT_UNIQUE), kept});  // kept if that is
}

TEST_CASE_METHOD(SendingAhead,
                 "sent ahead: with a node that dies in the middle nothing is certain, as the commit was sent") {
  replies[2] = FakeNode::hang_up();
  send(3);
  CHECK(commit() == unknown);
  CHECK(outcomes() == Codes{kept, kept, kept});  // if the commit is
  CHECK(execs() == 2);
}

TEST_CASE_METHOD(SendingAhead,
                 "sent ahead: what a node that does not lead any more has refused is lost, and can be done again") {
  for (std::uint64_t i = 2; i <= 3; ++i) replies[i] = FakeNode::failure(10250, "not leader");
  on_commit = FakeNode::failure(10250, "not leader");
  send(3);
  CHECK(commit() == errc::unavailable);
  CHECK(outcomes() == Codes{lost, lost, lost});
}

TEST_CASE_METHOD(SendingAhead,
                 "sent ahead: a connection that was closed before has got nothing, and all can be done again") {
  send(3);
  node.hang_up_on_all();
  CHECK(commit() == errc::unavailable);
  CHECK(outcomes() == Codes{lost, lost, lost});
  CHECK(execs() == 0);
}

TEST_CASE_METHOD(SendingAhead,
                 "sent ahead: where one ends the transaction, those behind it are kept, and those before are lost") {
  replies[2] = is_full;
  on_commit = no_transaction;
  send(4);
  CHECK(commit() == make_sqlite_error(SQLITE_ERROR));
  CHECK(outcomes() == Codes{lost, full, kept, kept});
}

TEST_CASE_METHOD(SendingAhead,
                 "sent ahead: where one of two may have ended the transaction, what is between them is unknown") {
  replies[2] = replies[4] = is_full;
  on_commit = no_transaction;
  send(5);
  CHECK(commit() == make_sqlite_error(SQLITE_ERROR));
  CHECK(outcomes() == Codes{lost, full, unknown, full, kept});
}

TEST_CASE_METHOD(SendingAhead,
                 "sent ahead: an error that has not ended the transaction after all is its statement's alone") {
  replies[2] = is_full;
  send(3);
  CHECK(commit() == kept);
  CHECK(outcomes() == Codes{kept, full, kept});
}

TEST_CASE_METHOD(SendingAhead, "sent ahead: where no answer tells what has ended the transaction, all are unknown") {
  on_commit = no_transaction;
  send(2);
  CHECK(commit() == make_sqlite_error(SQLITE_ERROR));
  CHECK(outcomes() == Codes{unknown, unknown});
}

TEST_CASE_METHOD(SendingAhead, "sent ahead: what is rolled back was never sent") {
  send(2);
  session->rollback();
  CHECK(outcomes() == Codes{lost, lost});
  CHECK(execs() == 0);
}

TEST_CASE_METHOD(SendingAhead, "sent ahead: before anything else is asked, all that were put off have been answered") {
  send(2);
  session->prepare("SELECT a FROM t")->run();
  CHECK(execs() == 2);
  send(1);
  CHECK(commit() == kept);
  CHECK(outcomes() == Codes{kept, kept, kept});
}

TEST_CASE_METHOD(SendingAhead, "sent ahead: after one that has ended the transaction nothing more is executed") {
  replies[2] = is_full;
  send(3);
  CHECK(code_of([&] { session->prepare("SELECT a FROM t")->run(); }) == errc::transaction_rolled_back);
  CHECK_FALSE(session->in_transaction());
  CHECK(node.asked(request::query) == 0);
  session->rollback();
  CHECK(outcomes() == Codes{lost, full, kept});
}

TEST_CASE_METHOD(SendingAhead, "sent ahead: what could end the transaction is waited for") {
  CHECK(send(1, "INSERT OR ROLLBACK INTO t VALUES (1)") == 0);
  CHECK(send(1, "DROP TABLE u") == 0);
  CHECK(send(1) == 0);  // of the schema after that nothing is known
  session->commit();
  CHECK(send(1) == 1);
  session->commit();
  session->take_answers();
  schema_rolls_back = true;  // ON CONFLICT ROLLBACK, or RAISE(ROLLBACK)
  session->run_next("CREATE TABLE v(a UNIQUE ON CONFLICT ROLLBACK)", 0);
  CHECK(send(1) == 0);
  session->commit();
}

TEST_CASE_METHOD(SendingAhead,
                 "sent ahead: who is stopped before it is sent is not, and a stop does not end the commit") {
  send(1);
  interrupter->arm(Clock::time_point::max());
  interrupter->request(detail::stop_reason::cancelled);
  CHECK(code_of([&] { send(1); }) == boost::system::errc::operation_canceled);
  session->rules().ahead = nullptr;
  CHECK(commit() == kept);
  CHECK(outcomes() == Codes{kept});
}

}  // namespace
}  // namespace statehouse::test
