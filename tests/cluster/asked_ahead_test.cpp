// Queries that go to a node in one piece: whose answer is whose, whatever a node says.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cluster/cluster_session.hpp"
#include "error_of.hpp"
#include "fake_node.hpp"
#include "statehouse/testing/log_capture.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;
using detail::wire::request;
using detail::wire::response;

/// A reader's session to a node that answers a query with what was bound, or with the digit that its text ends in where
/// there is nothing to bind. It gives a statement the lowest id that is free, as nodes do.
struct Asking {
  explicit Asking(std::size_t statement_cache = 16, TimeLimit find_leader = 60s)
      : node([this](request type, const std::string& body) { return reply(type, body); }) {
    leader = std::make_shared<detail::Leader>(
        ClusterOptions{.nodes = {node.address()}, .database = "a.db", .dial_timeout = 60s, .find_leader = find_leader});
    session = std::make_unique<detail::ClusterSession>(detail::SessionContext{.database = "a",
                                                                              .role = connection_role::reader,
                                                                              .interrupter = interrupter,
                                                                              .logger = log.logger(),
                                                                              .remote = true},
                                                       ConnectionOptions{.statement_cache = statement_cache}, leader);
    for (const char* const sql : {select, other}) CHECK(query(sql, 0) == 0);
  }

  Reply reply(request type, const std::string& body) {
    std::lock_guard lock(mutex);
    const auto id = static_cast<unsigned char>(body[4]);
    switch (type) {
      case request::prepare: {
        const std::string text = body.substr(8, body.find('\0', 8) - 8);
        const auto free = std::ranges::find(texts, "") - texts.begin();
        texts.resize(std::max(texts.size(), static_cast<std::size_t>(free) + 1));
        texts[static_cast<std::size_t>(free)] = text;
        asked.emplace_back("prepare");
        return FakeNode::answer(response::statement, FakeNode::number(static_cast<std::uint64_t>(free) << 32) +
                                                         FakeNode::number(contains(text, "?") ? 1 : 0));
      }
      case request::finalize:
        texts.at(id).clear();
        asked.emplace_back("finalize");
        return FakeNode::answer(response::empty, FakeNode::number(0));
      case request::exec_sql: return FakeNode::result();
      default: break;
    }
    const std::string& text = texts.at(id);
    const std::string value = contains(text, "?") ? body.substr(body.size() - 8)
                                                  : FakeNode::number(static_cast<std::uint64_t>(text.back() - '0'));
    asked.push_back(std::to_string(static_cast<unsigned char>(value[0])));
    if (value == FakeNode::number(deadly)) return FakeNode::hang_up();
    if (value == FakeNode::number(silent)) return {Reply::kind::silence};
    if (value == FakeNode::number(not_leading)) return FakeNode::failure(10 | (40 << 8), "not leader");
    if (value == FakeNode::number(refused)) return FakeNode::failure(1, "as the test says");
    return FakeNode::answer(response::rows, FakeNode::number(1) + FakeNode::text("n") + FakeNode::number(1) + value +
                                                std::string(8, '\xff'));
  }

  std::optional<std::int64_t> query(const char* sql, std::int64_t value = 0) {
    const detail::StatementPtr statement = session->prepare(sql);
    if (statement->parameter_count() != 0) statement->bind_integer(1, value);
    if (!statement->step()) return std::nullopt;
    return statement->column_integer(0);
  }
  /// Whether it is noted, to be asked with others.
  bool ask(const char* sql, std::int64_t value = 0) {
    std::size_t noted = 0;
    session->rules().asked = &noted;
    const auto answer = query(sql, value);
    session->rules().asked = nullptr;
    return !answer && noted == 1;
  }
  std::size_t fetch() { return session->fetch_ahead().answered; }
  std::vector<std::string> take_asked() {
    std::lock_guard lock(mutex);
    return std::exchange(asked, {});
  }

  using Asked = std::vector<std::string>;
  static constexpr const char* select = "SELECT ? AS n";
  static constexpr const char* other = "SELECT ? AS other";
  static constexpr std::uint64_t deadly = 66;
  static constexpr std::uint64_t refused = 77;
  static constexpr std::uint64_t silent = 88;
  static constexpr std::uint64_t not_leading = 99;

  std::mutex mutex;
  std::vector<std::string> texts;  // of the statements that it has, by their ids
  Asked asked;
  FakeNode node;
  testing::LogCapture log;
  std::shared_ptr<detail::Interrupter> interrupter = std::make_shared<detail::Interrupter>(make_steady_clock());
  std::shared_ptr<detail::Leader> leader;
  std::unique_ptr<detail::ClusterSession> session;
};

TEST_CASE_METHOD(Asking, "asked ahead: all are asked before one is answered, and each finds its own answer") {
  take_asked();
  CHECK(ask(select, 1));
  CHECK(ask(other, 2));
  CHECK(ask(select, static_cast<std::int64_t>(refused)));
  CHECK(ask(select, 3));
  CHECK(take_asked().empty());
  CHECK(fetch() == 4);
  CHECK(take_asked() == Asked{"1", "2", "77", "3"});
  CHECK(query(select, 3) == 3);
  CHECK(code_of([&] { query(select, static_cast<std::int64_t>(refused)); }) == make_sqlite_error(1));
  CHECK(query(other, 2) == 2);
  CHECK(query(select, 1) == 1);
  CHECK(take_asked().empty());
}

TEST_CASE_METHOD(Asking, "asked ahead: an answer is given once, and only until it is forgotten") {
  for (int i = 0; i < 2; ++i) CHECK(ask(select, 1));
  CHECK(fetch() == 2);
  take_asked();
  for (int i = 0; i < 3; ++i) CHECK(query(select, 1) == 1);
  CHECK(take_asked() == Asked{"1"});
  CHECK(ask(select, 2));
  CHECK(fetch() == 1);
  session->forget_ahead();
  take_asked();
  CHECK(query(select, 2) == 2);
  CHECK(take_asked() == Asked{"2"});
}

TEST_CASE_METHOD(Asking, "asked ahead: an answer takes as long as it was waited for, and is told to who has it") {
  CHECK(ask(select, 1));
  CHECK(fetch() == 1);
  CHECK(session->rules().fetched == Clock::duration{});
  query(select, 1);
  CHECK(session->rules().fetched > Clock::duration{});
}

TEST_CASE_METHOD(Asking, "asked ahead: where the node goes in the middle those before have their answers") {
  for (const std::int64_t value : {1, 66, 2}) CHECK(ask(select, value));
  take_asked();
  const detail::Fetched fetched = session->fetch_ahead();
  CHECK(fetched.answered == 1);
  CHECK(fetched.suspect);
  CHECK(take_asked() == Asked{"1", "66"});
  CHECK(query(select, 1) == 1);
  CHECK(take_asked().empty());
}

TEST_CASE_METHOD(Asking, "asked ahead: who was on his way when a node was lost is handed to one more, not to all") {
  session->rules().suspect = true;
  take_asked();
  CHECK(code_of([&] { query(select, 66); }) == errc::unavailable);
  CHECK(take_asked() == Asked{"66"});
  session->rules().suspect = false;
  CHECK(code_of([&] { query(select, 66); }) == errc::unavailable);
  CHECK(take_asked() == Asked{"prepare", "66", "prepare", "66"});
}

TEST_CASE_METHOD(Asking, "asked ahead: what was prepared for a link that is gone is not sent on another") {
  CHECK(ask(select, 1));
  node.hang_up_on_all();
  take_asked();
  CHECK(fetch() == 0);
  CHECK_FALSE(session->can_ask_ahead(select));
  CHECK(query(select, 1) == 1);
  CHECK(take_asked() == Asked{"prepare", "1"});
  CHECK(session->can_ask_ahead(select));
  CHECK_FALSE(session->can_ask_ahead(other));  // not compiled on the new one
}

TEST_CASE_METHOD(Asking, "asked ahead: nothing is sent where all are to stop") {
  for (const std::int64_t value : {1, 2}) CHECK(ask(select, value));
  take_asked();
  interrupter->arm(Clock::time_point::max());
  interrupter->request(detail::stop_reason::shutdown);
  CHECK(fetch() == 0);
  CHECK(take_asked().empty());
  interrupter->disarm();
  interrupter->arm(Clock::time_point::max());
  CHECK(query(select, 2) == 2);
}

TEST_CASE_METHOD(Asking, "asked ahead: a stop while the node is silent ends the wait") {
  for (const std::int64_t value : {1, 88}) CHECK(ask(select, value));
  interrupter->arm(interrupter->clock().now() + 50ms);
  const detail::Fetched fetched = session->fetch_ahead();
  CHECK(fetched.answered <= 1);
  CHECK(fetched.suspect);  // it may still run there
  interrupter->arm(Clock::time_point::max());
  CHECK(query(select, 2) == 2);
}

TEST_CASE_METHOD(Asking, "asked ahead: who is to stop is told so, whatever answer is there") {
  CHECK(ask(select, 1));
  CHECK(fetch() == 1);
  interrupter->arm(Clock::time_point::max());
  interrupter->request(detail::stop_reason::cancelled);
  CHECK(code_of([&] { query(select, 1); }) == boost::system::errc::operation_canceled);
}

TEST_CASE_METHOD(Asking, "asked ahead: what a node says of itself is nobody's answer, nor what it says after that") {
  for (const std::int64_t value : {1, 99, 2}) CHECK(ask(select, value));
  CHECK(fetch() == 1);
  take_asked();
  CHECK(query(select, 1) == 1);
  CHECK(query(select, 2) == 2);
  CHECK(take_asked() == Asked{"2"});
}

TEST_CASE("asked ahead: an id that the node has given again is not taken for the statement that had it") {
  Asking test(3);
  for (const char* const sql : {"SELECT 1", "SELECT 2"}) CHECK(test.query(sql).has_value());  // beside `other`
  CHECK(test.ask("SELECT 1"));
  CHECK(test.ask("SELECT 2"));
  CHECK(test.fetch() == 2);
  for (const char* const sql : {"SELECT 3", "SELECT 4", "SELECT 5"}) CHECK(test.query(sql) == sql[7] - '0');
  CHECK(test.query("SELECT 2") == 2);
  CHECK(test.query("SELECT 1") == 1);
}

TEST_CASE_METHOD(Asking, "asked ahead: not in a transaction, nor what is not compiled, nor what is in use") {
  session->begin(detail::transaction_kind::deferred);
  CHECK_FALSE(session->can_ask_ahead(select));
  CHECK_FALSE(ask(select, 1));
  session->rollback();
  CHECK_FALSE(session->can_ask_ahead("SELECT 1"));
  {
    const detail::StatementPtr statement = session->prepare(select);
    CHECK_FALSE(session->can_ask_ahead(select));
  }
  CHECK(session->can_ask_ahead(select));
  CHECK(ask(select, 1));
}

TEST_CASE_METHOD(Asking, "asked ahead: no more than the kernels keep while nobody takes the answers") {
  for (int round = 0; round < 2; ++round) {
    std::size_t noted = 0;
    for (; session->can_ask_ahead(select); ++noted) REQUIRE((ask(select, 1) && noted < 10'000));
    CHECK(noted > 15);
    CHECK_FALSE(ask(select, 1));
    CHECK(fetch() == noted);
    session->forget_ahead();
  }
}

TEST_CASE_METHOD(Asking, "asked ahead: a request that is larger than that is not") {
  const std::string large(100'000, '\1');
  std::size_t noted = 0;
  session->rules().asked = &noted;
  {
    const detail::StatementPtr statement = session->prepare(select);
    statement->bind_text(1, large, detail::bound_memory::lent);
    CHECK_FALSE(statement->step());
  }
  session->rules().asked = nullptr;
  CHECK(noted == 0);
  CHECK(ask(select, 1));
  CHECK(fetch() == 1);
}

TEST_CASE_METHOD(Asking, "asked ahead: nothing is written while queries are noted") {
  session->rules().read_only = false;
  const detail::StatementPtr statement = session->prepare("INSERT INTO t VALUES (1)");
  take_asked();
  std::size_t noted = 0;
  session->rules().asked = &noted;
  statement->run();
  session->rules().asked = nullptr;
  CHECK(noted == 0);
  CHECK(take_asked().empty());
}

TEST_CASE_METHOD(Asking,
                 "asked ahead: nothing is sent to a node that another connection has found not to lead any more") {
  CHECK(ask(select, 1));
  take_asked();
  FakeNode next([this](request type, const std::string& body) { return reply(type, body); });
  node.set_leader(next.address());
  next.set_leader(next.address());
  const auto found = leader->connect(*interrupter, "a.db");
  CHECK(fetch() == 0);
  CHECK(take_asked().empty());
}

}  // namespace
}  // namespace statehouse::test
