#pragma once

#include <chrono>
#include <cstddef>

namespace statehouse::server {

/// What keeps clients from using up memory, descriptors and time.
struct HttpLimits {
  std::size_t connections = 900;  ///< Served at once; with the databases below the usual limit of 1024 descriptors.
  std::size_t refusals = 64;      ///< Further ones that are told 503; beyond that they are closed without a word.
  std::size_t header_bytes = std::size_t{16} << 10;  ///< Beast counts from where it first had to wait for more.
  std::size_t body_bytes = std::size_t{1} << 20;
  std::chrono::milliseconds request_timeout{30'000};  ///< To receive one request; to send one response.
  std::chrono::milliseconds idle_timeout{60'000};     ///< Until the first byte of the next request.
};

}  // namespace statehouse::server
