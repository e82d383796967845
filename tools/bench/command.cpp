#include "command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

namespace statehouse::bench {
namespace {

[[noreturn]] void fail(const char* what, int error) {
  throw std::runtime_error(what + (": " + std::string(std::strerror(error))));
}

/// A file in memory, for what a program says: it never waits for somebody to read.
class Transcript {
 public:
  Transcript() : file_(::memfd_create("transcript", MFD_CLOEXEC)) {
    if (file_ < 0) fail("cannot keep what a program says", errno);
  }
  ~Transcript() { ::close(file_); }
  Transcript(const Transcript&) = delete;
  Transcript& operator=(const Transcript&) = delete;

  int file() const noexcept { return file_; }
  /// As much of it as a line of numbers or an error may have.
  std::string text() const {
    std::array<char, 16384> buffer{};
    const ssize_t size = ::pread(file_, buffer.data(), buffer.size(), 0);
    return {buffer.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
  }

 private:
  const int file_;
};

/// In a process group of its own, with nothing to read.
pid_t start(std::vector<std::string>& words, const Transcript& output, const Transcript& errors) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output.file(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, errors.file(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t child = -1;
  const int error = ::posix_spawnp(&child, argv[0], &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) fail(words.front().c_str(), error);
  return child;
}

bool ends_within(pid_t child, std::chrono::milliseconds limit) {
  const auto handle = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  if (handle < 0) fail("cannot wait for a program", errno);
  pollfd ended{handle, POLLIN, 0};
  const auto deadline = std::chrono::steady_clock::now() + limit;
  int ready = 0;
  do {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    ready = ::poll(&ended, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  } while (ready < 0 && errno == EINTR);
  ::close(handle);
  return ready == 1;
}

std::string describe(int status) {
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Outcome run_command(std::vector<std::string> words, std::chrono::milliseconds limit) {
  const Transcript output;
  const Transcript errors;
  const pid_t child = start(words, output, errors);
  const bool ended = ends_within(child, limit);
  if (!ended) ::kill(-child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  const std::string failure =
      ended ? describe(status) : "no end after " + std::to_string(limit.count() / 1000) + " s: killed";
  return {failure, output.text(), errors.text()};
}

}  // namespace statehouse::bench
