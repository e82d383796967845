#pragma once

#include <memory>

namespace statehouse::detail {

class Interrupter;
struct LocalEngineConfig;

/// Does what `PoolOptions::startup_check` says of the file that is about to be opened. Blocks. Throws Error with
/// `errc::file_damaged`, or when `interrupter` stops it.
void check_at_startup(const LocalEngineConfig& config, const std::shared_ptr<Interrupter>& interrupter);

}  // namespace statehouse::detail
