#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace statehouse::server {

/// What a handler throws when the client has asked for something that cannot be; `what()` is told to the client.
class HttpError : public std::runtime_error {
 public:
  HttpError(unsigned status, std::string code, const std::string& message)
      : std::runtime_error(message), status_(status), code_(std::move(code)) {}

  unsigned status() const noexcept { return status_; }
  const std::string& code() const noexcept { return code_; }

 private:
  unsigned status_;
  std::string code_;
};

}  // namespace statehouse::server
