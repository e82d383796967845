#include "engine/error_class.hpp"

#include <sqlite3.h>

#include "statehouse/error.hpp"

namespace statehouse::detail {
namespace {

/// The primary result code, SQLITE_OK where SQLite has nothing to do with it.
int primary_code(const boost::system::error_code& error) noexcept {
  return error.category() == sqlite_category() ? error.value() & 0xff : SQLITE_OK;
}

}  // namespace

boost::system::error_code code_of(const std::exception_ptr& error) noexcept {
  try {
    if (error != nullptr) std::rethrow_exception(error);
  } catch (const Error& known) {
    return known.code();
  } catch (...) {  // the user's own
  }
  return {};
}

bool may_depend_on_transaction(const boost::system::error_code& error) noexcept {
  switch (primary_code(error)) {
    case SQLITE_ERROR:
    case SQLITE_FULL:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM: return true;
    default: return false;
  }
}

bool tells_of_the_file(const boost::system::error_code& error) noexcept {
  switch (primary_code(error)) {
    case SQLITE_BUSY:
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_NOTADB:
    case SQLITE_PROTOCOL:
    case SQLITE_READONLY: return true;
    default: return false;
  }
}

bool tells_of_full_disk(const boost::system::error_code& error) noexcept {
  return primary_code(error) == SQLITE_FULL;
}

std::string explain_missing_function(std::string_view text) {
  if (!text.starts_with("no such function")) return {};
  return std::string("; this is SQLite ") + sqlite3_libversion() + ", a newer one may have it";
}

}  // namespace statehouse::detail
