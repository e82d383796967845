#pragma once

#include <cstddef>
#include <memory>

#include "statehouse/migration.hpp"

namespace statehouse::detail {

class Session;

/// A line in the log every ten seconds while one migration of a run takes long. Written by the clock's timer and not by
/// the progress handler, which is asked nothing while SQLite waits for a lock or sorts. One timer for the whole run: to
/// arm one for each migration would wake the clock's thread each time.
class Heartbeat {
 public:
  explicit Heartbeat(const Session& session);
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  /// `migration` must live until `end`.
  void begin(const Migration& migration, std::size_t index, std::size_t total);
  /// No line comes after this.
  void end();

 private:
  struct Beat;
  std::shared_ptr<Beat> beat_;  // null where nobody reads such lines
};

}  // namespace statehouse::detail
