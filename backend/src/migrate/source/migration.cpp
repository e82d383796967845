#include "statehouse/migration.hpp"

#include <utility>

namespace statehouse {

MigrationError::MigrationError(boost::system::error_code code, const std::string& message, Where where, Context context,
                               boost::system::error_code cause)
    : Error(code, message, std::move(context)), where_(std::move(where)), cause_(cause) {}

}  // namespace statehouse
