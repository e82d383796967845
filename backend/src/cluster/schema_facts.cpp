#include "cluster/schema_facts.hpp"

#include "cluster/encoder.hpp"

namespace statehouse::detail {
namespace {

/// Of an answer with one row of numbers.
std::vector<std::int64_t> numbers_in(const std::vector<wire::Rows>& parts, std::size_t count) {
  wire::RowReader reader(parts.front().body);
  std::vector<wire::Value> row;
  std::vector<std::int64_t> numbers;
  if (reader.next(row))
    for (const wire::Value& value : row) numbers.push_back(value.integer);
  numbers.resize(count);
  return numbers;
}

}  // namespace

std::string SchemaFacts::question() {
  return wire::query_sql_request("PRAGMA schema_version");
}

void SchemaFacts::update(const std::vector<wire::Rows>& answer, Link& link) {
  const std::int64_t version = numbers_in(answer, 1)[0];
  if (version == version_) return;
  const auto found =
      numbers_in(link.query(wire::query_sql_request("SELECT coalesce(sum(sql LIKE '%DEFERRED%'), 0), "
                                                    "coalesce(sum(sql LIKE '%ROLLBACK%'), 0) FROM sqlite_master")),
                 2);
  defers_keys_ = found[0] != 0;
  rolls_back_ = found[1] != 0;
  version_ = version;
}

}  // namespace statehouse::detail
