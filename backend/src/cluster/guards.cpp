#include "cluster/guards.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "cluster/declared_types.hpp"
#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

constexpr std::array<std::string_view, 3> set_by_all{"application_id", "defer_foreign_keys", "user_version"};
constexpr std::array<std::string_view, 2> of_maintenance{"foreign_keys", "optimize"};

template <std::size_t N>
bool has_name(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// Nothing that is not known to be safe is sent: older nodes obey PRAGMAs that break them, journal_mode for one.
void check_pragma(Session& session, std::string_view sql, const StatementFacts& facts) {
  if (facts.reads() || has_name(set_by_all, facts.pragma)) return;
  if (!has_name(of_maintenance, facts.pragma))
    session.fail(errc::not_supported,
                 "PRAGMA " + facts.pragma +
                     " is not sent to a cluster, whose nodes look after journal, locks and checkpoints themselves: "
                     "leave it out",
                 sql);
  if (session.rules().granted == permission::statements)
    session.fail(errc::statement_refused,
                 "a PRAGMA that changes a connection is refused here: use write_without_transaction or the options",
                 sql);
}

void check_control(Session& session, std::string_view sql, const StatementFacts& facts) {
  if (session.rules().granted != permission::statements) return;
  using kind = StatementFacts::kind;
  const bool nested = facts.what == kind::savepoint || facts.what == kind::release || facts.what == kind::rollback_to;
  session.fail(errc::statement_refused,
               nested ? "SAVEPOINT is refused here: use savepoint(f)"
                      : "BEGIN, COMMIT and ROLLBACK are refused here: use write(f), or begin() for a transaction that "
                        "spans awaits",
               sql);
}

}  // namespace

void check_allowed(Session& session, std::string_view sql, const std::vector<SqlToken>& tokens,
                   const StatementFacts& facts) {
  if (!facts.pragma.empty()) return check_pragma(session, sql, facts);
  if (facts.controls_transaction()) return check_control(session, sql, facts);
  if (is_at(tokens, 0, "ATTACH") || is_at(tokens, 0, "DETACH"))
    session.fail(errc::not_supported,
                 "a cluster keeps one database per pool and attaches none: configure a pool of its own for the other",
                 sql);
  if (is_at(tokens, 0, "VACUUM")) {
    if (tokens.size() > 1)
      session.fail(errc::not_supported, "a node writes no files of yours: VACUUM INTO needs a local database", sql);
    if (session.rules().granted == permission::statements)
      session.fail(errc::statement_refused, "VACUUM is refused here: use write_without_transaction(f)", sql);
  }
  if (facts.returning)
    session.fail(errc::not_supported,
                 "RETURNING is not sent to a cluster, as it kills nodes of many versions: in write(f), run the "
                 "statement without it and read the row by a query, ExecuteResult::last_insert_rowid being its rowid",
                 sql);
  if (const auto column = unsafe_column(tokens))
    session.fail(errc::not_supported,
                 "the column " + column->name + " is declared " + column->type +
                     ", which no node reads safely: declare it " +
                     (same_ascii(column->type, "BOOLEAN") ? "INTEGER" : "TEXT, or INTEGER for a number of seconds") +
                     ", best in a STRICT table",
                 sql);
  if (mixes_record(tokens))
    session.fail(
        errc::not_supported,
        "a compound SELECT or a view of _sqlx_migrations could kill a node, which sends all values by the types "
        "of that table: read it by a SELECT of its own",
        sql);
}

}  // namespace statehouse::detail
