#pragma once

namespace statehouse::detail {

/// What to do about an error of the operating system on a file, in half a sentence.
const char* advice(int error) noexcept;

}  // namespace statehouse::detail
