#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "cluster/cluster_session.hpp"

namespace statehouse::detail {

/// One use of a statement that the leader has compiled. Its rows have all come when the first is given: a connection
/// that is lost in between is no matter of who reads them, and the next statement need not wait.
class ClusterStatement final : public Statement {
 public:
  ClusterStatement(ClusterSession& session, PreparedStatement& prepared)
      : session_(session), prepared_(prepared), parameters_(static_cast<std::size_t>(prepared.parameters)) {}

  bool step() override;
  ExecuteResult run() override;
  void reset() noexcept override;
  bool reads_only() const noexcept override { return prepared_.facts.reads(); }

  int parameter_count() const noexcept override { return prepared_.parameters; }
  std::string parameter_name(int index) const override;
  void bind_null(int index) override;
  void bind_integer(int index, std::int64_t value) override;
  void bind_real(int index, double value) override;
  void bind_text(int index, std::string_view value, bound_memory memory) override;
  void bind_blob(int index, std::span<const std::byte> value, bound_memory memory) override;

  // Of the answer: there are none before the first step.
  int column_count() const noexcept override;
  std::string column_name(int index) const override;
  storage_class column_class(int index) const noexcept override;
  std::int64_t column_integer(int index) const noexcept override { return value(index).integer; }
  double column_real(int index) const noexcept override;
  std::string_view column_text(int index) const override { return value(index).bytes; }
  std::span<const std::byte> column_blob(int index) const override;

  const std::string& sql() const noexcept override { return prepared_.sql; }
  const std::string& database() const noexcept override { return session_.database(); }

 private:
  void give_back() noexcept override;
  wire::Parameter& parameter(int index) { return parameters_.at(static_cast<std::size_t>(index - 1)); }
  const wire::Value& value(int index) const noexcept { return row_[static_cast<std::size_t>(index)]; }
  std::span<const wire::Parameter> sent() const;
  bool next_row(wire::RowReader& reader);
  void check_row() const;

  ClusterSession& session_;
  PreparedStatement& prepared_;
  std::vector<wire::Parameter> parameters_;
  std::deque<std::string> copies_;
  bool ran_ = false;
  std::vector<wire::Rows> parts_;
  std::size_t part_ = 0;
  std::optional<wire::RowReader> reader_;
  std::vector<wire::Value> row_;
};

}  // namespace statehouse::detail
