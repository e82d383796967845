#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/session.hpp"

namespace statehouse::bench {

/// A statement that costs nothing: one row with one empty text.
class FreeStatement final : public detail::Statement {
 public:
  void reset() noexcept override { stepped_ = false; }

  bool step() override { return !std::exchange(stepped_, true); }
  ExecuteResult run() override { return {}; }
  bool reads_only() const noexcept override { return true; }  // asks nobody for a savepoint
  int parameter_count() const noexcept override { return 2; }
  std::string parameter_name(int) const override { return {}; }
  void bind_null(int) override {}
  void bind_integer(int, std::int64_t) override {}
  void bind_real(int, double) override {}
  void bind_text(int, std::string_view, detail::bound_memory) override {}
  void bind_blob(int, std::span<const std::byte>, detail::bound_memory) override {}
  int column_count() const noexcept override { return 1; }
  std::string column_name(int) const override { return "value"; }
  detail::storage_class column_class(int) const noexcept override { return detail::storage_class::text; }
  std::int64_t column_integer(int) const noexcept override { return 0; }
  double column_real(int) const noexcept override { return 0; }
  std::string_view column_text(int) const override { return ""; }
  std::span<const std::byte> column_blob(int) const override { return {}; }
  const std::string& sql() const noexcept override { return text_; }
  const std::string& database() const noexcept override { return text_; }

 private:
  void give_back() noexcept override {}

  const std::string text_ = "free";
  bool stepped_ = false;
};

/// A connection to no database, on which everything succeeds and costs nothing: what is measured with it is what stands
/// above the engine.
class FreeSession final : public detail::Session {
 public:
  using Session::Session;

  detail::StatementPtr prepare(std::string_view) override {
    statement_.reset();
    return detail::StatementPtr(&statement_);
  }
  bool has_prepared(std::string_view) const noexcept override { return true; }
  std::uint64_t take_compiled() noexcept override { return 0; }
  std::size_t run_next(const std::string& script, std::size_t) override { return script.size(); }

  void begin(detail::transaction_kind) override { open_ = true; }
  bool try_begin(detail::transaction_kind) noexcept override { return open_ = true; }
  void commit() override { open_ = false; }
  bool rollback() noexcept override { return !(open_ = false); }
  void savepoint(detail::savepoint_step) override {}
  bool in_transaction() const noexcept override { return open_; }
  bool has_deferred_violation() const noexcept override { return false; }

  void take_back() noexcept override {}
  detail::hygiene clean() noexcept override { return detail::hygiene::clean; }
  void restore_settings() noexcept override {}
  void remember_settings() override {}
  bool changed() const noexcept override { return false; }
  bool put_back() noexcept override { return true; }
  void take_over(Session&) override {}
  void begin_script(std::optional<bool>) override {}
  void end_script() noexcept override {}
  int limit_length(int bytes) noexcept override { return bytes; }

  const detail::LastError& last_error() const noexcept override { return error_; }
  SQLite::Database& native() override { fail(errc::not_supported, "there is no SQLite behind this", {}); }

 private:
  FreeStatement statement_;
  const detail::LastError error_{};
  bool open_ = false;
};

}  // namespace statehouse::bench
