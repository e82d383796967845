#pragma once

#include <boost/json.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "files.hpp"
#include "plain_database.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/migrator.hpp"

/// Reads the recorded cases and looks at databases from outside the library, with the plain C API.
namespace statehouse::test {

namespace json = boost::json;

inline const std::filesystem::path sqlx_data = std::filesystem::path(STATEHOUSE_CONFORMANCE_DIR) / "sqlx";

inline json::value read_json(const std::filesystem::path& file) {
  return json::parse(read_file(file));
}

/// Rows as arrays; blobs as hexadecimal text. SQLite's message instead of rows when it fails.
json::value rows_of(const PlainDatabase& db, const std::string& sql);

/// The whole state of a database, in the shape of the recorded states.
json::object state_of(const std::filesystem::path& file);

/// What a recorded step says about its failure: the error code and the version it names.
struct ExpectedFailure {
  errc code;
  std::optional<std::int64_t> version;
};
ExpectedFailure expected_failure(const json::object& outcome);

}  // namespace statehouse::test
