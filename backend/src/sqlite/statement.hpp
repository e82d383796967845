#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>

#include "sqlite/handle.hpp"
#include "statehouse/detail/statement.hpp"

namespace statehouse::detail {

/// A statement that SQLite has compiled. Belongs to the cache, or, where that has no room for it, to whoever has it.
class LocalStatement final : public Statement {
 public:
  /// Takes ownership of `compiled`.
  LocalStatement(Handle& handle, std::string_view sql, sqlite3_stmt* compiled)
      : handle_(handle), sql_(sql), compiled_(compiled) {}
  ~LocalStatement() { sqlite3_finalize(compiled_); }

  bool step() override;
  ExecuteResult run() override;
  void reset() noexcept override;
  bool reads_only() const noexcept override { return sqlite3_stmt_readonly(compiled_) != 0; }

  int parameter_count() const noexcept override { return sqlite3_bind_parameter_count(compiled_); }
  std::string parameter_name(int index) const override;
  void bind_null(int index) override;
  void bind_integer(int index, std::int64_t value) override;
  void bind_real(int index, double value) override;
  void bind_text(int index, std::string_view value, bound_memory memory) override;
  void bind_blob(int index, std::span<const std::byte> value, bound_memory memory) override;

  int column_count() const noexcept override { return sqlite3_column_count(compiled_); }
  std::string column_name(int index) const override;
  storage_class column_class(int index) const noexcept override;
  std::int64_t column_integer(int index) const noexcept override { return sqlite3_column_int64(compiled_, index); }
  double column_real(int index) const noexcept override { return sqlite3_column_double(compiled_, index); }
  std::string_view column_text(int index) const override;
  std::span<const std::byte> column_blob(int index) const override;

  const std::string& sql() const noexcept override { return sql_; }
  const std::string& database() const noexcept override { return handle_.config().context.database; }
  /// What SQLite and this object take of memory.
  std::size_t bytes() const noexcept;

  // The cache's books.
  std::size_t cached_bytes = 0;  ///< What it counts for there; 0 when it is not there, and its user's own.
  bool in_use = true;

 private:
  void give_back() noexcept override;
  void check(int result) const;
  void begin_writing();
  void end_writing(bool failed) noexcept;

  Handle& handle_;
  const std::string sql_;
  sqlite3_stmt* const compiled_;
  bool has_row_ = false;
  std::unique_ptr<StatementWrites> writes_;  // made when somebody first wants to hear of commits
};

}  // namespace statehouse::detail
