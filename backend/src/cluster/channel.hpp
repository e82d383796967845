#pragma once

#include <string>

#include "cluster/decoder.hpp"
#include "cluster/files_reader.hpp"
#include "cluster/socket.hpp"
#include "statehouse/time_limit.hpp"

namespace statehouse::detail {

/// What a node has answered instead of what was asked for. Never leaves this room.
class Refusal : public std::runtime_error {
 public:
  explicit Refusal(wire::Failure failure) : std::runtime_error(failure.message), code_(failure.code) {}
  std::uint64_t code() const noexcept { return code_; }

 private:
  std::uint64_t code_;
};

/// A connection to one node that speaks its protocol. Answers come in the order of the requests, of which several may
/// be under way.
///
/// Thread-safety: one thread at a time. Errors: NetworkError, after which it is of no use any more, except for one of
/// `receive` that has `timed_out`: the same call may be made again. Error with SQLITE_PROTOCOL, after which it is of no
/// use either.
class Channel {
 public:
  /// Connects and shakes hands.
  Channel(std::string address, const Patience& patience);

  void send(std::string_view request, const Patience& patience) { socket_.send(request, patience); }
  /// The next answer, a Failure among them.
  wire::Response receive(const Patience& patience);
  /// Gives the files of a database to `take` as they come, for as long as something comes within each `silence`; zero
  /// is no limit. Throws Refusal for a Failure, and what `take` throws, after which this is of no use any more.
  void receive_files(wire::FilesReader::Take take, const Interrupter& interrupter, TimeLimit silence);
  /// The answer to a request that is sent now. Throws Refusal for a Failure.
  template <class Answer>
  Answer ask(std::string_view request, const Patience& patience);

  /// The address that it was made with.
  const std::string& address() const noexcept { return address_; }
  /// The node has gone, or has sent what nobody has asked for.
  bool disturbed() const noexcept { return !buffer_.empty() || socket_.disturbed(); }

 private:
  void fill(std::size_t bytes, const Patience& patience);
  wire::Header next_header(const Patience& patience);

  const std::string address_;
  Socket socket_;
  std::string buffer_;  // what was received and is not given out
};

/// The answer as what it must be. Throws Refusal, or Error where it is neither.
template <class Answer>
Answer expect(wire::Response response) {
  if (auto* const failure = std::get_if<wire::Failure>(&response)) throw Refusal(std::move(*failure));
  if (auto* const answer = std::get_if<Answer>(&response)) return std::move(*answer);
  wire::fail("an answer to another question");
}

template <class Answer>
Answer Channel::ask(std::string_view request, const Patience& patience) {
  send(request, patience);
  return expect<Answer>(receive(patience));
}

}  // namespace statehouse::detail
