#pragma once

#include "regexp/charset.hpp"
#include "regexp/reader.hpp"
#include "regexp/writer.hpp"

namespace statehouse::detail {

/// At `[`, up to the `]` that closes it. Takes from the budget of `out` what the set operators need, and writes
/// nothing.
CharSet read_bracket(RegexpReader& in, RegexpWriter& out);

}  // namespace statehouse::detail
