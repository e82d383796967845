#pragma once

#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <stdexcept>
#include <string>

namespace statehouse::test {

constexpr unsigned nobody = 65534;

/// Runs `work` in a forked child and gives the text it returns, or the text of what it throws. Nothing of the child's
/// state comes back, no destructor of the parent's objects runs there.
template <class Work>
std::string in_child(Work&& work) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("pipe failed");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    std::string text;
    try {
      text = work();
    } catch (const std::exception& error) {
      text = error.what();
    }
    const bool written = ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  while (const ssize_t got = ::read(ends[0], buffer, sizeof buffer)) {
    if (got < 0) throw std::runtime_error("read failed");
    text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw std::runtime_error("the child ended with status " + std::to_string(status) + " after: " + text);
  return text;
}

/// As `in_child`, without root's rights: what a file's mode forbids is forbidden.
template <class Work>
std::string as_nobody(Work&& work) {
  return in_child([&]() -> std::string {
    if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setgid(nobody) != 0 || ::setuid(nobody) != 0))
      return "cannot become nobody";
    return work();
  });
}

}  // namespace statehouse::test
