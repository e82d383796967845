#pragma once

#include <boost/system/error_code.hpp>
#include <exception>
#include <string>
#include <string_view>

namespace statehouse::detail {

/// None where there is none, and of what is the user's own.
boost::system::error_code code_of(const std::exception_ptr& error) noexcept;

/// Errors that a statement may get only because it is inside of a transaction, as VACUUM does, or because others have
/// taken what it needs in there.
bool may_depend_on_transaction(const boost::system::error_code& error) noexcept;

/// Locks and I/O, as opposed to what is wrong with a statement.
bool tells_of_the_file(const boost::system::error_code& error) noexcept;

/// There is no space for what is written.
bool tells_of_full_disk(const boost::system::error_code& error) noexcept;

/// What to add where SQLite says `text` of a function that it does not have: which SQLite this is. Else empty.
std::string explain_missing_function(std::string_view text);

}  // namespace statehouse::detail
