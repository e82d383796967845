#include "cluster/cluster_statement.hpp"

#include <sqlite3.h>

#include <utility>

#include "statehouse/execute_result.hpp"

namespace statehouse::detail {

void ClusterStatement::give_back() noexcept {
  session_.give_back(&prepared_);
  delete this;
}

std::span<const wire::Parameter> ClusterStatement::sent() const {
  if (parameters_.size() <= wire::max_parameters) return parameters_;
  fail(errc::not_supported, "a statement on a cluster has at most " + std::to_string(wire::max_parameters) +
                                " parameters, not " + std::to_string(parameters_.size()) +
                                ": run several, or bind one JSON text and read it by json_each");
}

bool ClusterStatement::step() {
  if (!std::exchange(ran_, true)) {
    if (!reads_only()) {
      session_.execute(prepared_, sent());
      return false;
    }
    parts_ = session_.query(prepared_, sent());
    if (parts_.empty()) return false;
    reader_.emplace(parts_.front().body);
  }
  return reader_ && next_row(*reader_);
}

ExecuteResult ClusterStatement::run() {
  if (!reads_only()) return session_.execute(prepared_, sent());
  session_.query(prepared_, sent());
  return {};
}

void ClusterStatement::reset() noexcept {
  ran_ = false;
  reader_.reset();
  parts_.clear();
  part_ = 0;
  copies_.clear();
}

bool ClusterStatement::next_row(wire::RowReader& reader) {
  while (!reader.next(row_)) {
    if (part_ + 1 == parts_.size()) return false;
    reader = wire::RowReader(parts_[++part_].body);
  }
  check_row();
  return true;
}

/// A NULL in a column of such a type comes as false or as an empty text: better no value than a wrong one.
void ClusterStatement::check_row() const {
  for (std::size_t i = 0; i < row_.size(); ++i) {
    const wire::Value& each = row_[i];
    if (each.type >= wire::value_type::unix_time)
      fail(errc::not_supported, "column '" + column_name(static_cast<int>(i)) +
                                    "' is declared BOOLEAN, DATE, DATETIME or TIMESTAMP, of which a node does not tell "
                                    "NULL from a value: select an expression, +column, or declare it INTEGER or TEXT");
    if (std::cmp_greater(each.bytes.size(), session_.longest()))
      throw Error(make_sqlite_error(SQLITE_TOOBIG), "a value is longer than is allowed here",
                  {database(), shorten(sql())});
  }
}

/// A node tells only how many there are.
std::string ClusterStatement::parameter_name(int index) const {
  return parameter_names(tokens_of(prepared_.sql)).at(static_cast<std::size_t>(index - 1));
}

void ClusterStatement::bind_null(int index) {
  parameter(index) = std::monostate();
}

void ClusterStatement::bind_integer(int index, std::int64_t value) {
  parameter(index) = value;
}

void ClusterStatement::bind_real(int index, double value) {
  parameter(index) = value;
}

void ClusterStatement::bind_text(int index, std::string_view value, bound_memory memory) {
  if (value.find('\0') != std::string_view::npos)
    fail(errc::value_out_of_range, "parameter " + std::to_string(index) +
                                       " is a text with a NUL byte, at which it would end on a cluster: bind a blob");
  parameter(index) = memory == bound_memory::lent ? value : std::string_view(copies_.emplace_back(value));
}

void ClusterStatement::bind_blob(int index, std::span<const std::byte> value, bound_memory memory) {
  if (memory == bound_memory::copied)
    value = std::as_bytes(std::span(copies_.emplace_back(reinterpret_cast<const char*>(value.data()), value.size())));
  parameter(index) = value;
}

int ClusterStatement::column_count() const noexcept {
  return reader_ ? static_cast<int>(reader_->columns().size()) : 0;
}

std::string ClusterStatement::column_name(int index) const {
  return reader_ ? std::string(reader_->columns()[static_cast<std::size_t>(index)]) : std::string();
}

storage_class ClusterStatement::column_class(int index) const noexcept {
  switch (value(index).type) {
    case wire::value_type::integer: return storage_class::integer;
    case wire::value_type::real: return storage_class::real;
    case wire::value_type::text: return storage_class::text;
    case wire::value_type::blob: return storage_class::blob;
    default: return storage_class::null;
  }
}

/// An INTEGER may be read as a double, as SQLite would.
double ClusterStatement::column_real(int index) const noexcept {
  const wire::Value& each = value(index);
  return each.type == wire::value_type::real ? each.real : static_cast<double>(each.integer);
}

std::span<const std::byte> ClusterStatement::column_blob(int index) const {
  const std::string_view bytes = value(index).bytes;
  return {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
}

}  // namespace statehouse::detail
