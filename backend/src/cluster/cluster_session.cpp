#include "cluster/cluster_session.hpp"

#include <sqlite3.h>

#include <utility>

#include "cluster/cluster_statement.hpp"
#include "cluster/guards.hpp"
#include "statehouse/execute_result.hpp"

namespace statehouse::detail {
namespace {

constexpr const char* begin_text(transaction_kind kind) {
  return kind == transaction_kind::immediate ? "BEGIN IMMEDIATE" : "BEGIN";
}

std::vector<wire::Rows> ask(Link& link, std::string_view sql) {
  return link.query(wire::query_sql_request(sql));
}

/// The one statement of `sql`, and what it is; refused where there is none, or more than one.
std::vector<SqlToken> one_statement(const Session& session, std::string_view sql) {
  if (sql.find('\0') != std::string_view::npos)
    session.fail(errc::not_one_statement, "the text contains a NUL byte", sql);
  SqlScanner scanner(sql);
  const auto first = scanner.next_statement();
  if (!first) session.fail(errc::not_one_statement, "the text holds no SQL statement", sql);
  // An older node would ignore what follows.
  if (scanner.next_statement())
    session.fail(errc::not_one_statement,
                 "the text holds more than one SQL statement: run them one by one, or use execute_script in write(f)",
                 sql);
  return tokens_of(first->text);
}

}  // namespace

ClusterSession::ClusterSession(SessionContext context, const ConnectionOptions& options, std::shared_ptr<Leader> leader)
    : Session(std::move(context)),
      conversation_(*this, std::move(leader), options),
      statements_(options.statement_cache),
      foreign_keys_(options.foreign_keys) {
  rules().read_only = this->context().role == connection_role::reader;
  rules().granted = permission::statements;
}

ClusterSession::~ClusterSession() {
  take_kept().reset();
}

StatementPtr ClusterSession::prepare(std::string_view sql) {
  if (rules().expects_transaction) require_transaction(*this);
  PreparedStatement* statement = statements_.check_out(sql);
  if (statement == nullptr) statement = compile(sql);
  StatementPtr result(new ClusterStatement(*this, *statement));
  if (rules().read_only && !statement->facts.reads())
    fail(errc::write_on_reader, "the statement writes: use execute, execute_returning or write(f)", sql);
  return result;
}

PreparedStatement* ClusterSession::compile(std::string_view sql) {
  const std::vector<SqlToken> tokens = one_statement(*this, sql);
  StatementFacts facts = facts_of(tokens);
  check_allowed(*this, sql, tokens, facts);
  auto statement = std::make_unique<PreparedStatement>(sql, std::move(facts));
  if (!statement->facts.controls_transaction()) compile(*statement);
  // What only some may run is looked at each time.
  if (rules().granted != permission::statements) return statements_.lend(std::move(statement));
  return statements_.adopt(std::move(statement));
}

void ClusterSession::compile(PreparedStatement& statement) {
  conversation_.run(effect::nothing, statement.sql, [&](Link& link) { statements_.compile(statement, link); });
}

std::vector<wire::Rows> ClusterSession::query(PreparedStatement& statement,
                                              std::span<const wire::Parameter> parameters) {
  if (std::size_t* const asked = rules().asked) {
    if (conversation_.can_ask_ahead(statement) &&
        conversation_.ask_ahead(wire::query_request(statement.id, parameters)))
      ++*asked;
    return {};
  }
  if (conversation_.has_asked()) {
    auto rows = conversation_.take_asked(wire::query_request(statement.id, parameters), statement.sql, rules().fetched);
    if (!rows.empty()) return rows;
  }
  return conversation_.run(effect::nothing, statement.sql, [&](Link& link) {
    statements_.compile(statement, link);
    return link.query(wire::query_request(statement.id, parameters));
  });
}

bool ClusterSession::can_ask_ahead(std::string_view sql) const noexcept {
  const PreparedStatement* const statement = statements_.find(sql);
  return statement != nullptr && conversation_.can_ask_ahead(*statement);
}

template <class Request>
wire::Result ClusterSession::write(const StatementFacts& facts, std::string_view sql, Request request) {
  const bool commits = !in_transaction();
  if (!commits) conversation_.note_write(facts);
  if (!facts.changes_rows) schema_.forget();
  const wire::Result result = conversation_.run(commits ? effect::commits : effect::nothing, sql,
                                                [&](Link& link) -> wire::Result { return request(link, commits); });
  if (commits) conversation_.note_write(facts);
  last_insert_rowid_ = result.last_insert_rowid;
  return result;
}

ExecuteResult ClusterSession::execute(PreparedStatement& statement, std::span<const wire::Parameter> parameters) {
  if (rules().asked != nullptr) return {};
  const StatementFacts& facts = statement.facts;
  if (facts.controls_transaction()) {
    conversation_.control(facts.what, statement.sql);
    return {};
  }
  if (goes_ahead(facts)) {
    if (!conversation_.knows(statement)) compile(statement);
    conversation_.send_ahead(facts, statement.sql, wire::exec_request(statement.id, parameters));
    ++rules().ahead->sent;
    return {};
  }
  const std::uint64_t earlier = last_insert_rowid_;
  const wire::Result result = write(facts, statement.sql, [&](Link& link, bool commits) {
    statements_.compile(statement, link);
    const std::string request = wire::exec_request(statement.id, parameters);
    // As a COMMIT: it is waited for, since only the node knows what has become of it.
    std::optional<Interrupter::Shield> shield;
    if (commits) shield.emplace(interrupter());
    return link.ask<wire::Result>(request);
  });
  return result_of(facts, result, earlier);
}

std::size_t ClusterSession::run_next(const std::string& script, std::size_t at) {
  if (rules().expects_transaction) require_transaction(*this);
  const std::string_view rest = std::string_view(script).substr(at);
  SqlScanner scanner(rest);
  const auto statement = scanner.next_statement();
  const std::size_t next = at + scanner.position();
  if (!statement) return rest.find('\0') == std::string_view::npos ? script.size() : at;
  if (statement->text.find('\0') != std::string_view::npos) return at;
  const std::vector<SqlToken> tokens = tokens_of(statement->text);
  const StatementFacts facts = facts_of(tokens);
  const std::string_view sql = statement->text;
  check_allowed(*this, sql, tokens, facts);
  if (rules().read_only && !facts.reads()) fail(errc::write_on_reader, "the statement writes: use write(f)", sql);
  if (facts.controls_transaction()) {
    conversation_.control(facts.what, sql);
  } else if (facts.reads()) {
    conversation_.run(effect::nothing, sql, [&](Link& link) { return ask(link, sql); });
  } else {
    write(facts, sql, [&](Link& link, bool commits) {
      std::optional<Interrupter::Shield> shield;
      if (commits) shield.emplace(interrupter());
      return link.ask<wire::Result>(wire::exec_sql_request(sql));
    });
  }
  return next;
}

void ClusterSession::begin(transaction_kind kind) {
  conversation_.control(StatementFacts::kind::begin, begin_text(kind));
  rules().expects_transaction = true;
}

/// Writes share a transaction only where none can leave a foreign key to the others: no node tells whether one is
/// violated at the moment, and alone each would have failed. Reads would only have two round trips more in one.
bool ClusterSession::try_begin(transaction_kind kind) noexcept {
  if (kind == transaction_kind::deferred || !conversation_.try_begin(schema_)) return false;
  rules().expects_transaction = true;
  if (!schema_.defers_keys()) return true;
  rollback();
  return false;
}

/// See SentAhead: nothing that could end the transaction, and nothing after which the schema might.
bool ClusterSession::goes_ahead(const StatementFacts& facts) noexcept {
  return rules().ahead != nullptr && facts.changes_rows && !facts.rolls_back && !schema_.rolls_back() &&
         !conversation_.defers_keys() && conversation_.has_room_ahead();
}

void ClusterSession::commit() {
  require_transaction(*this);
  const Interrupter::Shield shield(interrupter());
  try {
    conversation_.control(StatementFacts::kind::commit, "COMMIT");
    rules().expects_transaction = false;
  } catch (...) {
    rollback();
    throw;
  }
}

bool ClusterSession::rollback() noexcept {
  rules().expects_transaction = false;
  const Interrupter::Shield shield(interrupter());
  conversation_.roll_back();
  return true;
}

void ClusterSession::savepoint(savepoint_step step) {
  if (step == savepoint_step::rollback)
    return conversation_.control(StatementFacts::kind::rollback_to, "ROLLBACK TO statehouse");
  if (rules().expects_transaction) require_transaction(*this);
  conversation_.throw_if_stopped({});
  if (step == savepoint_step::begin)
    return conversation_.control(StatementFacts::kind::savepoint, "SAVEPOINT statehouse");
  const Interrupter::Shield shield(interrupter());
  conversation_.control(StatementFacts::kind::release, "RELEASE statehouse");
}

hygiene ClusterSession::clean() noexcept {
  let_go();
  const bool open = in_transaction();
  rollback();
  return open ? hygiene::rolled_back : hygiene::clean;
}

void ClusterSession::begin_script(std::optional<bool> foreign_keys) {
  if (foreign_keys) conversation_.set_foreign_keys(*foreign_keys);
}

SQLite::Database& ClusterSession::native() {
  fail(errc::not_supported, "a database of a cluster is inside its nodes: there is no SQLite handle of it here", {});
}

}  // namespace statehouse::detail
