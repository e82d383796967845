#pragma once

#include "cluster/channel.hpp"

namespace statehouse::detail {

/// What a node's failure says of the request that it answers.
enum class server_verdict : unsigned char {
  statement,     ///< The statement's own error; the connection goes on.
  busy,          ///< Somebody else writes, or a checkpoint runs. Not executed.
  not_executed,  ///< This node does not lead any more, or knows the connection no more, which is of no use then.
  unknown,       ///< It has stopped to lead meanwhile. What was to be committed may be, also later. Of no use either.
  storage        ///< Could not be written down: of a commit, nobody knows.
};

server_verdict judge(const Refusal& refusal) noexcept;

}  // namespace statehouse::detail
