#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "eventually.hpp"

namespace statehouse::test {

/// A program in a process of its own, of which a test reads what it says, on standard output and standard error. It
/// dies with this object, and with the test.
class Program {
 public:
  /// `words` begin with the program's file; `environment` adds to this process's.
  explicit Program(std::vector<std::string> words, std::vector<std::string> environment = {}) {
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    const auto argv = pointers(words);
    const auto envp = pointers(environment);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    pid_ = ::fork();
    if (pid_ == 0) {  // from here to execve only what is allowed after fork in a process with threads
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::signal(SIGINT, SIG_DFL);  // a shell cannot trap what was ignored when it began
      ::signal(SIGTERM, SIG_DFL);
      ::dup2(ends[1], STDOUT_FILENO);
      ::dup2(ends[1], STDERR_FILENO);
      ::execve(argv[0], argv.data(), envp.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ends[0];
    if (pid_ < 0) throw std::runtime_error("fork failed");
  }
  ~Program() {
    signal(SIGKILL);
    wait();
    ::close(output_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);
  }
  /// Stops it with SIGSTOP, and waits until it stands still, or has ended.
  void pause() const {
    signal(SIGSTOP);
    siginfo_t changed{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &changed, WSTOPPED | WEXITED | WNOWAIT);
  }
  /// Waits for its end, which must be on its way, and gives its exit code, or 128 plus the signal that ended it.
  int wait() {
    int status = 0;
    if (pid_ > 0 && ::waitpid(pid_, &status, 0) == pid_)
      exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    pid_ = -1;
    return exit_code_;
  }
  /// Waits until all who have its output have ended.
  int finish() {
    while (read_more()) {
    }
    return wait();
  }

  /// Waits for this text; false when it ends, or says nothing for as long as a test has patience.
  bool says(std::string_view what) {
    while (said_.find(what) == std::string::npos)
      if (!read_more()) return false;
    return true;
  }
  /// The word after this text; empty when that does not come.
  std::string word_after(std::string_view text) {
    if (!says(text)) return {};
    const std::size_t at = said_.find(text) + text.size();
    while (said_.find_first_of(" ,\n", at) == std::string::npos)
      if (!read_more()) return {};
    return said_.substr(at, said_.find_first_of(" ,\n", at) - at);
  }
  /// What has been read so far.
  const std::string& said() const noexcept { return said_; }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
  }
  bool read_more() {
    pollfd readable{output_, POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(std::chrono::milliseconds(patience).count())) != 1) return false;
    std::array<char, 512> part{};
    const ssize_t count = ::read(output_, part.data(), part.size());
    if (count > 0) said_.append(part.data(), static_cast<std::size_t>(count));
    return count > 0;
  }

  pid_t pid_ = -1;
  int output_ = -1;
  int exit_code_ = -1;
  std::string said_;
};

}  // namespace statehouse::test
