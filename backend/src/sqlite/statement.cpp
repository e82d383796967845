#include "sqlite/statement.hpp"

#include <utility>

#include "statehouse/connection.hpp"

namespace statehouse::detail {

bool LocalStatement::step() {
  const bool begins = !sqlite3_stmt_busy(compiled_);
  if (begins) {
    handle_.throw_if_stopped(sql_);
    // Others that ran between its rows had to reset it (see Handle::forget_interrupt): it would begin anew.
    if (std::exchange(has_row_, false))
      throw Error(make_sqlite_error(SQLITE_INTERRUPT), "the query was interrupted between two rows",
                  {database(), shorten(sql_)});
    begin_writing();
  }
  const bool in_transaction = begins && handle_.in_transaction();
  int result = handle_.callbacks().step(compiled_);
  // A write that is interrupted takes its transaction with it, and must not be done again outside.
  if (result == SQLITE_INTERRUPT && begins && handle_.in_transaction() == in_transaction &&
      handle_.forget_interrupt(result)) {
    begin_writing();
    result = handle_.callbacks().step(compiled_);
  }
  has_row_ = result == SQLITE_ROW;
  switch (result) {
    case SQLITE_ROW: return true;
    case SQLITE_DONE: end_writing(false); return false;
    default: end_writing(true); handle_.fail(result, sql_);
  }
}

void LocalStatement::begin_writing() {
  CommitNotes* const notes = handle_.commit_notes();
  if (notes == nullptr) return;
  notes->settle();  // what one that has failed has written all the same, before this one rolls something back
  if (reads_only()) return;
  if (!notes->wanted()) return notes->add_unseen();
  if (writes_ == nullptr) writes_ = std::make_unique<StatementWrites>();
  writes_->begin(handle_, compiled_, sql_);
}

/// What one that has failed has written all the same is told when the next one begins, or at the end of the operation:
/// SQLite still knows why.
void LocalStatement::end_writing(bool failed) noexcept {
  CommitNotes* const notes = handle_.commit_notes();
  if (notes == nullptr) return;
  if (writes_ != nullptr) writes_->end(handle_, compiled_, sql_, failed);
  if (!failed) notes->settle();
}

ExecuteResult LocalStatement::run() {
  sqlite3* const db = handle_.get();
  const auto before = sqlite3_total_changes64(db);
  const InsertId::Watch watch(handle_.insert_id(), db);
  while (step()) {
  }
  // sqlite3_changes64 keeps the number of an earlier statement when this one was not an INSERT, UPDATE or DELETE.
  const bool changed = sqlite3_total_changes64(db) != before;
  return {changed ? sqlite3_changes64(db) : 0, watch.inserted()};
}

void LocalStatement::reset() noexcept {
  sqlite3_reset(compiled_);
  has_row_ = false;
  end_writing(true);
}

void LocalStatement::give_back() noexcept {
  // A write that is left between its rows, because one of them could not be read: SQLite has done all of it by then,
  // and would commit. An interrupt makes it undo. (In a transaction that would undo the transaction: see Query.)
  if (!handle_.in_transaction() && sqlite3_stmt_busy(compiled_) && !reads_only()) {
    sqlite3_interrupt(handle_.get());
    sqlite3_step(compiled_);
  }
  reset();
  if (cached_bytes == 0) {
    delete this;
    return;
  }
  sqlite3_clear_bindings(compiled_);
  in_use = false;
}

void LocalStatement::check(int result) const {
  if (result != SQLITE_OK) handle_.fail(result, sql_);
}

std::string LocalStatement::parameter_name(int index) const {
  const char* const name = sqlite3_bind_parameter_name(compiled_, index);
  return name != nullptr ? name : "";
}

void LocalStatement::bind_null(int index) {
  check(sqlite3_bind_null(compiled_, index));
}

void LocalStatement::bind_integer(int index, std::int64_t value) {
  check(sqlite3_bind_int64(compiled_, index, value));
}

void LocalStatement::bind_real(int index, double value) {
  check(sqlite3_bind_double(compiled_, index, value));
}

void LocalStatement::bind_text(int index, std::string_view value, bound_memory memory) {
  // A null pointer would bind NULL; an empty view may carry one.
  const char* const data = value.data() != nullptr ? value.data() : "";
  check(sqlite3_bind_text64(compiled_, index, data, value.size(),
                            memory == bound_memory::copied ? SQLITE_TRANSIENT : SQLITE_STATIC, SQLITE_UTF8));
}

void LocalStatement::bind_blob(int index, std::span<const std::byte> value, bound_memory memory) {
  const void* const data = value.data() != nullptr ? static_cast<const void*>(value.data()) : "";
  check(sqlite3_bind_blob64(compiled_, index, data, value.size(),
                            memory == bound_memory::copied ? SQLITE_TRANSIENT : SQLITE_STATIC));
}

std::string LocalStatement::column_name(int index) const {
  const char* const name = sqlite3_column_name(compiled_, index);
  return name != nullptr ? name : "";
}

storage_class LocalStatement::column_class(int index) const noexcept {
  switch (sqlite3_column_type(compiled_, index)) {
    case SQLITE_INTEGER: return storage_class::integer;
    case SQLITE_FLOAT: return storage_class::real;
    case SQLITE_TEXT: return storage_class::text;
    case SQLITE_BLOB: return storage_class::blob;
    default: return storage_class::null;
  }
}

std::string_view LocalStatement::column_text(int index) const {
  const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(compiled_, index));
  if (text == nullptr) handle_.fail(SQLITE_NOMEM, sql_);
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(compiled_, index))};
}

std::span<const std::byte> LocalStatement::column_blob(int index) const {
  const auto* const data = static_cast<const std::byte*>(sqlite3_column_blob(compiled_, index));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(compiled_, index))};
}

std::size_t LocalStatement::bytes() const noexcept {
  return sql_.size() + static_cast<std::size_t>(sqlite3_stmt_status(compiled_, SQLITE_STMTSTATUS_MEMUSED, 0));
}

}  // namespace statehouse::detail
