#pragma once

#include <memory>
#include <string>

namespace statehouse::detail {

class Session;

/// While it lives, a line in the log every ten seconds: `<what> still running after 20 s<where>`. Written by the
/// clock's timer and not by the progress handler, which is asked nothing while SQLite waits for a lock or sorts.
class Heartbeat {
 public:
  Heartbeat(const Session& session, std::string what, std::string where);
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

 private:
  struct Beat;
  std::shared_ptr<Beat> beat_;  // null where nobody reads such lines
};

}  // namespace statehouse::detail
