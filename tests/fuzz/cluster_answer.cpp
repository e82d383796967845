// Answers of a cluster's nodes: whatever comes is read or refused as no protocol, never past its end; and the files of
// a database are the same in whatever pieces they come.

#include <sqlite3.h>

#include <optional>
#include <string>

#include "cluster/decoder.hpp"
#include "cluster/files_reader.hpp"
#include "fuzz.hpp"
#include "statehouse/error.hpp"

using namespace statehouse;
using namespace statehouse::detail;
using fuzz::require;

namespace {

/// What a reader gives out of a body that comes in pieces of `size`, up to where it refuses.
std::optional<std::string> files_of(std::string_view body, std::size_t size) {
  std::string given;
  try {
    wire::FilesReader reader(body.size(), [&](std::string_view name, std::string_view bytes) {
      if (bytes.empty()) given.append(name) += '\0';
      given += bytes;
    });
    for (; !body.empty(); body.remove_prefix(std::min(size, body.size()))) reader.feed(body.substr(0, size));
    require(reader.left() == 0, "what is not refused is read to its end");
  } catch (const Error& error) {
    require(error.code() == make_sqlite_error(SQLITE_PROTOCOL), "a refusal says that this is no protocol");
    return std::nullopt;
  }
  return given;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message = fuzz::text_of(data, size);
  try {
    wire::decode_all(message);
  } catch (const Error& error) {
    require(error.code() == make_sqlite_error(SQLITE_PROTOCOL), "a refusal says that this is no protocol");
  }
  const auto whole = files_of(message, std::max<std::size_t>(size, 1));
  require(files_of(message, 3) == whole, "files are the same in other pieces");
  return 0;
}
