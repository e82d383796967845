#include "statehouse/detail/open_query.hpp"

#include "engine/session.hpp"

namespace statehouse::detail {
namespace {

// A batch ends with the row that reaches one of them. The docstring of RowStream tells both.
constexpr std::size_t rows_per_batch = 1000;
constexpr std::size_t bytes_per_batch = 256 << 10;

std::size_t bytes_of(const Statement& row) {
  std::size_t bytes = 0;
  for (int i = 0; i < row.column_count(); ++i) {
    switch (row.column_class(i)) {
      case storage_class::text: bytes += row.column_text(i).size(); break;
      case storage_class::blob: bytes += row.column_blob(i).size(); break;
      default: break;
    }
  }
  return bytes;
}

}  // namespace

OpenQuery::OpenQuery(Session& session, StatementPtr statement) : session_(session), statement_(std::move(statement)) {
  if (!statement_->reads_only())
    statement_->fail(errc::write_on_reader,
                     "the statement writes, and its rows are read one by one: use execute_returning");
}

OpenQuery::~OpenQuery() {
  hand_over(false);
}

void OpenQuery::hand_over(bool row) noexcept {
  if (std::exchange(between_rows_, row) != row) session_.interrupter().count_open_query(row ? 1 : -1);
}

bool OpenQuery::step() {
  hand_over(false);
  require_transaction();
  if (const stop_reason stopped = session_.interrupter().reason(); stopped != stop_reason::none) {
    const auto code = code_of(stopped);
    throw Error(code, "the query was stopped between two rows: " + code.message(),
                {session_.database(), shorten(statement_->sql())});
  }
  const bool row = statement_->step();
  hand_over(row);
  return row;
}

void OpenQuery::require_transaction() const {
  if (session_.rules().expects_transaction) detail::require_transaction(session_);
}

KeptQuery::KeptQuery(Session& session, std::unique_ptr<StreamSource> source)
    : source_(std::move(source)), query_(session, source_->prepare(session)) {}

bool KeptQuery::read_batch() {
  std::size_t bytes = 0;
  for (std::size_t rows = 0; rows < rows_per_batch && bytes < bytes_per_batch; ++rows) {
    if (!query_.step()) return false;
    source_->take_row(query_.statement());
    bytes += bytes_of(query_.statement());
  }
  return true;
}

}  // namespace statehouse::detail
