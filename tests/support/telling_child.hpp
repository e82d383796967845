#pragma once

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>

namespace statehouse::test {

/// A forked child that writes down what it does, line by line, until it is killed; killed with this object at the
/// latest. Fork-safe only while this process has no connection.
class TellingChild {
 public:
  /// In the child `work(descriptor)` runs. It ends with 0, or with 1 when that throws.
  template <class Work>
  explicit TellingChild(Work work) : lines_(nullptr, &std::fclose) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe failed");
    ::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);  // so that it seldom waits for who reads
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
      ::close(ends[0]);
      live(work, ends[1]);
    }
    ::close(ends[1]);
    lines_.reset(::fdopen(ends[0], "r"));
  }
  ~TellingChild() {
    if (pid_ < 0) return;
    kill();
    wait();
  }
  TellingChild(const TellingChild&) = delete;
  TellingChild& operator=(const TellingChild&) = delete;

  /// What it has told; they end when it has.
  std::FILE* lines() const noexcept { return lines_.get(); }
  void kill() const noexcept { ::kill(pid_, SIGKILL); }
  /// After its end, or a kill; its status as `waitpid` gives it.
  int wait() noexcept {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }
  /// The same; whether the kill has ended it, and nothing else had.
  bool wait_for_kill() noexcept {
    const int status = wait();
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

 private:
  template <class Work>
  [[noreturn]] static void live(Work& work, int end) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      work(end);
    } catch (const std::exception& error) {
      static_cast<void>(!::write(STDERR_FILENO, error.what(), std::strlen(error.what())));
      ::_exit(1);
    }
    ::_exit(0);
  }

  pid_t pid_ = -1;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> lines_;
};

}  // namespace statehouse::test
