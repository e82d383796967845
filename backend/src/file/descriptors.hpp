#pragma once

namespace statehouse::detail {

/// This process can not open the few files more that a database takes. What SQLite says then is not always that.
bool out_of_descriptors() noexcept;

}  // namespace statehouse::detail
