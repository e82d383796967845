#include <sqlite3.h>

#include <cerrno>

#include "statehouse/error.hpp"

namespace statehouse {
namespace {

std::string_view name(errc code) noexcept {
  switch (code) {
    case errc::invalid_name: return "invalid_name";
    case errc::not_initialised: return "not_initialised";
    case errc::already_open: return "already_open";
    case errc::closed: return "closed";
    case errc::forked_process: return "forked_process";
    case errc::acquire_timeout: return "acquire_timeout";
    case errc::deadline_exceeded: return "deadline_exceeded";
    case errc::queue_full: return "queue_full";
    case errc::would_deadlock: return "would_deadlock";
    case errc::operation_in_progress: return "operation_in_progress";
    case errc::write_on_reader: return "write_on_reader";
    case errc::statement_refused: return "statement_refused";
    case errc::not_one_statement: return "not_one_statement";
    case errc::parameter_count: return "parameter_count";
    case errc::parameter_name: return "parameter_name";
    case errc::transaction_rolled_back: return "transaction_rolled_back";
    case errc::transaction_finished: return "transaction_finished";
    case errc::no_row: return "no_row";
    case errc::too_many_rows: return "too_many_rows";
    case errc::column_count: return "column_count";
    case errc::column_name: return "column_name";
    case errc::column_type: return "column_type";
    case errc::unexpected_null: return "unexpected_null";
    case errc::value_out_of_range: return "value_out_of_range";
    case errc::not_a_regular_file: return "not_a_regular_file";
    case errc::hard_linked: return "hard_linked";
    case errc::file_in_use: return "file_in_use";
    case errc::file_replaced: return "file_replaced";
    case errc::sync_failed: return "sync_failed";
    case errc::file_damaged: return "file_damaged";
    case errc::wal_unavailable: return "wal_unavailable";
    case errc::not_supported: return "not_supported";
    case errc::invalid_option: return "invalid_option";
    case errc::unavailable: return "unavailable";
    case errc::outcome_unknown: return "outcome_unknown";
    case errc::invalid_handle: return "invalid_handle";
    case errc::migration_source: return "migration_source";
    case errc::migration_none: return "migration_none";
    case errc::migration_refused: return "migration_refused";
    case errc::migration_dirty: return "migration_dirty";
    case errc::migration_missing: return "migration_missing";
    case errc::migration_mismatch: return "migration_mismatch";
    case errc::migration_failed: return "migration_failed";
    case errc::migration_target: return "migration_target";
    case errc::migration_order: return "migration_order";
    case errc::migration_pending: return "migration_pending";
    case errc::migration_recorded: return "migration_recorded";
  }
  return "other";
}

std::string_view name_in_sqlite(int code) noexcept {
  switch (code & 0xff) {
    case SQLITE_ERROR: return "SQLITE_ERROR";
    case SQLITE_INTERNAL: return "SQLITE_INTERNAL";
    case SQLITE_PERM: return "SQLITE_PERM";
    case SQLITE_ABORT: return "SQLITE_ABORT";
    case SQLITE_BUSY: return "SQLITE_BUSY";
    case SQLITE_LOCKED: return "SQLITE_LOCKED";
    case SQLITE_NOMEM: return "SQLITE_NOMEM";
    case SQLITE_READONLY: return "SQLITE_READONLY";
    case SQLITE_INTERRUPT: return "SQLITE_INTERRUPT";
    case SQLITE_IOERR: return "SQLITE_IOERR";
    case SQLITE_CORRUPT: return "SQLITE_CORRUPT";
    case SQLITE_NOTFOUND: return "SQLITE_NOTFOUND";
    case SQLITE_FULL: return "SQLITE_FULL";
    case SQLITE_CANTOPEN: return "SQLITE_CANTOPEN";
    case SQLITE_PROTOCOL: return "SQLITE_PROTOCOL";
    case SQLITE_EMPTY: return "SQLITE_EMPTY";
    case SQLITE_SCHEMA: return "SQLITE_SCHEMA";
    case SQLITE_TOOBIG: return "SQLITE_TOOBIG";
    case SQLITE_CONSTRAINT: return "SQLITE_CONSTRAINT";
    case SQLITE_MISMATCH: return "SQLITE_MISMATCH";
    case SQLITE_MISUSE: return "SQLITE_MISUSE";
    case SQLITE_NOLFS: return "SQLITE_NOLFS";
    case SQLITE_AUTH: return "SQLITE_AUTH";
    case SQLITE_FORMAT: return "SQLITE_FORMAT";
    case SQLITE_RANGE: return "SQLITE_RANGE";
    case SQLITE_NOTADB: return "SQLITE_NOTADB";
    default: return "other";
  }
}

}  // namespace

std::string_view name_of(const boost::system::error_code& code) noexcept {
  if (code.category() == statehouse_category()) return name(static_cast<errc>(code.value()));
  if (code.category() == sqlite_category()) return name_in_sqlite(code.value());
  if (code == boost::system::errc::operation_canceled) return "operation_aborted";
  return "other";
}

}  // namespace statehouse
