# For `run`: the library's files each by itself, with a precompiled header of what is not its own, so that a mutation
# compiles soon.
cmake_language(DEFER CALL set_target_properties statehouse PROPERTIES UNITY_BUILD OFF)
cmake_language(DEFER CALL target_precompile_headers statehouse PRIVATE
  <boost/asio/any_completion_handler.hpp> <boost/asio/awaitable.hpp> <boost/asio/bind_executor.hpp>
  <boost/asio/deferred.hpp> <boost/asio/post.hpp> <boost/asio/strand.hpp> <boost/asio/this_coro.hpp>
  <boost/intrusive/list.hpp> <algorithm> <filesystem> <functional> <map> <memory> <mutex> <set> <string> <vector>)
