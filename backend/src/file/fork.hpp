#pragma once

namespace statehouse::detail {

/// Changes in the child after every fork(). What was opened under another value must not be used or closed: SQLite's
/// locks do not survive a fork (https://www.sqlite.org/howtocorrupt.html section 2.6).
unsigned fork_generation() noexcept;

}  // namespace statehouse::detail
