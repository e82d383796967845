#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace statehouse::detail {
class Session;
}  // namespace statehouse::detail

#pragma GCC visibility push(default)
namespace statehouse {
enum class errc;
struct ExecuteResult;
}  // namespace statehouse

namespace statehouse::detail {

/// How SQLite stores a value.
enum class storage_class : unsigned char { null, integer, real, text, blob };

/// Whose memory a bound text or blob is in.
enum class bound_memory : unsigned char {
  lent,   ///< The caller's, until the statement is given back.
  copied  ///< The statement makes a copy.
};

/// A prepared statement checked out of its connection: exclusively the holder's until it is given back, then reset and
/// unbound. Two of the same text may be out at once. One of the three interfaces of the seam behind which an engine
/// stands (Engine, Session, Statement); it is here because the verbs' templates bind and read through it.
///
/// Lifetime: must not outlive the closure or operation it was prepared in.
class Statement {
 public:
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// True when there is a row. Throws Error; a stop that was requested before the first step is not lost.
  virtual bool step() = 0;
  /// Steps to the end, ignoring rows.
  virtual ExecuteResult run() = 0;

  /// It may be bound and run again; until then each parameter keeps its value.
  virtual void reset() noexcept = 0;

  /// False for what may change the database.
  virtual bool reads_only() const noexcept = 0;

  virtual int parameter_count() const noexcept = 0;
  /// As it is written, with its sign; empty where it is a `?`.
  virtual std::string parameter_name(int index) const = 0;
  virtual void bind_null(int index) = 0;
  virtual void bind_integer(int index, std::int64_t value) = 0;
  virtual void bind_real(int index, double value) = 0;
  virtual void bind_text(int index, std::string_view value, bound_memory memory) = 0;
  virtual void bind_blob(int index, std::span<const std::byte> value, bound_memory memory) = 0;

  virtual int column_count() const noexcept = 0;
  virtual std::string column_name(int index) const = 0;
  /// Of the value in the present row.
  virtual storage_class column_class(int index) const noexcept = 0;
  virtual std::int64_t column_integer(int index) const noexcept = 0;
  virtual double column_real(int index) const noexcept = 0;
  /// Valid until the next step. Throws Error when there is no memory for it.
  virtual std::string_view column_text(int index) const = 0;
  virtual std::span<const std::byte> column_blob(int index) const = 0;

  virtual const std::string& sql() const noexcept = 0;
  /// Logical name of the database.
  virtual const std::string& database() const noexcept = 0;
  /// Throws Error with the two.
  [[noreturn]] void fail(errc code, const std::string& message) const;

 protected:
  Statement() = default;
  ~Statement() = default;

 private:
  friend struct GiveBack;
  virtual void give_back() noexcept = 0;
};

struct GiveBack {
  void operator()(Statement* statement) const noexcept { statement->give_back(); }
};
using StatementPtr = std::unique_ptr<Statement, GiveBack>;

StatementPtr prepare(Session& session, std::string_view sql);
/// Whether what the statement does becomes part of an open transaction, and is kept if that is; or cannot be undone
/// but by a savepoint.
bool changes_transaction(Session& session, const Statement& statement) noexcept;

}  // namespace statehouse::detail
#pragma GCC visibility pop
