#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/leader.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {

/// The link is gone, and with it the connection inside the leader and its transaction. Never leaves this room.
class Lost : public std::runtime_error {
 public:
  Lost(const std::string& why, bool executed) : std::runtime_error(why), may_be_executed_(executed) {}
  /// The whole request was sent, and an answer would have mattered.
  bool may_be_executed() const noexcept { return may_be_executed_; }

 private:
  bool may_be_executed_;
};

/// The channel of a session to the leader, as long as there is one.
///
/// A node that does not answer for `dial_timeout` is asked on a second channel whether it still leads, and is given up
/// when it does not say so: a stopped process, a machine that is gone.
class Link {
 public:
  Link(std::shared_ptr<Leader> leader, const Interrupter& interrupter, std::string database)
      : leader_(std::move(leader)), interrupter_(interrupter), database_(std::move(database)) {}

  /// Finds the leader. Throws Error, as `Leader::connect`.
  void connect();
  void drop() noexcept { channel_.reset(); }
  bool connected() const noexcept { return channel_ != nullptr; }
  /// To a node that led until another connection found another one: what it answers may be old.
  bool outdated() const { return connected() && !leader_->is_last_known(channel_->address()); }
  /// Another number for each channel: ids of statements are those of one.
  std::uint64_t generation() const noexcept { return generation_; }

  // Only when connected. Throws Lost or Refusal.

  template <class Answer>
  Answer ask(std::string_view request) {
    send(request);
    return receive<Answer>();
  }
  /// A request that changes nothing that is kept: it may be made again whatever became of it.
  template <class Answer>
  Answer ask_harmlessly(std::string_view request);
  /// All parts of the answer to a query.
  std::vector<wire::Rows> query(std::string_view request);

  /// Requests in one piece, whose answers are to be received one by one before anything else is asked. Each may be
  /// executed as soon as the first byte is on its way.
  void send_several(std::string_view requests);
  template <class Answer>
  Answer receive();
  std::vector<wire::Rows> receive_rows();

 private:
  void send(std::string_view request, bool executed_in_parts = false);
  wire::Response receive_any();
  /// `action()`, of which all that fails but a Refusal, which is an answer, ends the link: there may be more to come.
  template <class Action>
  auto guard(Action action);
  [[noreturn]] void lose(const std::string& why, bool executed);
  [[noreturn]] void lose_harmlessly(const Refusal& refusal);

  const std::shared_ptr<Leader> leader_;
  const Interrupter& interrupter_;
  const std::string database_;
  std::unique_ptr<Channel> channel_;
  std::uint64_t generation_ = 0;
};

template <class Action>
auto Link::guard(Action action) {
  try {
    return action();
  } catch (const Lost&) {
    throw;
  } catch (const Refusal&) {
    throw;
  } catch (const Error& error) {
    lose(error.what(), true);
  } catch (...) {
    drop();
    throw;
  }
}

template <class Answer>
Answer Link::receive() {
  return guard([&] { return expect<Answer>(receive_any()); });
}

template <class Answer>
Answer Link::ask_harmlessly(std::string_view request) {
  try {
    return ask<Answer>(request);
  } catch (const Lost& lost) {
    lose(lost.what(), false);
  } catch (const Refusal& refusal) {
    lose_harmlessly(refusal);
  }
}

}  // namespace statehouse::detail
