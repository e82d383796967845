#include "file/descriptors.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace statehouse::detail {

bool out_of_descriptors() noexcept {
  std::array<int, 8> opened{};
  bool out = false;
  for (int& descriptor : opened) {
    descriptor = ::open("/", O_PATH | O_CLOEXEC);
    out = out || (descriptor < 0 && (errno == EMFILE || errno == ENFILE));
  }
  for (const int descriptor : opened)
    if (descriptor >= 0) ::close(descriptor);
  return out;
}

}  // namespace statehouse::detail
